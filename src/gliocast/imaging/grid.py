"""Where voxels lie in the patient: a regular grid in RAS millimetres (scanner coordinates)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float64

AXES: dict[str, int] = {"sagittal": 0, "coronal": 1, "axial": 2}  # slices of this name are stacked along R, A, S
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

Region: TypeAlias = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of voxels.

    Attributes:
        shape: number of voxels along the three stored axes i, j, k.
        affine: takes voxel indices (i, j, k, 1) to millimetres towards the patient's Right, Anterior and Superior.
    """

    shape: tuple[int, int, int]
    affine: Float64[np.ndarray, "4 4"]

    @classmethod
    def from_lps(
        cls,
        shape: tuple[int, int, int],
        columns_mm: Float64[np.ndarray, "3 3"],
        origin_mm: Float64[np.ndarray, "3"],
    ) -> Grid:
        """A grid from the LPS convention of DICOM and ITK: one column a voxel step, and the first voxel's centre."""
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = columns_mm, origin_mm
        return cls(shape, LPS_TO_RAS @ affine)

    @property
    def spacing_mm(self) -> Float64[np.ndarray, "3"]:
        """Distance of neighbouring voxel centres along i, j, k, mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel, mm³."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @property
    def centre_mm(self) -> Float64[np.ndarray, "3"]:
        """The physical centre of the grid, RAS mm."""
        return self.to_mm((np.array(self.shape, float) - 1) / 2)

    @property
    def orientation(self) -> str:
        """Three letters: where the stored axes i, j, k point to, for instance `LPS` for a plain axial DICOM series."""
        directions = self.affine[:3, :3] / self.spacing_mm
        nearest = [self.stored_axis(axis) for axis in range(3)]
        letters = [("LR", "PA", "IS")[axis][int(directions[axis, nearest[axis]] > 0)] for axis in range(3)]
        return "".join(letters[nearest.index(stored)] for stored in range(3))

    def stored_axis(self, anatomical_axis: int) -> int:
        """The stored axis (0 i, 1 j, 2 k) that runs closest to an anatomical one (0 R, 1 A, 2 S)."""
        from itertools import permutations

        directions = np.abs(self.affine[:3, :3] / self.spacing_mm)
        best = max(permutations(range(3)), key=lambda order: sum(directions[axis, order[axis]] for axis in range(3)))
        return best[anatomical_axis]

    def to_mm(self, voxels: Float[np.ndarray, "*points 3"]) -> Float64[np.ndarray, "*points 3"]:
        """RAS millimetres of voxel indices."""
        return np.asarray(voxels @ self.affine[:3, :3].T + self.affine[:3, 3], dtype=np.float64)

    def to_voxels(self, points_mm: Float[np.ndarray, "*points 3"]) -> Float64[np.ndarray, "*points 3"]:
        """Fractional voxel indices of RAS millimetres."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(points_mm @ inverse[:3, :3].T + inverse[:3, 3], dtype=np.float64)

    def corners_mm(self) -> Float64[np.ndarray, "8 3"]:
        """RAS millimetres of the eight corner voxels' centres."""
        steps = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
        return self.to_mm(steps * (np.array(self.shape) - 1))

    def span_mm(self, anatomical_axis: int) -> tuple[float, float]:
        """Positions, along an anatomical axis, of the first and last slice's centre; ascending."""
        stored = self.stored_axis(anatomical_axis)
        middle = (np.array(self.shape, float) - 1) / 2
        ends = np.stack([middle, middle])
        ends[:, stored] = (0.0, self.shape[stored] - 1.0)
        low, high = sorted(self.to_mm(ends)[:, anatomical_axis])
        return float(low), float(high)

    def cropped(self, region: Region) -> Grid:
        """The grid of the voxels inside `region`."""
        affine = self.affine.copy()
        affine[:3, 3] = self.to_mm(np.array([part.start for part in region], dtype=float))
        i, j, k = (part.stop - part.start for part in region)
        return Grid((i, j, k), affine)

    def with_spacing_mm(self, spacing_mm: tuple[float, float, float] | None) -> Grid:
        """The same grid with another distance between voxels, for headers that are known to be wrong; None keeps it.

        One without any plausible distance is kept too: its axes point nowhere.
        """
        if spacing_mm is None or not (np.isfinite(self.spacing_mm).all() and (self.spacing_mm > 0).all()):
            return self
        affine = self.affine.copy()
        affine[:3, :3] *= np.array(spacing_mm) / self.spacing_mm
        return Grid(self.shape, affine)

    def covers_the_same_box(self, other: Grid) -> bool:
        """Whether both have the same corners, perhaps in another order, to a thousandth of a voxel."""
        between = np.linalg.norm(self.corners_mm()[:, None] - other.corners_mm()[None], axis=2)
        return bool(between.min(axis=1).max() <= 1e-3 * self.spacing_mm.min())


def whole(grid: Grid) -> Region:
    """The region of all voxels."""
    i, j, k = (slice(0, size) for size in grid.shape)
    return i, j, k


def region_around(grid: Grid, points_mm: Float64[np.ndarray, "points 3"]) -> Region | None:
    """The smallest region whose voxels surround all points, clipped to the grid; None where they all miss it."""
    voxels = grid.to_voxels(points_mm)
    low = np.maximum(np.floor(voxels.min(axis=0) + 1e-6).astype(int), 0)
    high = np.minimum(np.ceil(voxels.max(axis=0) - 1e-6).astype(int) + 1, np.array(grid.shape))
    if (low >= high).any():
        return None
    i, j, k = (slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    return i, j, k
