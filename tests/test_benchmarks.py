"""The benchmarks, also where the libraries that they are compared with are absent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import bench_imaging

from imaging_phantoms import a_site

ROOT = Path(__file__).parents[1]


def test_every_benchmark_finds_what_it_is_made_of():
    names = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if not path.stem.startswith("__"))
    program = "\n".join(f"import benchmarks.{name}" for name in names)
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_images_are_timed_where_no_peer_is_installed(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torchio", None)
    monkeypatch.setitem(sys.modules, "monai", None)
    monkeypatch.setattr(bench_imaging, "find_spec", lambda name: None, raising=False)
    monkeypatch.setattr(bench_imaging, "itk_read", lambda path: None)
    monkeypatch.setattr(bench_imaging, "stack_of", lambda root: None)
    bench_imaging.nifti(Path("a study"), None)
    said = capsys.readouterr().out
    assert "gliocast, nine slices" in said
    assert "torchio is not installed" in said
    assert "monai is not installed" in said


def test_a_cohort_is_timed_in_a_process_that_finds_what_it_is_made_of(tmp_path, monkeypatch):
    a_site(tmp_path, n_patients=2)
    monkeypatch.chdir(ROOT)
    assert bench_imaging.slowest([bench_imaging.cohort_command(tmp_path, n_studies=2, workers=1)]) > 0
