"""Where the enhancing lesion lies when nobody has drawn it.

An enhancing glioblastoma is brighter than the brain around it, has no twin in the other hemisphere, lies within the
brain and not at its edge (where scalp, dura and sinuses are bright), and is thicker than a vessel. The localiser
looks for just that, at about 2 mm. How far below the vertex glioblastomas lie is known beforehand: of all regions the
likeliest is taken, by its weight and by its height, and where none outweighs the doubt that any is the lesion, the
slices are centred on the usual height. It is no segmentation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from gliocast.imaging.findings import Finding, Refused
from gliocast.imaging.grid import AXES, Grid, whole
from gliocast.imaging.intensity import head_mask
from gliocast.imaging.lesion import Lesion, area_profile, cut_out
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.volume import Volume

WORKING_MM = 2.0
DEPTH_MM = 14.0  # scalp, skull, dura and the sinuses at their inner side
DEEP_MM = 25.0  # surely brain, high in the head
EDGE_MM = 5.0  # what lies closer to the brain's edge is a vessel, a sinus, or dura
BRAIN_SPREADS = 3.5
NECK_MM = 4.0  # bridges narrower than twice this do not belong to the brain
CLOSING_MM = 10.0  # gaps narrower than twice this do
BELOW_VERTEX_MM = 90.0  # from here on down, the skull base, orbits and neck are bright and asymmetric too …
SKULL_BASE_MM = 120.0  # … and here a region counts for nothing
BRIGHT = 1.5  # robust standard deviations above the tissue at the same depth
ASYMMETRIC = 1.0  # robust standard deviations above the mirrored place
BRIGHTEST = 20.0  # so that scalp does not shine into the brain when smoothed
LEAST_SPREAD = 0.08  # of the median: grey and white matter differ by about as much
SMOOTH_MM = 4.0
MIRROR_SMOOTH_MM = 6.0  # hemispheres are no exact twins
THICK_MM = 6.0  # the thicker a region, the more it counts, up to here: vessels are thin
SMALLEST_ML = 0.3
# How far below the head's vertex a glioblastoma's centre lies: the lobes' shares of gliomas (frontal 40 %, temporal 29,
# parietal 14, occipital 3, deeper 14; Larjavaara et al. 2007, doi:10.1215/15228517-2007-016) at the lobes' heights in a
# standard brain (about 28, -8, 42, 8 and 12 mm above the commissures, each with a deviation of 15 mm), whose vertex is
# at 79 mm, below scalp and skull.
USUAL_DEPTH_MM, DEPTH_SPREAD_MM = 74.0, 23.0
SCALP_AND_SKULL_MM = 12.0  # what is missing at the vertex of a brain without its head
NO_LESION = 1.0  # weight, ml x mm, of the case that no region is the lesion; chosen on simulated patients


@dataclass(frozen=True, eq=False)
class Located:
    """Where the central slice lies, and how sure that is.

    Attributes:
        centre_mm: position along the slice axis, RAS mm.
        source: `mask`, `localiser` or `column`.
        confidence: 0 to 1; 1 for a mask and for a person's choice.
        area_mm2: the lesion's largest cross-section, where it is known.
        lesion: what the localiser took for the lesion.
        doubts: what a person should look at.
    """

    centre_mm: float
    source: str
    confidence: float
    area_mm2: float | None = None
    lesion: Lesion | None = None
    doubts: tuple[Finding, ...] = ()


def locate_lesion(volume: Volume, parameters: SliceParameters) -> Located:
    """Find the enhancing lesion in the T1-Gd volume alone.

    Raises:
        Refused: patients without a mask are to be excluded, or the confidence is below the limit.
    """
    rule = parameters.localiser
    if rule.without_mask == "exclude":
        raise Refused(Finding("lesion_mask_missing", volume.name, "no lesion mask", "a lesion mask", "Draw one."))
    axis = AXES[parameters.axis]
    lesion, confidence, usual_mm = likeliest_region(volume)
    low, high = volume.grid.span_mm(axis)
    if lesion is None:
        centre = float(np.clip(usual_mm, low, high)) if axis == AXES["axial"] else (low + high) / 2
        return _judged(Located(centre, "localiser", confidence), volume, parameters)
    positions, areas = area_profile(lesion, axis)
    centre = float(np.clip(_centre_mm(positions, areas), low, high))
    return _judged(Located(centre, "localiser", confidence, float(areas.max()), lesion), volume, parameters)


def _judged(located: Located, volume: Volume, parameters: SliceParameters) -> Located:
    rule, found = parameters.localiser, f"confidence {located.confidence:.2f}"
    if located.confidence < rule.min_confidence:
        expected = f"at least {rule.min_confidence}, or a lesion mask"
        raise Refused(
            Finding("lesion_not_found", volume.name, found, expected, "Draw a mask, or set central_slice_mm.")
        )
    if located.lesion is not None and located.confidence >= rule.doubt_below:
        return located
    found += "" if located.lesion is not None else ", so that the slices lie where most lesions do"
    doubt = Finding("lesion_uncertain", volume.name, found, f"at least {rule.doubt_below}", "Look at it.", doubt=True)
    return replace(located, doubts=(doubt,))


def likeliest_region(volume: Volume) -> tuple[Lesion | None, float, float]:
    """The region that is most likely the lesion, how likely that is, and the usual height of lesions in this head.

    Returns:
        The region, None where it is likelier that none of them is the lesion; the probability (0 to 1) of the likeliest
        region, given that weights are likelihoods; the usual height, RAS mm (the volume's middle without a head).
    """
    from scipy.ndimage import label, sum_labels

    voxels, grid = _shrunk(volume.read(whole(volume.grid)), volume.grid)
    head = _head(voxels)
    score = _evidence(voxels, head, grid)
    usual_mm = _usual_mm(voxels, head, grid)
    labels, _ = label(score > 0)
    large = 1 + np.flatnonzero(np.bincount(labels.ravel())[1:] * grid.voxel_volume_mm3 / 1000 >= SMALLEST_ML)
    if not large.size:
        return None, 0.0, usual_mm
    thickness = np.minimum(_distance_mm(labels > 0, grid), THICK_MM)
    weights = np.asarray(sum_labels(score * thickness, labels, large)) * grid.voxel_volume_mm3 / 1000
    regions = [cut_out(labels == number, grid, (), volume.name) for number in large]
    heights = np.array([_centre_mm(*area_profile(region, AXES["axial"])) for region in regions])
    likely = weights * np.exp(-(((heights - usual_mm) / DEPTH_SPREAD_MM) ** 2) / 2)
    best = int(likely.argmax())
    probability = round(float(likely[best] / (likely.sum() + NO_LESION)), 3)
    return regions[best] if likely[best] > NO_LESION else None, probability, usual_mm


def _usual_mm(voxels: Float32[np.ndarray, "i j k"], head: Bool[np.ndarray, "i j k"], grid: Grid) -> float:
    """Where along the superior axis lesions mostly lie, RAS mm."""
    if not head.any():
        return float(np.mean(grid.span_mm(AXES["axial"])))
    depth = USUAL_DEPTH_MM - (SCALP_AND_SKULL_MM if _is_stripped(voxels, head) else 0.0)
    return _vertex_mm(head, grid) - depth


def _is_stripped(voxels: Float32[np.ndarray, "i j k"], head: Bool[np.ndarray, "i j k"]) -> bool:
    """Whether there is nothing around the brain, as skull-stripping leaves it."""
    outside = voxels[~head]
    return bool(outside.size and (outside == 0).mean() > 0.95)


def _height_mm(grid: Grid) -> Float64[np.ndarray, "i j k"]:
    """Position of each voxel along the superior axis, RAS mm."""
    i, j, k = (np.arange(size) * step for size, step in zip(grid.shape, grid.affine[2, :3], strict=True))
    return np.asarray(i[:, None, None] + j[:, None] + k + grid.affine[2, 3])


def _vertex_mm(head: Bool[np.ndarray, "i j k"], grid: Grid) -> float:
    """Position of the head's vertex along the superior axis, RAS mm; a few bright voxels above it do not count."""
    return float(np.percentile(_height_mm(grid)[head], 99.9))


def _shrunk(voxels: Float32[np.ndarray, "i j k"], grid: Grid) -> tuple[Float32[np.ndarray, "a b c"], Grid]:
    """Average blocks of voxels to about `WORKING_MM`."""
    blocks = np.maximum(1, np.round(WORKING_MM / grid.spacing_mm).astype(int))
    shape = np.array(grid.shape) // blocks
    a, b, c = (int(size) for size in shape)
    cut = voxels[tuple(slice(0, int(size)) for size in shape * blocks)]
    small = cut.reshape(a, blocks[0], b, blocks[1], c, blocks[2]).mean(axis=(1, 3, 5), dtype=np.float32)
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_mm((blocks - 1) / 2)
    affine[:3, :3] = affine[:3, :3] * blocks
    return small, Grid((a, b, c), affine)


def _head(voxels: Float32[np.ndarray, "i j k"]) -> Bool[np.ndarray, "i j k"]:
    """The largest bright part, its holes filled."""
    from scipy.ndimage import binary_closing, binary_fill_holes, label

    labels, n_parts = label(head_mask(voxels))
    if not n_parts:
        return np.zeros(voxels.shape, dtype=bool)
    largest = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    return np.asarray(binary_fill_holes(binary_closing(np.pad(largest, 3), iterations=3)[3:-3, 3:-3, 3:-3]))


def _evidence(
    voxels: Float32[np.ndarray, "i j k"], head: Bool[np.ndarray, "i j k"], grid: Grid
) -> Float[np.ndarray, "i j k"]:
    """How lesion-like each voxel is; 0: not at all."""
    from scipy.ndimage import gaussian_filter

    place = _place(voxels, head, grid)
    if not place.any():
        return np.zeros(voxels.shape)
    tissue = voxels[place == 1.0] if (place == 1.0).any() else voxels[place > 0]
    middle = float(np.median(tissue))
    spread = max(1.4826 * float(np.median(np.abs(tissue - middle))), LEAST_SPREAD * abs(middle)) or 1.0
    standard = np.where(head, ((voxels - middle) / spread).clip(-BRIGHTEST, BRIGHTEST), 0.0)
    smooth = gaussian_filter(standard, SMOOTH_MM / grid.spacing_mm / 2)
    mirrored = _mirrored(gaussian_filter(standard, MIRROR_SMOOTH_MM / grid.spacing_mm / 2), head, grid)
    bright, odd = smooth - BRIGHT, smooth - mirrored - ASYMMETRIC
    return np.where((bright > 0) & (odd > 0), np.minimum(bright, odd).clip(0, 4), 0.0) * place


def _place(
    voxels: Float32[np.ndarray, "i j k"], head: Bool[np.ndarray, "i j k"], grid: Grid
) -> Float[np.ndarray, "i j k"]:
    """Where a lesion may lie: 1 within the brain, falling to 0 towards the skull base; 0 elsewhere."""
    if not head.any():
        return np.zeros(voxels.shape)
    below_mm = _vertex_mm(head, grid) - _height_mm(grid)
    fading = np.clip((SKULL_BASE_MM - below_mm) / (SKULL_BASE_MM - BELOW_VERTEX_MM), 0, 1)
    if _is_stripped(voxels, head):
        return fading * (_distance_mm(head, grid) > EDGE_MM)
    brain = _brain(voxels, head, below_mm, grid)
    return fading * (_distance_mm(brain, grid) > EDGE_MM)


def _brain(
    voxels: Float32[np.ndarray, "i j k"],
    head: Bool[np.ndarray, "i j k"],
    below_mm: Float64[np.ndarray, "i j k"],
    grid: Grid,
) -> Bool[np.ndarray, "i j k"]:
    """The largest part of the head with the grey values of its deep middle, its gaps (lesions, ventricles) closed."""
    from scipy.ndimage import binary_fill_holes, label

    depth = _distance_mm(head, grid)
    deep = (depth > DEEP_MM) & (below_mm < BELOW_VERTEX_MM)
    if not deep.any():
        return np.asarray(depth > DEPTH_MM)
    middle = float(np.median(voxels[deep]))
    spread = max(1.4826 * float(np.median(np.abs(voxels[deep] - middle))), LEAST_SPREAD * abs(middle))
    tissue = head & (np.abs(voxels - middle) < BRAIN_SPREADS * spread)
    cores, n_cores = label(_distance_mm(tissue, grid) > NECK_MM)
    if not n_cores:
        return np.asarray(depth > DEPTH_MM)
    core = cores == np.bincount(cores[cores > 0]).argmax()
    grown = _distance_mm(~core, grid) < NECK_MM + CLOSING_MM
    return np.asarray(binary_fill_holes(_distance_mm(grown, grid) > CLOSING_MM))


def _distance_mm(inside: Bool[np.ndarray, "i j k"], grid: Grid) -> Float[np.ndarray, "i j k"]:
    """Distance of each inside voxel from the outside; the volume's border counts as outside along the slices alone."""
    from scipy.ndimage import distance_transform_edt

    axis = grid.stored_axis(2)
    pad = [(0, 0) if stored == axis else (1, 1) for stored in range(3)]
    padded = distance_transform_edt(np.pad(inside, pad), sampling=grid.spacing_mm)
    cut = tuple(slice(0, None) if stored == axis else slice(1, -1) for stored in range(3))
    return np.asarray(padded[cut])


def _mirrored(
    values: Float[np.ndarray, "i j k"], head: Bool[np.ndarray, "i j k"], grid: Grid
) -> Float[np.ndarray, "i j k"]:
    """Values at the mirrored place of the other hemisphere: the stored left-right axis is flipped about the head."""
    from scipy.ndimage import shift

    axis = grid.stored_axis(0)
    others = tuple(other for other in range(3) if other != axis)
    across = head.sum(axis=others)
    centre = float((across * np.arange(len(across))).sum() / max(1, across.sum()))
    by = [0.0, 0.0, 0.0]
    by[axis] = 2 * centre - (values.shape[axis] - 1)
    return np.asarray(shift(np.flip(values, axis), by, order=1, mode="nearest"))


def _centre_mm(positions: Float64[np.ndarray, " planes"], areas: Float64[np.ndarray, " planes"]) -> float:
    """The position of the largest section, steadied by the sections around it."""
    heaviest = areas >= 0.5 * areas.max()
    return float((positions * areas * heaviest).sum() / (areas * heaviest).sum())
