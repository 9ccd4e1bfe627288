"""The lesion: which voxels it holds, and where its largest cross-section lies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int, Shaped

from gliocast.imaging.findings import Finding, Refused
from gliocast.imaging.grid import Grid, Region

EVEN_STEP = 4  # an oblique lesion's area is measured on this many planes a voxel
HALF = 0.5  # a voxel that the lesion fills in part, or may belong to it, counts from one half on
LEVEL = 0.01  # of a slice's height, by which a slice may climb across the lesion; headers round as much away


@dataclass(frozen=True, eq=False)
class Lesion:
    """The lesion's voxels, cut to the box around them.

    Attributes:
        voxels: True inside the lesion, along the stored axes of `grid`.
        grid: where these voxels lie.
        doubts: what a person should look at in the mask.
    """

    voxels: Bool[np.ndarray, "i j k"]
    grid: Grid
    doubts: tuple[Finding, ...] = ()

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


def is_chosen(number: int, name: str, labels: tuple[int | str, ...]) -> bool:
    """Whether a segment or structure is one of `labels`, by its number or its name (case ignored)."""
    return not labels or number in labels or name.lower() in [str(label).lower() for label in labels]


def not_among(kind: str, numbers: Iterable[int], name: str, labels: tuple[int | str, ...]) -> Finding:
    """The finding of labels that name no segment or structure; the names of these may be a person's."""
    found = f"{kind}s {', '.join(map(str, numbers))}"
    expected = f"one that lesion_labels names ({', '.join(map(str, labels))})"
    remedy = f"Name the lesion's {kind}s, by number or label, in `lesion_labels` of the catalog entry imaging."
    return Finding(f"{kind}_not_found", name, found, expected, remedy)


def cut_out(labels: Shaped[np.ndarray, "i j k"], grid: Grid, chosen: tuple[int, ...], name: str) -> Lesion:
    """The lesion of a labelled volume: the voxels with one of the `chosen` values, or with any from one half on.

    Fractions are those of a mask that was resampled, or of a probability. A value below 0 marks what is unknown or
    outside, and is the 255 of a mask that was stored as signed bytes.

    Raises:
        Refused: there is no such voxel.
    """
    box = _box(labels)
    inside = labels[box]
    voxels = np.isin(inside, chosen) if chosen else inside >= HALF
    if not voxels.any():
        expected = f"voxels with {' or '.join(map(str, chosen))}" if chosen else f"voxels of {HALF} or more"
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
    planes across its voxels; of neighbouring planes with equally large sections, the middle one counts.

    Returns:
        Position, RAS mm, and area, mm².
    """
    positions, areas = area_profile(lesion, axis)
    largest = np.flatnonzero(areas >= areas.max() * (1 - 1e-9))
    if not _is_stacked(lesion, axis):
        largest = _middles(largest)
    nearest = largest[np.abs(np.round(positions[largest] - lesion.centroid_mm[axis], 6)).argmin()]
    low, high = volume.span_mm(axis)
    return float(np.clip(positions[nearest], low, high)), float(areas[nearest])


def _middles(places: Int[np.ndarray, " places"]) -> Int[np.ndarray, " runs"]:
    """The middle of each run of neighbouring places (the lower of two)."""
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    return np.array([run[(len(run) - 1) // 2] for run in runs])


def area_profile(lesion: Lesion, axis: int) -> tuple[Float64[np.ndarray, " planes"], Float64[np.ndarray, " planes"]]:
    """Positions (RAS mm, ascending) and lesion areas (mm²) of the planes across the lesion."""
    if not _is_stacked(lesion, axis):
        return _oblique_profile(lesion, axis)
    grid = lesion.grid
    stored = grid.stored_axis(axis)
    step_mm = float(grid.affine[axis, stored])
    counts = np.count_nonzero(lesion.voxels, axis=tuple(other for other in range(3) if other != stored))
    positions = _first_mm(lesion, axis) + step_mm * np.arange(len(counts))
    areas = counts * grid.voxel_volume_mm3 / abs(step_mm)
    return (positions, areas) if step_mm > 0 else (positions[::-1], areas[::-1])


def _is_stacked(lesion: Lesion, axis: int) -> bool:
    """Whether each stored slice of the lesion lies at one height along the axis, to a share of a slice."""
    heights = np.abs(lesion.grid.affine[axis, :3])
    stored = lesion.grid.stored_axis(axis)
    drift_mm = np.delete(heights * lesion.voxels.shape, stored).sum()
    return bool(drift_mm <= LEVEL * heights[stored])


def _first_mm(lesion: Lesion, axis: int) -> float:
    """Where the middle of the lesion's first stored slice lies along the axis, RAS mm."""
    middle = (np.array(lesion.voxels.shape, float) - 1) / 2
    middle[lesion.grid.stored_axis(axis)] = 0.0
    return float(lesion.grid.to_mm(middle)[axis])


def _oblique_profile(
    lesion: Lesion, axis: int
) -> tuple[Float64[np.ndarray, " planes"], Float64[np.ndarray, " planes"]]:
    """Each voxel's volume is spread over the planes that it reaches, evenly along its own extent across them.

    The planes lie on the stored slices' middles, as those of a stacked lesion do, and between them.
    """
    from scipy.ndimage import convolve1d

    grid = lesion.grid
    heights = np.abs(grid.affine[axis, :3])
    fine_mm = float(heights.max()) / EVEN_STEP
    positions = grid.to_mm(np.argwhere(lesion.voxels).astype(float))[:, axis]
    margin = int(np.ceil(heights.sum() / fine_mm)) + 1
    first_mm = _first_mm(lesion, axis)
    planes = np.round((positions - first_mm) / fine_mm).astype(int)
    lowest = int(planes.min()) - margin
    areas = np.bincount(planes - lowest, minlength=planes.max() - lowest + margin + 1) * grid.voxel_volume_mm3 / fine_mm
    for height in heights:  # a voxel is a box: its shadow along the axis is three boxes in a row
        areas = convolve1d(areas, _box_kernel(float(height) / fine_mm), mode="constant")
    return first_mm + (lowest + np.arange(len(areas))) * fine_mm, np.asarray(areas, dtype=np.float64)


def _box_kernel(width: float) -> Float64[np.ndarray, " planes"]:
    """A box of unit area, `width` planes wide (one at least); planes that it reaches in part have a part of it."""
    width = max(1.0, width)
    half = int(np.ceil((width - 1) / 2))
    return np.clip((width + 1) / 2 - np.abs(np.arange(-half, half + 1)), 0.0, 1.0) / width
