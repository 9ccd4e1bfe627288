"""The benchmarks where the libraries that they are compared with are absent."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import bench_imaging


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
