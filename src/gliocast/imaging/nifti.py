"""The raw NIfTI-1 header, looked at before any library repairs it in silence.

Fields are those of the NIfTI-1 standard, https://nifti.nimh.nih.gov/nifti-1. Free-text fields (`descrip`, `db_name`,
…), which may carry names, are never read.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from gliocast.imaging.findings import Finding, Refused
from gliocast.imaging.grid import Grid
from gliocast.imaging.parameters import GeometryParameters

HEADER_BYTES = 348
MAX_OFFSET = 1 << 24  # header extensions end long before
DTYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
UNITS_MM = 2
UNITS_UNKNOWN = 0


@dataclass(frozen=True, eq=False)
class NiftiHeader:
    """The fields of the header that decide where voxels lie and what they hold."""

    dimensions: tuple[int, ...]
    spacing: tuple[float, ...]
    datatype: int
    order: str
    slope: float
    intercept: float
    offset: float
    units: int
    qform_code: int
    sform_code: int
    qform: Float64[np.ndarray, "4 4"]
    sform: Float64[np.ndarray, "4 4"]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        i, j, k = self.dimensions[:3]
        return i, j, k

    @property
    def dtype(self) -> np.dtype[Any]:
        """How one voxel is stored."""
        return np.dtype(self.order + DTYPES[self.datatype])

    @property
    def n_bytes(self) -> int:
        """Bytes of all voxels."""
        return int(np.prod([max(0, size) for size in self.shape], dtype=object)) * self.dtype.itemsize


def read_header(path: Path) -> NiftiHeader:
    """Read the first 348 bytes of a `.nii` or `.nii.gz` file.

    Raises:
        Refused: they are no NIfTI-1 header.
        OSError: the file cannot be opened.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(HEADER_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise Refused(unreadable(path)) from None
    order = next((order for order in "<>" if raw[:4] == struct.pack(order + "i", HEADER_BYTES)), None)
    if len(raw) < HEADER_BYTES or order is None or raw[344:347] != b"n+1":
        raise Refused(unreadable(path))
    return _parsed(raw, order)


def unreadable(path: Path) -> Finding:
    """The finding of a file that is empty, cut, or of another format than its name says."""
    return Finding(
        "unreadable", path.name, "empty, cut, or of another format", "a whole volume file", "Export it again."
    )


def _parsed(raw: bytes, order: str) -> NiftiHeader:
    def numbers(form: str, offset: int) -> tuple[float, ...]:
        return struct.unpack_from(order + form, raw, offset)

    n_dimensions, *dimensions = struct.unpack_from(order + "8h", raw, 40)
    (datatype,) = struct.unpack_from(order + "h", raw, 70)
    qform_code, sform_code = struct.unpack_from(order + "2h", raw, 252)
    flip, *spacing = numbers("8f", 76)
    offset, slope, intercept = numbers("3f", 108)
    sform = np.vstack([np.array(numbers("12f", 280)).reshape(3, 4), [0, 0, 0, 1]]).astype(np.float64)
    qform = _from_quaternion(numbers("6f", 256), spacing, flip)
    size = tuple(dimensions[: max(0, min(n_dimensions, 7))])
    return NiftiHeader(
        dimensions=size,
        spacing=tuple(spacing),
        datatype=datatype,
        order=order,
        slope=slope,
        intercept=intercept,
        offset=offset,
        units=raw[123] & 7,
        qform_code=qform_code,
        sform_code=sform_code,
        qform=qform,
        sform=sform,
    )


def _from_quaternion(six: tuple[float, ...], spacing: list[float], flip: float) -> Float64[np.ndarray, "4 4"]:
    b, c, d, *origin = six
    a = np.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * np.array(spacing[:3]) * np.array([1.0, 1.0, -1.0 if flip < 0 else 1.0])
    affine[:3, 3] = origin
    return affine


def header_findings(header: NiftiHeader, name: str, rules: GeometryParameters) -> Iterator[Finding]:
    """Everything in a header that makes the volume unusable, before its voxels are read."""
    if len(header.dimensions) < 3 or any(size > 1 for size in header.dimensions[3:]):
        yield Finding("not_three_dimensional", name, f"shape {header.dimensions}", "three dimensions")
    if header.datatype not in DTYPES:
        yield Finding("not_scalar", name, f"datatype {header.datatype}", "one real number a voxel (no colour)")
    if not HEADER_BYTES <= header.offset <= MAX_OFFSET:
        yield Finding("header_lies", f"vox_offset in {name}", f"{header.offset:g}", f"{HEADER_BYTES} to {MAX_OFFSET}")
    if not np.isfinite([header.slope, header.intercept]).all():
        yield Finding("bad_scale", f"scl_slope in {name}", f"{header.slope}, {header.intercept}", "finite numbers")
    if header.units not in (UNITS_MM, UNITS_UNKNOWN):
        yield Finding("not_millimetres", f"xyzt_units in {name}", str(header.units), "2 (millimetres)")
    trusted = rules.affine == "sform" and header.sform_code > 0
    if header.qform_code <= 0 and header.sform_code <= 0:
        yield Finding("no_orientation", f"qform and sform in {name}", "both absent", "at least one of them")
    elif not trusted and not all(0 < spacing < np.inf for spacing in header.spacing[:3]):
        found = " × ".join(f"{spacing:g}" for spacing in header.spacing[:3])
        yield Finding("implausible_spacing", f"pixdim in {name}", f"{found} mm", "three numbers above 0")
    elif rules.affine == "agree" and header.sform_code > 0 and len(header.dimensions) >= 3:
        yield from _disagreement(header, name, rules)


def _disagreement(header: NiftiHeader, name: str, rules: GeometryParameters) -> Iterator[Finding]:
    """The s-form must lie where the q-form does, or be as large as the voxels where there is none."""
    grid = Grid(header.shape, header.sform)
    if header.qform_code > 0:
        other, distances = "qform", Grid(header.shape, header.qform).corners_mm() - grid.corners_mm()
    else:
        other, distances = "pixdim", (grid.spacing_mm - header.spacing[:3]) * (np.array(header.shape) - 1)
    apart = float(np.abs(distances).max())
    if not apart <= rules.affine_tolerance_mm:
        yield Finding(
            "transforms_differ",
            f"{other} and sform in {name}",
            f"{apart:.2f} mm apart",
            f"within {rules.affine_tolerance_mm} mm",
            "Set slices.geometry.affine to the one that is right.",
        )


def header_grid(header: NiftiHeader, rules: GeometryParameters) -> Grid:
    """The grid that the header describes: the s-form where there is one, unless the q-form is preferred."""
    use_qform = header.sform_code <= 0 or (rules.affine == "qform" and header.qform_code > 0)
    return Grid(header.shape, header.qform if use_qform else header.sform)
