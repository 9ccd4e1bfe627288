"""What leaves the imaging room: a patient's nine slices, and what was found and chosen on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float16

from gliocast.imaging.findings import Finding


@dataclass(frozen=True, eq=False)
class SliceStack:
    """Nine normalised slices of one patient.

    Attributes:
        patient_id: whose.
        pixels: grey values; slices from inferior to superior, rows from anterior to posterior, columns from the
            patient's right to left (axial slices).
        lesion: where the lesion mask, or the localiser, saw lesion; all False where nothing is known.
        record: one row of the slice manifest, without `patient_id` and `sha256`.
        doubts: findings that did not exclude the patient.
    """

    patient_id: str
    pixels: Float16[np.ndarray, "slices height width"]
    lesion: Bool[np.ndarray, "slices height width"]
    record: Mapping[str, Any] = field(default_factory=dict)
    doubts: tuple[Finding, ...] = ()

    @property
    def sha256(self) -> str:
        """SHA-256 of the pixels' bytes."""
        return stack_sha256(self.pixels)


def stack_sha256(pixels: Float16[np.ndarray, "slices height width"]) -> str:
    """SHA-256 of a stack's pixels: little-endian half precision, slice by slice, row by row."""
    return hashlib.sha256(np.ascontiguousarray(pixels, dtype="<f2").tobytes()).hexdigest()
