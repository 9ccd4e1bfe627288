"""The lesion: which voxels it holds, and where its largest cross-section lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from gliocast.imaging.findings import Finding, Refused
from gliocast.imaging.grid import Grid, Region

EVEN_STEP = 4  # an oblique lesion's area is measured on this many planes a voxel


@dataclass(frozen=True, eq=False)
class Lesion:
    """The lesion's voxels, cut to the box around them.

    Attributes:
        voxels: True inside the lesion, along the stored axes of `grid`.
        grid: where these voxels lie.
    """

    voxels: Bool[np.ndarray, "i j k"]
    grid: Grid

    @property
    def volume_mm3(self) -> float:
        """Volume of the lesion, mm³."""
        return float(np.count_nonzero(self.voxels) * self.grid.voxel_volume_mm3)

    @property
    def centroid_mm(self) -> Float64[np.ndarray, "3"]:
        """Centre of gravity, RAS mm."""
        return self.grid.to_mm(np.argwhere(self.voxels).mean(axis=0))

    @property
    def n_parts(self) -> int:
        """Number of parts that do not touch each other, not even at a corner."""
        from scipy.ndimage import label

        return int(label(self.voxels, np.ones((3, 3, 3)))[1])


def cut_out(labels: Shaped[np.ndarray, "i j k"], grid: Grid, chosen: tuple[int, ...], name: str) -> Lesion:
    """The lesion of a labelled volume: the voxels with one of the `chosen` values, or with any but 0.

    Raises:
        Refused: there is no such voxel.
    """
    box = _box(labels)
    inside = labels[box]
    voxels = np.isin(inside, chosen) if chosen else inside != 0
    if not voxels.any():
        expected = f"voxels with {' or '.join(map(str, chosen))}" if chosen else "voxels above 0"
        raise Refused(Finding("empty_lesion_mask", name, "no lesion voxel", expected, "Redo the mask or remove it."))
    smaller = _box(voxels)
    return Lesion(np.ascontiguousarray(voxels[smaller]), grid.cropped(box).cropped(smaller))


def _box(labels: Shaped[np.ndarray, "i j k"]) -> Region:
    """The smallest region with every voxel that is not 0; the whole where all are 0."""
    slow, *others = (int(axis) for axis in np.argsort(labels.strides)[::-1])  # as they lie in memory
    sections = labels.transpose(slow, *others)
    parts = {slow: _extent(np.array([section.any() for section in sections]))}
    shadow = np.zeros(sections.shape[1:], dtype=np.bool_)
    for section in sections[parts[slow]]:
        np.logical_or(shadow, section, out=shadow)
    parts |= {others[0]: _extent(np.asarray(shadow.any(axis=1))), others[1]: _extent(np.asarray(shadow.any(axis=0)))}
    return parts[0], parts[1], parts[2]


def _extent(hit: Bool[np.ndarray, " places"]) -> slice:
    """From the first place that is hit to the last; all of them where none is."""
    places = np.flatnonzero(hit) if hit.any() else np.arange(len(hit))
    return slice(int(places[0]), int(places[-1]) + 1)


def largest_section_mm(lesion: Lesion, axis: int, volume: Grid) -> tuple[float, float]:
    """Where the lesion's cross-section is largest along an anatomical axis.

    Where the lesion's voxels are stacked along the axis, the position is that of a stored slice of the lesion mask; of
    several equally large ones, the one nearest to the centre of gravity (the lower of two). An oblique lesion is cut by
    planes across its voxels.

    Returns:
        Position, RAS mm, and area, mm².
    """
    positions, areas = area_profile(lesion, axis)
    largest = np.flatnonzero(areas >= areas.max() * (1 - 1e-9))
    nearest = largest[np.abs(np.round(positions[largest] - lesion.centroid_mm[axis], 6)).argmin()]
    low, high = volume.span_mm(axis)
    return float(np.clip(positions[nearest], low, high)), float(areas[nearest])


def area_profile(lesion: Lesion, axis: int) -> tuple[Float64[np.ndarray, " planes"], Float64[np.ndarray, " planes"]]:
    """Positions (RAS mm, ascending) and lesion areas (mm²) of the planes across the lesion."""
    grid = lesion.grid
    stored = grid.stored_axis(axis)
    step_mm = float(grid.affine[axis, stored])
    if grid.is_aligned:
        counts = np.count_nonzero(lesion.voxels, axis=tuple(other for other in range(3) if other != stored))
        positions = grid.affine[axis, 3] + step_mm * np.arange(len(counts))
        areas = counts * grid.voxel_volume_mm3 / abs(step_mm)
        return (positions, areas) if step_mm > 0 else (positions[::-1], areas[::-1])
    return _oblique_profile(lesion, axis)


def _oblique_profile(
    lesion: Lesion, axis: int
) -> tuple[Float64[np.ndarray, " planes"], Float64[np.ndarray, " planes"]]:
    """Each voxel's volume is spread over the planes that it reaches, evenly along its own extent across them."""
    from scipy.ndimage import convolve1d

    grid = lesion.grid
    heights = np.abs(grid.affine[axis, :3])
    fine_mm = float(heights.max()) / EVEN_STEP
    positions = grid.to_mm(np.argwhere(lesion.voxels).astype(float))[:, axis]
    margin = int(np.ceil(heights.sum() / fine_mm)) + 1
    start = np.floor(positions.min() / fine_mm) - margin
    bins = np.round(positions / fine_mm - start).astype(int)
    areas = np.bincount(bins, minlength=bins.max() + margin + 1) * grid.voxel_volume_mm3 / fine_mm
    for height in heights:  # a voxel is a box: its shadow along the axis is three boxes in a row
        width = max(1, int(np.round(height / fine_mm)) | 1)
        areas = convolve1d(areas, np.full(width, 1 / width), mode="constant")
    return (start + np.arange(len(areas))) * fine_mm, np.asarray(areas, dtype=np.float64)
