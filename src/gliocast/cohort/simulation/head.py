"""The head of one simulated patient: its shape, its tissues, and how bright each is after gadolinium on a T1 image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gliocast.cohort.simulation.texture import SmoothField, blend, drawn_field, ramp

Grid = Float[np.ndarray, "slices height width"]
Point = tuple[Grid, Grid, Grid]

# T1-Gd signal, with white matter at 0.75.
AIR, BONE, MARROW, FAT, SKIN, MUSCLE = 0.02, 0.12, 0.34, 1.0, 0.6, 0.42
CSF, GREY, WHITE, DEEP_GREY = 0.2, 0.55, 0.75, 0.6
VESSEL, CHOROID = 1.35, 1.1

MEAN_RADIUS_MM = 82.0  # turns the relative radius of an ellipsoid into millimetres of depth
GREY_MM = 4.0  # thickness of the cortex
SULCUS_MM = 0.9  # half the width of a sulcus
SULCUS_DEPTH_MM = 18.0
SULCUS_STEP_MM = 9.0


@dataclass(frozen=True)
class Head:
    """Everything that differs between two heads; lengths in mm, angles in radians.

    Coordinates of the head: x to the right, y forward, z up, from the centre of the brain.
    """

    rotation: Float[np.ndarray, "3 3"]
    shift: Float[np.ndarray, " 3"]
    half_width: tuple[float, float]  # left and right differ
    half_length: tuple[float, float]  # back and front differ
    half_height: tuple[float, float]  # below (towards the neck) and above
    scalp: float
    skull: float
    csf_gap: float
    ventricle_scale: tuple[float, float]
    cortex: SmoothField
    vessels: SmoothField
    mottling: SmoothField
    coil: SmoothField

    @property
    def brain_depth(self) -> float:
        """How deep below the skin the brain begins."""
        return self.scalp + self.skull + self.csf_gap

    def coordinates(self, z: Float[np.ndarray, " _"], y: Float[np.ndarray, " _"], x: Float[np.ndarray, " _"]) -> Point:
        """Head coordinates of the voxels of a grid, given along each axis in scanner coordinates."""
        planes = (x[None, None, :], y[None, :, None], z[:, None, None])
        moved = [plane - np.float32(offset) for plane, offset in zip(planes, self.shift, strict=True)]
        rows = self.rotation.astype(np.float32)
        return tuple(row[0] * moved[0] + row[1] * moved[1] + row[2] * moved[2] for row in rows)  # type: ignore[return-value]

    def depth(self, point: Point) -> Grid:
        """Millimetres below the skin; negative outside the head."""
        x, y, z = point
        across = x * np.where(x < 0, 1 / self.half_width[0], 1 / self.half_width[1]).astype(np.float32)
        along = y * np.where(y < 0, 1 / self.half_length[0], 1 / self.half_length[1]).astype(np.float32)
        across *= 1 + np.float32(0.09) * along  # the forehead is narrower than the back of the head
        up = z * np.where(z < 0, 1 / self.half_height[0], 1 / self.half_height[1]).astype(np.float32)
        return (1 - np.sqrt(across * across + along * along + up * up)) * np.float32(MEAN_RADIUS_MM)


def drawn_head(generator: np.random.Generator, reach_mm: tuple[float, float, float]) -> Head:
    """A random head whose random fields cover -reach to +reach along z, y and x."""
    width, length = generator.uniform(70, 77), generator.uniform(87, 96)
    uneven = generator.uniform(-0.03, 0.03, 2)
    return Head(
        rotation=rotation(generator.uniform([-8, -6, -8], [8, 6, 8])),
        shift=generator.uniform([-6, -6, -4], [6, 6, 4]),
        half_width=(width * (1 + uneven[0]), width * (1 - uneven[0])),
        half_length=(length * (1 + uneven[1]), length * (1 - uneven[1])),
        half_height=(generator.uniform(120, 140), generator.uniform(80, 87)),
        scalp=generator.uniform(4.5, 8),
        skull=generator.uniform(5, 8),
        csf_gap=generator.uniform(1.5, 4),
        ventricle_scale=tuple(generator.uniform(0.75, 1.35) * generator.uniform(0.9, 1.1, 2)),
        cortex=drawn_field(generator, reach_mm, SULCUS_STEP_MM),
        vessels=drawn_field(generator, reach_mm, 13.0),
        mottling=drawn_field(generator, reach_mm, 5.0),
        coil=drawn_field(generator, reach_mm, 110.0),
    )


def rotation(degrees: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "3 3"]:
    """Rotation about x (nodding), y (leaning) and z (turning), in this order."""
    (nod, lean, turn), zero, one = np.deg2rad(degrees), 0.0, 1.0
    about_x = [[one, zero, zero], [zero, np.cos(nod), -np.sin(nod)], [zero, np.sin(nod), np.cos(nod)]]
    about_y = [[np.cos(lean), zero, np.sin(lean)], [zero, one, zero], [-np.sin(lean), zero, np.cos(lean)]]
    about_z = [[np.cos(turn), -np.sin(turn), zero], [np.sin(turn), np.cos(turn), zero], [zero, zero, one]]
    return np.array(about_z) @ np.array(about_y) @ np.array(about_x)


def in_brain(point: Point, depth: Grid, head: Head) -> Grid:
    """Millimetres inside the brain's surface, negative outside: below the inner table, above the skull base."""
    _, y, z = point
    above_base = z + 42 - 0.28 * y
    return np.minimum(depth - np.float32(head.brain_depth), above_base.astype(np.float32))


def wrapping(point: Point, depth: Grid, head: Head, vessels: Grid, width_mm: float) -> Grid:
    """Signal of everything but the brain: air, skin, fat, bone, muscle, eyes and fluid, by depth."""
    image = blend(np.full_like(depth, AIR), SKIN, ramp(depth, width_mm))
    image = blend(image, FAT, ramp(depth - 1.5, width_mm))
    image = blend(image, BONE, ramp(depth - head.scalp, width_mm))
    diploe = ramp(depth - head.scalp - 0.3 * head.skull, width_mm) * ramp(
        head.scalp + 0.7 * head.skull - depth, width_mm
    )
    image = blend(image, MARROW, diploe)
    image = blend(image, CSF, ramp(depth - head.scalp - head.skull, width_mm))
    return below_the_brain(image, point, depth, head, vessels, width_mm)


def below_the_brain(image: Grid, point: Point, depth: Grid, head: Head, vessels: Grid, width_mm: float) -> Grid:
    """The skull base and the face: muscle with bone, fat and air in it, and two eyes in their fat."""
    x, y, z = point
    base = ramp(-46 + 0.28 * y - z, width_mm) * ramp(depth - head.scalp, width_mm)
    face = blend(np.full_like(depth, MUSCLE), BONE, ramp((vessels - 0.45) * 10, 3))
    face = blend(face, AIR, ramp((-0.75 - vessels) * 10, 3))
    image = blend(image, face, base)
    eye = 12 - np.sqrt((np.abs(x) - 32) ** 2 + (y - head.half_length[1] + 24) ** 2 + (z + 30) ** 2)
    image = blend(image, FAT, ramp(eye + 5, width_mm) * ramp(depth - head.scalp, width_mm))
    return blend(image, CSF, ramp(eye, width_mm))


def brain(point: Point, inside: Grid, cortex: Grid, mottling: Grid, head: Head, width_mm: float) -> Grid:
    """Signal of the brain: folded grey matter over white matter, deep grey nuclei, ventricles, fissure."""
    fissure = midline_distance(point)
    folds = np.abs(cortex) * np.float32(SULCUS_STEP_MM) + np.maximum(inside - SULCUS_DEPTH_MM, 0)
    cortical = np.minimum(np.minimum(inside, folds), fissure)
    image = blend(np.full_like(inside, CSF), GREY, ramp(cortical - SULCUS_MM, width_mm))
    image = blend(image, WHITE, ramp(cortical - SULCUS_MM - GREY_MM, width_mm))
    image = blend(image, DEEP_GREY, ramp(nuclei(point), width_mm))
    image *= 1 + np.float32(0.05) * mottling
    ventricle = ventricles(point, head)
    image = blend(image, CSF, ramp(ventricle, width_mm))
    return blend(image, CHOROID, ramp(choroid(point), width_mm) * ramp(ventricle + 1, width_mm))


def midline_distance(point: Point) -> Grid:
    """Distance from the cleft between the hemispheres, mm; larger where the corpus callosum bridges it."""
    x, y, z = point
    bridge = 1 - (y / 48) ** 2 - ((z - 6) / 30) ** 2
    return np.abs(x) + 40 * np.maximum(bridge, 0)


def ellipsoid(point: Point, center: tuple[float, float, float], half: tuple[float, float, float]) -> Grid:
    """Millimetres inside an ellipsoid, about; negative outside."""
    scaled = [(part - middle) / axis for part, middle, axis in zip(point, center, half, strict=True)]
    return (1 - np.sqrt(scaled[0] ** 2 + scaled[1] ** 2 + scaled[2] ** 2)) * np.float32(min(half))


def mirrored(point: Point) -> Point:
    """The point's distance from the midline in place of x, for structures that both hemispheres have."""
    return (np.abs(point[0]), point[1], point[2])


def nuclei(point: Point) -> Grid:
    """Millimetres inside thalamus and putamen."""
    thalamus = ellipsoid(mirrored(point), (11, -9, 4), (8, 14, 9))
    putamen = ellipsoid(mirrored(point), (26, 6, 2), (6, 17, 10))
    return np.maximum(thalamus, putamen)


def ventricles(point: Point, head: Head) -> Grid:
    """Millimetres inside the lateral ventricles, which bend outwards at the back, and the third ventricle."""
    x, y, z = point
    scale = np.where(x < 0, head.ventricle_scale[0], head.ventricle_scale[1]).astype(np.float32)
    bent = np.abs(x) - 8 - 0.0045 * (y - 12) ** 2
    scaled = (bent / scale, y, (z - 15 + 0.002 * (y - 5) ** 2) / scale)
    lateral = ellipsoid(scaled, (0, 2, 0), (5, 38, 9))
    third = ellipsoid(point, (0, -6, 0), (2.2, 13, 10))
    return np.maximum(lateral, third)


def choroid(point: Point) -> Grid:
    """Millimetres inside the choroid plexus, which lights up after gadolinium as a tumour does."""
    return ellipsoid(mirrored(point), (13, -18, 13), (3.5, 10, 4))


def bright_vessels(point: Point, inside: Grid, cortex: Grid, vessels: Grid, width_mm: float) -> Grid:
    """Share of each voxel that is a vessel: the great sinuses, and small arteries where two random sheets cross."""
    x, _, z = point
    sagittal = 4 - np.hypot(x, 1.2 * inside + 1.5) - np.maximum(-z - 15, 0)
    sheet = np.maximum(np.abs(cortex) * SULCUS_STEP_MM, np.abs(vessels) * 13) + np.maximum(0, np.abs(inside - 8) - 10)
    return np.maximum(ramp(sagittal, width_mm), ramp(1.3 - sheet, width_mm))
