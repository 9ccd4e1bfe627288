"""Volumes in one file: NIfTI decoded here, NRRD and MetaImage by SimpleITK after their headers were looked at."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped

from gliocast.imaging import text_headers
from gliocast.imaging.checks import grid_findings, voxel_findings
from gliocast.imaging.findings import Finding, Refused, refuse_if_any
from gliocast.imaging.grid import Region, whole
from gliocast.imaging.nifti import unreadable
from gliocast.imaging.nifti_volume import GZIP_LIMIT, NiftiVolume, size_findings
from gliocast.imaging.parameters import GeometryParameters
from gliocast.imaging.volume import Volume

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


def open_file(
    path: Path, rules: GeometryParameters, spacing_mm: tuple[float, float, float] | None = None
) -> NiftiVolume | ItkVolume:
    """The volume in a file, its header checked and its voxels not yet read."""
    is_nifti = path.name.lower().endswith((".nii", ".nii.gz"))
    return (NiftiVolume if is_nifti else ItkVolume)(path, rules, spacing_mm)


class ItkVolume(Volume):
    """An NRRD or MetaImage file.

    Raises:
        Refused: the header is no header, or describes no plausible volume.
    """

    def __init__(
        self, path: Path, rules: GeometryParameters, spacing_mm: tuple[float, float, float] | None = None
    ) -> None:
        self.path, self.name = path, path.name
        grid, n_bytes = text_headers.describe(path)
        self.grid = grid.with_spacing_mm(spacing_mm)
        refuse_if_any([*grid_findings(self.grid, self.name, rules), *size_findings(path, n_bytes, GZIP_LIMIT)])
        self.record = {"format": path.suffix.lower().lstrip("."), "orientation": self.grid.orientation}

    @cached_property
    def _image(self) -> Any:
        import SimpleITK

        SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
        try:
            return SimpleITK.ReadImage(str(self.path))
        except RuntimeError:
            raise Refused(unreadable(self.path)) from None

    @cached_property
    def voxels(self) -> Shaped[np.ndarray, "i j k"]:
        """All voxels as stored. The image lives as long as this volume, so the view never outlives its memory."""
        import SimpleITK

        stored = SimpleITK.GetArrayViewFromImage(self._image)
        if stored.shape != self.grid.shape[::-1]:
            raise Refused(Finding("unreadable", self.name, f"shape {stored.shape[::-1]}", f"{self.grid.shape}"))
        if stored.dtype.kind == "f":  # whole numbers are always finite
            refuse_if_any(finding for finding in voxel_findings(stored, self.name) if finding.code == "not_finite")
        return stored.T

    @property
    def filled(self) -> Region:
        """A region outside of which every voxel is 0: of these files, the whole."""
        return whole(self.grid)

    def read(self, region: Region) -> Float32[np.ndarray, "i j k"]:
        """Grey values inside `region`; the whole file is decoded once, so that a cut file is always noticed."""
        return np.ascontiguousarray(self.voxels[region].T, dtype=np.float32).T
