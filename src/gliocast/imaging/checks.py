"""Whether a grid and its voxels are plausible: small checks whose findings are all collected."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from gliocast.imaging.findings import Finding
from gliocast.imaging.grid import AXES, Grid
from gliocast.imaging.parameters import GeometryParameters, SliceParameters

SHEAR_TOLERANCE = 0.01  # cosine between two stored axes; highdicom allows the same share


def grid_findings(grid: Grid, name: str, rules: GeometryParameters) -> Iterator[Finding]:
    """Spacing, orthogonality and size of a volume, before its voxels are read."""
    voxels = int(np.prod([int(size) for size in grid.shape], dtype=object))
    if min(grid.shape) < 1 or voxels > rules.max_voxels:
        yield Finding("implausible_size", name, f"{grid.shape} voxels", f"1 to {rules.max_voxels} voxels in all")
    if not np.isfinite(grid.affine).all():
        yield Finding("implausible_spacing", name, "not a number", "finite positions", "Export the volume again.")
        return
    low, high = rules.min_spacing_mm, rules.max_spacing_mm
    if not ((grid.spacing_mm >= low) & (grid.spacing_mm <= high)).all():
        found = " × ".join(f"{value:g}" for value in grid.spacing_mm)
        yield Finding("implausible_spacing", f"voxel spacing of {name}", f"{found} mm", f"{low} to {high} mm")
    elif _shear(grid) > SHEAR_TOLERANCE:
        yield Finding("sheared", f"axes of {name}", f"{_shear(grid):.3f} off a right angle", "right angles")


def _shear(grid: Grid) -> float:
    directions = grid.affine[:3, :3] / grid.spacing_mm
    return float(np.abs(directions.T @ directions - np.eye(3)).max())


def room_findings(grid: Grid, name: str, parameters: SliceParameters) -> Iterator[Finding]:
    """Whether the volume has as many slices, and reaches as far, as the rule needs along its axis."""
    axis = AXES[parameters.axis]
    low, high = grid.span_mm(axis)
    if min(grid.shape) < parameters.count:  # along any axis: a slab of a few slices shows no head, however it is cut
        yield Finding("too_few_slices", name, f"{min(grid.shape)} slices", f"at least {parameters.count}")
    elif high - low < parameters.extent_mm - 1e-6:
        yield Finding("volume_too_short", name, f"{high - low:.1f} mm", f"at least {parameters.extent_mm:.1f} mm")


def voxel_findings(voxels: Float[np.ndarray, "..."], name: str) -> Iterator[Finding]:
    """Whether grey values are numbers, and not all the same."""
    finite = np.isfinite(voxels)
    if not finite.all():
        n_bad = int(voxels.size - np.count_nonzero(finite))
        yield Finding("not_finite", name, f"{n_bad} voxels that are no numbers", "finite grey values")
    elif voxels.size and voxels.min() == voxels.max():
        found = f"{voxels.flat[0]:g} in all {voxels.size} voxels that were looked at"
        yield Finding("constant", name, found, "differing grey values")
