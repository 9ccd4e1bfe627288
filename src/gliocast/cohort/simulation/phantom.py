"""One simulated patient's T1-Gd volume and lesion mask, computed slab by slab so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int16, UInt8

from gliocast.cohort.simulation.head import (
    VESSEL,
    Grid,
    Head,
    brain,
    bright_vessels,
    drawn_head,
    in_brain,
    wrapping,
)
from gliocast.cohort.simulation.lesion import Lesion, drawn_lesion, with_lesion
from gliocast.cohort.simulation.parameters import VolumeGeometry
from gliocast.cohort.simulation.texture import blend, ramp

ANATOMY_STREAM, NOISE_STREAM = 3, 4  # random streams of a seed; 1 and 2 draw the clinical rows and the scores
SLAB_SLICES = 8  # noise is drawn slab by slab: changing this changes the images
CENTER_Z_MM = 8.0  # the field of view is centred a little above the brain's centre
HEAD_MM = (108.0, 88.0)  # no head reaches farther from the centre of the field of view along y and x
NOISE_AT_1T5 = 0.035  # standard deviation; white matter is 0.75
SAGGING = 0.14  # how much the coil's sensitivity varies


@dataclass(frozen=True)
class Volume:
    """A rendered patient, axes z (up), y (forward), x (right).

    Attributes:
        voxels: T1-Gd signal.
        lesion_mask: 1 inside the enhancing ring and its core.
        spacing_mm: voxel size along x, y and z.
        origin_mm: position of the first voxel in scanner coordinates, x (right), y (forward), z (up).
    """

    voxels: Int16[np.ndarray, "slices height width"]
    lesion_mask: UInt8[np.ndarray, "slices height width"]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]

    @property
    def largest_section_mm(self) -> float:
        """Position of the slice with the largest lesion area along the superior axis, scanner coordinates."""
        area = self.lesion_mask.sum(axis=(1, 2), dtype=np.int64)
        return self.origin_mm[2] + self.spacing_mm[2] * int(area.argmax())


@dataclass(frozen=True)
class Scene:
    """A head with its tumour, and the scanner it lies in."""

    head: Head
    lesion: Lesion
    table_mm: tuple[float, float, float]  # where the field of view lies in scanner coordinates
    gain: float
    noise: float


def rendered(geometry: VolumeGeometry, image_score: float, field_strength_t: float, seed: int, index: int) -> Volume:
    """The volume of patient number `index`: a function of its arguments alone, whatever else is simulated.

    Bit for bit the same on one kind of processor; another's exponential or square root may round a voxel differently.

    Args:
        geometry: the grid.
        image_score: the latent score that the lesion's appearance carries.
        field_strength_t: tesla; noise halves where it doubles.
        seed: seed of the cohort.
        index: number of the patient in the cohort, from 0.
    """
    scene = drawn_scene(np.random.default_rng([seed, ANATOMY_STREAM, index]), geometry, image_score, field_strength_t)
    shape = (geometry.slices, geometry.size_px, geometry.size_px)
    voxels, mask = np.zeros(shape, dtype=np.int16), np.zeros(shape, dtype=np.uint8)
    for number, slab in enumerate(slabs(geometry.slices)):
        signal, inside = slab_signal(scene, geometry, slab)
        mask[slab] = inside
        voxels[slab] = measured(signal, scene, np.random.default_rng([seed, NOISE_STREAM, index, number]))
    spacing = (geometry.spacing_mm, geometry.spacing_mm, geometry.slice_spacing_mm)
    first = [axis_mm(geometry.size_px, geometry.spacing_mm)[0]] * 2 + [slice_positions_mm(geometry)[0]]
    x, y, z = (float(place) + table for place, table in zip(first, scene.table_mm, strict=True))
    return Volume(voxels, mask, spacing, (x, y, z))


def drawn_scene(
    generator: np.random.Generator, geometry: VolumeGeometry, image_score: float, field_strength_t: float
) -> Scene:
    """A random head with a random tumour that looks as `image_score` says."""
    reach = (float(abs(slice_positions_mm(geometry)).max()), *HEAD_MM)
    head = drawn_head(generator, reach)
    x, y, z = generator.uniform([-10, -20, -60], [10, 20, 60]).round(1)
    return Scene(
        head=head,
        lesion=drawn_lesion(generator, head, image_score, reach),
        table_mm=(x, y, z),
        gain=generator.uniform(450, 1200),
        noise=NOISE_AT_1T5 * 1.5 / field_strength_t,
    )


def slabs(slices: int) -> Iterator[slice]:
    """Consecutive blocks of slices."""
    return (slice(first, min(first + SLAB_SLICES, slices)) for first in range(0, slices, SLAB_SLICES))


def axis_mm(count: int, spacing_mm: float) -> Float[np.ndarray, " _"]:
    """Positions of `count` voxels around 0."""
    return ((np.arange(count) - (count - 1) / 2) * spacing_mm).astype(np.float32)


def slice_positions_mm(geometry: VolumeGeometry) -> Float[np.ndarray, " _"]:
    """Positions of the slices, from the brain's centre in an untilted head."""
    return axis_mm(geometry.slices, geometry.slice_spacing_mm) + np.float32(CENTER_Z_MM)


def slab_signal(
    scene: Scene, geometry: VolumeGeometry, slab: slice
) -> tuple[Grid, UInt8[np.ndarray, "slices height width"]]:
    """Signal without noise, and lesion mask, of some slices; computed only where the head can be."""
    plane = axis_mm(geometry.size_px, geometry.spacing_mm)
    rows, columns = (np.flatnonzero(np.abs(plane) < reach) for reach in HEAD_MM)
    window = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    axes = (slice_positions_mm(geometry)[slab], plane[window[1]], plane[window[2]])
    signal, lesion = head_signal(scene, axes, max(1.0, geometry.spacing_mm))
    whole = np.zeros((len(signal), geometry.size_px, geometry.size_px), dtype=np.float32)
    mask = np.zeros(whole.shape, dtype=np.uint8)
    whole[window], mask[window] = signal, lesion
    return whole, mask


def head_signal(
    scene: Scene, axes: tuple[Float[np.ndarray, " _"], ...], width_mm: float
) -> tuple[Grid, UInt8[np.ndarray, "slices height width"]]:
    """Signal and lesion mask on the grid spanned by positions along z, y and x, borders `width_mm` wide."""
    head, lesion = scene.head, scene.lesion
    cortex, vessels = head.cortex.at(*axes), head.vessels.at(*axes)
    point = head.coordinates(*axes)
    depth = head.depth(point)
    inside = lesion.inside(point, lesion.border.at(*axes))
    before_growth = lesion.pushed_aside(point, inside)
    in_the_brain = in_brain(point, depth, head)
    brain_share = ramp(in_the_brain, width_mm)
    image = wrapping(point, depth, head, vessels, width_mm)
    healthy = brain(before_growth, in_the_brain, cortex, head.mottling.at(*axes), head, width_mm)
    image = blend(image, healthy, brain_share)
    image = blend(image, VESSEL, bright_vessels(before_growth, in_the_brain, cortex, vessels, width_mm))
    image = with_lesion(image, lesion, inside, brain_share, lesion.grain.at(*axes), width_mm)
    image *= np.exp(np.float32(SAGGING) * head.coil.at(*axes))
    return image, ((inside > 0) & (in_the_brain > 0)).astype(np.uint8)


def measured(signal: Grid, scene: Scene, generator: np.random.Generator) -> Int16[np.ndarray, "slices height width"]:
    """What the scanner stores: the magnitude of signal plus complex noise (Rician), in its own arbitrary units."""
    real = generator.standard_normal(signal.shape, dtype=np.float32)
    real *= np.float32(scene.noise)
    real += signal
    imaginary = generator.standard_normal(signal.shape, dtype=np.float32)
    imaginary *= np.float32(scene.noise)
    np.hypot(real, imaginary, out=real)
    real *= np.float32(scene.gain)
    return np.rint(real).astype(np.int16)
