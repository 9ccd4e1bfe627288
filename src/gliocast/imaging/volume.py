"""A volume: where its voxels lie is known at once, the voxels themselves are read when asked for."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from gliocast.imaging.findings import Finding
from gliocast.imaging.grid import Grid, Region


@dataclass(frozen=True)
class Origin:
    """Whose image it is, and in which coordinates, as DICOM headers say; compared with a lesion mask's, stored nowhere.

    Attributes:
        patient_digest: of PatientID; empty where the headers name no patient.
        frame_of_reference: FrameOfReferenceUID; empty where there is none.
        series: SeriesInstanceUID.
    """

    patient_digest: str
    frame_of_reference: str
    series: str

    def is_of(self, patient_id: str) -> bool:
        """Whether the headers name this patient."""
        return self.patient_digest == hashlib.sha256(patient_id.encode()).hexdigest()


class Volume(ABC):
    """One three-dimensional image of one patient.

    Attributes:
        name: the file or folder, for messages.
        grid: where the voxels lie.
        origin: whose, and in which coordinates; None where the file does not say so.
        record: what was read and chosen, for the slice manifest.
        doubts: findings that do not exclude the patient.
    """

    name: str
    grid: Grid
    origin: Origin | None = None
    record: Mapping[str, Any]
    doubts: tuple[Finding, ...] = ()

    @abstractmethod
    def read(self, region: Region) -> Float32[np.ndarray, "i j k"]:
        """Grey values of the voxels inside `region`, along the stored axes of `grid`.

        Raises:
            Refused: the voxels cannot be read, or are no grey values.
        """
