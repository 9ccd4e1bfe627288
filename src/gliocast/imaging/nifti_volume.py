"""NIfTI files, unpacked and decoded here: other readers accept cut files and put zeros where there are no numbers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Shaped, UInt8

from gliocast.imaging.checks import grid_findings, voxel_findings
from gliocast.imaging.findings import Finding, Refused, refuse_if_any
from gliocast.imaging.grid import Grid, Region
from gliocast.imaging.gunzip import unpacked_pieces
from gliocast.imaging.nifti import NiftiHeader, header_findings, header_grid, read_header, unreadable
from gliocast.imaging.parameters import GeometryParameters
from gliocast.imaging.volume import Volume

GZIP_LIMIT = 1032  # deflate cannot compress further than this
SLACK_BYTES = 1 << 20  # bytes after the voxels that are passed over; more is not what the header describes


class NiftiVolume(Volume):
    """A `.nii` or `.nii.gz` file.

    Raises:
        Refused: the header is no header, or describes no plausible volume.
    """

    def __init__(
        self, path: Path, rules: GeometryParameters, spacing_mm: tuple[float, float, float] | None = None
    ) -> None:
        self.path, self.name = path, path.name
        self._header = read_header(path)
        refuse_if_any(header_findings(self._header, path.name, rules))
        grid = header_grid(self._header, rules)
        self.grid = overruled(grid, spacing_mm)
        packed = path.suffix == ".gz"
        sizes = size_findings(path, self._header.n_bytes, GZIP_LIMIT if packed else 1)
        refuse_if_any([*grid_findings(self.grid, self.name, rules), *sizes])
        self.record = {"format": "nii.gz" if packed else "nii", "orientation": self.grid.orientation}

    @cached_property
    def voxels(self) -> Shaped[np.ndarray, "i j k"]:
        """All voxels as stored, before the header's scale; the whole file is read, and its checksum compared."""
        content = _content(self.path, self._header)
        start, size = int(self._header.offset), self._header.n_bytes
        if len(content) < start + size:
            raise Refused(unreadable(self.path))
        stored = np.frombuffer(content, self._header.dtype, int(np.prod(self.grid.shape)), start)
        if stored.dtype.kind == "f" and not np.isfinite(
            stored.sum(dtype=np.float64)
        ):  # whole numbers are always finite
            refuse_if_any(finding for finding in voxel_findings(stored, self.name) if finding.code == "not_finite")
        return stored.reshape(self.grid.shape, order="F")

    def read(self, region: Region) -> Float32[np.ndarray, "i j k"]:
        """Grey values inside `region`, scaled as the header says."""
        inside = np.ascontiguousarray(self.voxels[region].T, dtype=np.float32).T
        if self._header.slope not in (0.0, 1.0) or self._header.intercept != 0.0:
            slope = self._header.slope or 1.0  # a slope of 0 means that there is none (NIfTI-1 standard)
            inside = (inside * np.float32(slope) + np.float32(self._header.intercept)).astype(np.float32)
        return inside


def overruled(grid: Grid, spacing_mm: tuple[float, float, float] | None) -> Grid:
    """The grid with the spacing that the catalog entry gives, where it gives one."""
    usable = spacing_mm is not None and np.isfinite(grid.spacing_mm).all() and bool((grid.spacing_mm > 0).all())
    return grid.with_spacing_mm(spacing_mm) if usable and spacing_mm is not None else grid


def size_findings(path: Path, claimed: int, ratio: int) -> Iterator[Finding]:
    """Whether the file can hold the voxels that its header claims; asked before any memory is taken."""
    possible = path.stat().st_size * ratio
    if claimed > possible:
        yield Finding("header_lies", path.name, f"{claimed} bytes of voxels claimed", f"at most {possible}")


def _content(path: Path, header: NiftiHeader) -> UInt8[np.ndarray, " bytes"]:
    """The bytes of a file, to the end of what the header describes: fewer where the file is cut.

    Raises:
        Refused: a packed file is damaged, or holds much more than the header says.
    """
    limit = int(header.offset) + header.n_bytes
    if path.suffix != ".gz":
        return np.fromfile(path, np.uint8, limit)
    content, unpacked = np.empty(limit, np.uint8), 0
    for piece in unpacked_pieces(path):
        kept = np.frombuffer(piece, np.uint8)[: max(0, limit - unpacked)]
        content[unpacked : unpacked + len(kept)] = kept
        unpacked += len(piece)
        if unpacked > limit + SLACK_BYTES:
            found, expected = f"more than {limit} bytes", f"{limit} bytes of header and voxels"
            raise Refused(Finding("header_lies", path.name, found, expected))
    return content[:unpacked]
