"""Damaged at random, a file is either refused by us or still a valid volume; nothing else, and quickly.

`GLIOCAST_FUZZ=1000` sets the number of mutations of each format; a few are tried every time.
"""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

import numpy as np
import pytest

from gliocast.imaging.findings import RefusedPatient
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.study import extract_stack
from imaging_dicom import write_series
from imaging_phantoms import Site, a_grid, ellipsoid, grey_voxels

N_MUTATIONS = int(os.environ.get("GLIOCAST_FUZZ", "40"))
GRID = a_grid("LPS", (16, 16, 14))


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed (mostly in the header), or the end cut off, or both."""
    damaged = bytearray(content)
    reach = len(damaged) if rng.random() < 0.3 else min(len(damaged), 600)
    for at in rng.integers(0, reach, rng.integers(1, 12)):
        damaged[at] = rng.integers(0, 256)
    return bytes(damaged[: rng.integers(0, len(damaged))] if rng.random() < 0.3 else damaged)


def a_study(site: Site, kind: str) -> list[Path]:
    site.add_mask("P1", GRID, ellipsoid(GRID, (3.0, -7.0, 20.0), (4.0, 4.0, 4.0)))
    if kind == "dicom":
        return write_series(site.root / "P1" / "t1gd", GRID, np.round(grey_voxels(GRID)))
    return [site.add("P1", GRID, suffix=kind)]


@pytest.mark.parametrize("kind", ["nii", "nii.gz", "nrrd", "mha", "dicom"])
def test_a_damaged_study_is_refused_or_valid(tmp_path, kind):
    site, rng = Site(tmp_path), np.random.default_rng(7)
    files = a_study(site, kind)
    n_refused = 0
    for _ in range(N_MUTATIONS):
        file = files[rng.integers(len(files))]
        whole = file.read_bytes()
        file.write_bytes(mutated(whole, rng))
        before_mb, started = resident_mb(), time.process_time()
        result = extract_stack(site.source, "P1", None, site.parameters)
        assert time.process_time() - started < 1
        assert peak_mb() - before_mb < 500
        file.write_bytes(whole)
        n_refused += isinstance(result, RefusedPatient)
        assert isinstance(result, RefusedPatient) or valid(result)
    assert n_refused > N_MUTATIONS / 4


def resident_mb() -> float:
    """Memory of this process; the peak is counted from here on."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory_mb("VmRSS")


def peak_mb() -> float:
    return memory_mb("VmHWM")


def memory_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def test_the_peak_that_is_measured_is_the_peak():
    before_mb = resident_mb()
    memory = mmap.mmap(-1, 100_000_000)  # numpy may be given what another test has freed, and the peak would not rise
    np.frombuffer(memory, np.uint8)[:] = 1
    assert 80 < peak_mb() - before_mb < 200


def valid(stack: SliceStack) -> bool:
    return stack.pixels.shape == (9, 32, 32) and bool(np.isfinite(stack.pixels).all())
