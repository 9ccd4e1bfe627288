"""Smooth random fields: the irregularities of tissue, cortex, tumour border and coil."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

MARGIN = 2  # lattice points beyond the field of view, so that every position lies between two


@dataclass(frozen=True)
class SmoothField:
    """Value noise: normal random numbers on a lattice, joined smoothly along each axis.

    A field is a function of the position alone: any part of a volume, at any voxel size, shows the same field.

    Attributes:
        lattice: the random numbers, along z, y and x.
        step_mm: distance of the lattice points; structures are about twice as wide.
        origin_mm: position of the first lattice point along each axis.
    """

    lattice: Float[np.ndarray, "z y x"]
    step_mm: float
    origin_mm: float

    def at(self, *axes_mm: Float[np.ndarray, " _"]) -> Float[np.ndarray, "slices height width"]:
        """The field on the grid spanned by the positions along z, y and x, mm; mean 0, deviation about 0.6."""
        field = self.lattice
        for axis, positions in enumerate(axes_mm):
            field = self._interpolated(field, positions, axis)
        return field

    def _interpolated(
        self, field: Float[np.ndarray, "a b c"], positions_mm: Float[np.ndarray, " _"], axis: int
    ) -> Float[np.ndarray, "d e f"]:
        place = (positions_mm - self.origin_mm) / self.step_mm
        before = place.astype(np.intp)
        t = place - before
        weight = (t * t * (3 - 2 * t)).astype(np.float32)  # smoothstep: no kinks at the lattice points
        weight = weight.reshape([-1 if dimension == axis else 1 for dimension in range(3)])
        low, high = field.take(before, axis), field.take(before + 1, axis)
        high -= low
        high *= weight
        high += low
        return high


def drawn_field(generator: np.random.Generator, reach_mm: Sequence[float], step_mm: float) -> SmoothField:
    """A random field that covers -reach to +reach along z, y and x."""
    origin = -(max(reach_mm) + MARGIN * step_mm)
    shape = [int(np.ceil((reach - origin) / step_mm)) + MARGIN for reach in reach_mm]
    return SmoothField(generator.standard_normal(shape, dtype=np.float32), step_mm, origin)


def ramp(distance_mm: Float[np.ndarray, "*grid"], width_mm: float) -> Float[np.ndarray, "*grid"]:
    """0 outside, 1 inside, linear across a border of `width_mm`: what a voxel on the border holds of both tissues."""
    return np.clip(distance_mm / np.float32(width_mm) + np.float32(0.5), 0, 1)


def blend(
    image: Float[np.ndarray, "*grid"], level: float | Float[np.ndarray, "*grid"], share: Float[np.ndarray, "*grid"]
) -> Float[np.ndarray, "*grid"]:
    """`image` where `share` is 0, `level` where it is 1."""
    return image + (np.asarray(level, dtype=np.float32) - image) * share
