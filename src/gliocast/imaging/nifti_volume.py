"""NIfTI files, unpacked and decoded here: other readers accept cut files and put zeros where there are no numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Shaped, UInt8

from gliocast.imaging.checks import grid_findings, voxel_findings
from gliocast.imaging.findings import Finding, Refused, refuse_if_any
from gliocast.imaging.grid import Region, whole
from gliocast.imaging.gunzip import UNPACKED_BYTES, unpacked_pieces
from gliocast.imaging.nifti import NiftiHeader, header_findings, header_grid, read_header, unreadable
from gliocast.imaging.parameters import GeometryParameters
from gliocast.imaging.volume import Volume

GZIP_LIMIT = 1032  # deflate cannot compress further than this
ZEROS = bytes(UNPACKED_BYTES)
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
        self.grid = header_grid(self._header, rules).with_spacing_mm(spacing_mm)
        packed = path.suffix == ".gz"
        sizes = size_findings(path, self._header.n_bytes, GZIP_LIMIT if packed else 1)
        refuse_if_any([*grid_findings(self.grid, self.name, rules), *sizes])
        self._there = np.zeros(self.grid.shape[2], dtype=bool)
        self.record = {"format": "nii.gz" if packed else "nii", "orientation": self.grid.orientation}

    @property
    def voxels(self) -> Shaped[np.ndarray, "i j k"]:
        """All voxels as stored, before the header's scale."""
        return self._with_slices(slice(None))

    @property
    def filled(self) -> Region:
        """A region outside of which every voxel is 0: a lesion mask need not be searched anywhere else."""
        i, j, k = whole(self.grid)
        self._with_slices(k)
        hit = np.flatnonzero(self._filled)
        return (i, j, slice(int(hit[0]), int(hit[-1]) + 1)) if hit.size else (i, j, k)

    def read(self, region: Region) -> Float32[np.ndarray, "i j k"]:
        """Grey values inside `region`, scaled as the header says."""
        inside = np.ascontiguousarray(self._with_slices(region[2])[region].T, dtype=np.float32).T
        if self._header.slope not in (0.0, 1.0) or self._header.intercept != 0.0:
            slope = self._header.slope or 1.0  # a slope of 0 means that there is none (NIfTI-1 standard)
            inside = (inside * np.float32(slope) + np.float32(self._header.intercept)).astype(np.float32)
        return inside

    def _with_slices(self, needed: slice) -> Shaped[np.ndarray, "i j k"]:
        """The voxels as stored, of which those of the `needed` slices are there; the others take no memory.

        The whole file is unpacked every time, and its checksum compared: so whoever needs more asks for the most first.
        The middle slice, which identifies the image, comes along; so does everything where voxels may be no numbers.
        """
        if not self._there[needed].all():
            wanted = self._there.copy()
            wanted[slice(None) if self._header.dtype.kind == "f" else needed] = True
            wanted[len(wanted) // 2] = True
            self._voxels, self._there = self._read_slices(wanted), wanted
        return self._voxels

    def _read_slices(self, wanted: Bool[np.ndarray, " k"]) -> Shaped[np.ndarray, "i j k"]:
        content, self._filled = _content(self.path, self._header, wanted)
        start, size = int(self._header.offset), self._header.n_bytes
        if len(content) < start + size:
            raise Refused(unreadable(self.path))
        stored = np.frombuffer(content, self._header.dtype, int(np.prod(self.grid.shape)), start)
        if stored.dtype.kind == "f" and not np.isfinite(stored.sum(dtype=np.float64)):
            refuse_if_any(finding for finding in voxel_findings(stored, self.name) if finding.code == "not_finite")
        return stored.reshape(self.grid.shape, order="F")


def size_findings(path: Path, claimed: int, ratio: int) -> Iterator[Finding]:
    """Whether the file can hold the voxels that its header claims; asked before any memory is taken."""
    possible = path.stat().st_size * ratio
    if claimed > possible:
        yield Finding("header_lies", path.name, f"{claimed} bytes of voxels claimed", f"at most {possible}")


def _content(
    path: Path, header: NiftiHeader, wanted: Bool[np.ndarray, " k"]
) -> tuple[UInt8[np.ndarray, " bytes"], Bool[np.ndarray, " k"]]:
    """The bytes of a file, to the end of what the header describes: fewer where the file is cut.

    Of a packed file, pieces that hold no `wanted` slice, or nothing but zeros, stay memory that nobody has touched.

    Returns:
        The bytes, and which slices may hold anything but zeros.

    Raises:
        Refused: a packed file is damaged, or a file holds much more than the header says.
    """
    start, limit = int(header.offset), int(header.offset) + header.n_bytes
    if path.suffix != ".gz":
        if path.stat().st_size > limit + SLACK_BYTES:
            raise Refused(_more_than(limit, path.name))
        return np.fromfile(path, np.uint8, limit), np.ones_like(wanted)
    content, unpacked, filled = np.zeros(limit, np.uint8), 0, np.zeros_like(wanted)
    slice_bytes = header.n_bytes // len(wanted)
    for piece in unpacked_pieces(path):
        kept = np.frombuffer(piece, np.uint8)[: max(0, limit - unpacked)]
        held = slice(max(0, unpacked - start) // slice_bytes, -(-max(0, unpacked + len(kept) - start) // slice_bytes))
        voxels = piece[max(0, start - unpacked) :]
        if wanted[held].any() and voxels != ZEROS[: len(voxels)]:
            content[unpacked : unpacked + len(kept)] = kept
            filled[held] = True
        unpacked += len(piece)
        if unpacked > limit + SLACK_BYTES:
            raise Refused(_more_than(limit, path.name))
    return content[:unpacked], filled


def _more_than(limit: int, name: str) -> Finding:
    return Finding("header_lies", name, f"more than {limit} bytes", f"{limit} bytes of header and voxels")
