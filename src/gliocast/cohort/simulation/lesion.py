"""The tumour of one simulated patient: a ring that enhances around a necrotic core, in oedema.

What it looks like follows from the patient's image score alone: the lower the score (the shorter the survival), the
thicker and brighter the ring, the darker the core, the wider the oedema. Size, place and shape say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float

from gliocast.cohort.simulation.head import Grid, Head, Point, in_brain
from gliocast.cohort.simulation.texture import SmoothField, blend, drawn_field, ramp

OEDEMA = 0.5
ATTEMPTS = 10_000
MARGIN_MM = 6.0  # of the lesion's centre from the brain's surface, beyond its radius


@dataclass(frozen=True)
class Appearance:
    """The features that carry the score, each monotone in it.

    Attributes:
        ring_share: thickness of the ring as a share of the lesion's radius.
        ring_level: signal of the ring.
        core_level: signal of the necrotic core.
        oedema_mm: width of the oedema around the ring.
    """

    ring_share: float
    ring_level: float
    core_level: float
    oedema_mm: float


@dataclass(frozen=True)
class Lesion:
    """One tumour: where (head coordinates, mm), how large, of what shape and appearance."""

    center: Float[np.ndarray, " 3"]
    radius_mm: float
    stretch: Float[np.ndarray, " 3"]
    border: SmoothField
    grain: SmoothField
    appearance: Appearance

    def inside(self, point: Point, border: Grid) -> Grid:
        """Millimetres inside the irregular border of the ring; negative outside."""
        x, y, z = (
            (part - np.float32(middle)) * np.float32(stretch)
            for part, middle, stretch in zip(point, self.center, self.stretch, strict=True)
        )
        return np.float32(self.radius_mm) - np.sqrt(x * x + y * y + z * z) + np.float32(0.16 * self.radius_mm) * border

    def pushed_aside(self, point: Point, inside: Grid) -> Point:
        """Where the healthy brain at each point lay before the tumour grew: the mass effect."""
        outside = np.maximum(-inside, 0)
        radius = np.float32(self.radius_mm) + outside
        share = np.float32(0.32 * self.radius_mm) * np.exp(outside * np.float32(-1 / 16)) / radius
        return tuple(  # type: ignore[return-value]
            part - (part - np.float32(middle)) * share for part, middle in zip(point, self.center, strict=True)
        )


def appearance(image_score: float) -> Appearance:
    """What a tumour with this score looks like; where the score stands in the standard normal distribution decides."""
    aggressive = NormalDist().cdf(-image_score)
    return Appearance(
        ring_share=0.16 + 0.44 * aggressive,
        ring_level=0.95 + 0.3 * aggressive,
        core_level=0.62 - 0.46 * aggressive,
        oedema_mm=4 + 10 * aggressive,
    )


def drawn_lesion(
    generator: np.random.Generator, head: Head, image_score: float, reach_mm: tuple[float, float, float]
) -> Lesion:
    """A random tumour in one hemisphere, its centre well inside the brain."""
    radius_mm = generator.uniform(14, 24)
    return Lesion(
        center=drawn_center(generator, head, radius_mm),
        radius_mm=radius_mm,
        stretch=generator.uniform(0.85, 1.2, 3),
        border=drawn_field(generator, reach_mm, 12.0),
        grain=drawn_field(generator, reach_mm, 4.0),
        appearance=appearance(image_score),
    )


def drawn_center(generator: np.random.Generator, head: Head, radius_mm: float) -> Float[np.ndarray, " 3"]:
    """A random point of one hemisphere, above the skull base, the larger part of the lesion inside the brain."""
    for _ in range(ATTEMPTS):
        center = generator.uniform([-60, -75, -15], [60, 75, 60])
        x, y, z = (np.full((1, 1, 1), part, dtype=np.float32) for part in center)
        depth = in_brain((x, y, z), head.depth((x, y, z)), head)
        if depth.item() > 0.5 * radius_mm + MARGIN_MM and abs(center[0]) > 0.6 * radius_mm:
            break
    return center


def with_lesion(image: Grid, lesion: Lesion, inside: Grid, brain: Grid, grain: Grid, width_mm: float) -> Grid:
    """The image of the brain with the tumour in it, as far as there is brain.

    Args:
        image: signal of the healthy head.
        lesion: the tumour.
        inside: millimetres inside the tumour's border.
        brain: share of each voxel that is brain.
        grain: a fine random field.
        width_mm: width of a border, about one voxel.
    """
    look = lesion.appearance
    ring_mm = look.ring_share * lesion.radius_mm
    fading = np.clip(inside / np.float32(look.oedema_mm) + 1, 0, 1)  # oedema fades out towards the healthy brain
    image = blend(image, OEDEMA, fading * np.float32(0.8) * brain)
    ring = np.float32(look.ring_level) * (1 + np.float32(0.06) * grain)
    image = blend(image, ring, ramp(inside, width_mm) * brain)
    core = np.float32(look.core_level) * (1 + np.float32(0.06) * grain)
    within_ring = inside - np.float32(ring_mm) * (1 + np.float32(0.25) * grain)  # its inner border is ragged
    return blend(image, core, ramp(within_ring, width_mm) * brain)
