"""Volumes in one file: NIfTI, NRRD and MetaImage, decoded by SimpleITK after their headers were looked at."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Num

from gliocast.imaging import nifti, text_headers
from gliocast.imaging.checks import grid_findings, voxel_findings
from gliocast.imaging.findings import Finding, Refused, refuse_if_any
from gliocast.imaging.grid import Grid, Region
from gliocast.imaging.parameters import GeometryParameters
from gliocast.imaging.volume import Volume

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
GZIP_LIMIT = 1032  # deflate cannot compress further than this


class FileVolume(Volume):
    """A NIfTI, NRRD or MetaImage file.

    Raises:
        Refused: the header is no header, or describes no plausible volume.
    """

    def __init__(
        self, path: Path, rules: GeometryParameters, spacing_mm: tuple[float, float, float] | None = None
    ) -> None:
        self.path, self.name = path, path.name
        is_nifti = path.name.lower().endswith((".nii", ".nii.gz"))
        grid, n_bytes = _nifti(path, rules) if is_nifti else text_headers.describe(path)
        if spacing_mm is not None and (grid.spacing_mm > 0).all():
            grid = grid.with_spacing_mm(spacing_mm)
        self.grid = grid
        refuse_if_any([*grid_findings(grid, self.name, rules), *_size_findings(path, n_bytes)])
        self.record = {"format": _suffix(path), "orientation": grid.orientation}

    @cached_property
    def _image(self) -> Any:
        import SimpleITK

        SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
        try:
            return SimpleITK.ReadImage(str(self.path))
        except RuntimeError:
            raise Refused(nifti.unreadable(self.path)) from None

    @cached_property
    def voxels(self) -> Num[np.ndarray, "i j k"]:
        """All voxels as stored. The image lives as long as this volume, so the view never outlives its memory."""
        import SimpleITK

        stored = SimpleITK.GetArrayViewFromImage(self._image)
        stored = stored.reshape(stored.shape[-3:]) if stored.size == np.prod(stored.shape[-3:]) else stored
        if stored.shape != self.grid.shape[::-1]:
            raise Refused(Finding("unreadable", self.name, f"shape {stored.shape[::-1]}", f"{self.grid.shape}"))
        if stored.dtype.kind == "f":  # whole numbers are always finite
            refuse_if_any(finding for finding in voxel_findings(stored, self.name) if finding.code == "not_finite")
        return stored.T

    def read(self, region: Region) -> Float32[np.ndarray, "i j k"]:
        """Grey values inside `region`; the whole file is decoded once, so that a cut file is always noticed."""
        return np.ascontiguousarray(self.voxels[region].T, dtype=np.float32).T


def _nifti(path: Path, rules: GeometryParameters) -> tuple[Grid, int]:
    header = nifti.read_header(path)
    refuse_if_any(nifti.header_findings(header, path.name, rules))
    n_voxels = int(np.prod([max(0, size) for size in header.dimensions], dtype=object))
    return nifti.header_grid(header, rules), n_voxels * nifti.BITS[header.datatype] // 8


def _size_findings(path: Path, claimed: int) -> Iterator[Finding]:
    """Whether the file can hold the voxels that its header claims; asked before any memory is taken."""
    n_bytes = path.stat().st_size
    possible = n_bytes if path.suffix == ".nii" else n_bytes * GZIP_LIMIT
    if claimed > possible:
        yield Finding("header_lies", path.name, f"{claimed} bytes of voxels claimed", f"at most {possible}")


def _suffix(path: Path) -> str:
    return next(suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)).lstrip(".")
