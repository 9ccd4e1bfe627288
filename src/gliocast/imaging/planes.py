"""The slice rule: which planes are kept, and the grid of their pixels."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from gliocast.imaging.findings import Finding, Refused
from gliocast.imaging.grid import AXES, Grid
from gliocast.imaging.parameters import SliceParameters

# Pictures are stored as radiologists look at them: rows run from anterior to posterior (or from superior to inferior),
# columns from the patient's right to left (sagittal slices: from anterior to posterior). RAS axis, and its direction.
ROWS = {"axial": (1, -1), "coronal": (2, -1), "sagittal": (2, -1)}
COLUMNS = {"axial": (0, -1), "coronal": (0, -1), "sagittal": (1, -1)}


def slice_positions_mm(
    centre_mm: float, span_mm: tuple[float, float], parameters: SliceParameters
) -> Float64[np.ndarray, " slices"]:
    """Positions of the slices to keep: centred on `centre_mm`, moved as a block where they would leave the volume.

    Args:
        centre_mm: position of the largest lesion cross-section along the slice axis, RAS mm.
        span_mm: positions of the volume's first and last slice along that axis, RAS mm.
        parameters: number of slices (nine in Moreau et al., section 2.2) and the distance between them, mm.

    Returns:
        `parameters.count` ascending positions, RAS mm; never repeated, never outside the span.

    Raises:
        Refused: the centre lies outside the volume, or the volume is shorter than the block of slices.
    """
    low, high = span_mm
    if not low - 1e-6 <= centre_mm <= high + 1e-6:
        where, expected = "the central slice's position", f"{low:.1f} to {high:.1f} mm"
        raise Refused(Finding("centre_outside_volume", where, f"{centre_mm:.1f} mm", expected, "Correct the position."))
    if high - low < parameters.extent_mm - 1e-6:
        needed = f"at least {parameters.extent_mm:.1f} mm"
        raise Refused(Finding("volume_too_short", "the volume", f"{high - low:.1f} mm along the slice axis", needed))
    wanted = centre_mm + parameters.distance_mm * (np.arange(parameters.count) - parameters.count // 2)
    return np.asarray(wanted + max(low - wanted[0], 0.0) - max(wanted[-1] - high, 0.0))


def slice_planes(
    positions_mm: Float64[np.ndarray, " slices"],
    centre_mm: Float64[np.ndarray, "3"],
    parameters: SliceParameters,
    refinement: int = 1,
) -> Grid:
    """The square of `field_of_view_mm` around `centre_mm` on each slice, with `size_px × refinement` pixels a side.

    Returns:
        Columns, rows and slices as a grid of i, j, k.
    """
    n_pixels, pixel_mm = parameters.size_px * refinement, parameters.pixel_mm / refinement
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = 0.0, centre_mm
    for stored, (axis, direction) in enumerate((COLUMNS[parameters.axis], ROWS[parameters.axis])):
        affine[axis, stored] = direction * pixel_mm
        affine[axis, 3] -= direction * pixel_mm * (n_pixels - 1) / 2
    affine[AXES[parameters.axis], 2] = parameters.distance_mm
    affine[AXES[parameters.axis], 3] = positions_mm[0]
    return Grid((n_pixels, n_pixels, len(positions_mm)), affine)
