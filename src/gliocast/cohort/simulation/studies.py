"""The imaging studies of a simulated cohort, one patient at a time: what each one is, and how it is written to disk."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gliocast.cohort.simulation.dicom import write_dicom_series
from gliocast.cohort.simulation.parameters import SimulationParameters
from gliocast.cohort.simulation.phantom import Volume, rendered
from gliocast.cohort.simulation.provenance import RECORD_FILE

FORMAT_STREAM = 5  # random stream of a seed; 1 to 4 draw rows, scores, anatomy and noise
ORIENTATIONS = ("RAS", "LPS", "LAS")  # as scanners and converters store them; the patient is the same
BATCH = 8


@dataclass(frozen=True)
class SimulatedStudy:
    """All that one patient's images follow from; the images themselves exist only while they are written."""

    patient_id: str
    index: int
    image_score: float
    scanner_field_t: float
    as_dicom: bool
    seed: int
    fingerprint: str
    simulation: SimulationParameters

    @property
    def orientation(self) -> str:
        """How the volume's axes are stored."""
        return str(np.random.default_rng([self.seed, FORMAT_STREAM, self.index]).choice(ORIENTATIONS))

    def render(self) -> Volume:
        """The volume and its lesion mask."""
        return rendered(self.simulation.geometry, self.image_score, self.scanner_field_t, self.seed, self.index)


@dataclass(frozen=True)
class StudyBatch:
    """Some studies to write, and everyone who belongs to the cohort: other simulated patients are of an older one."""

    studies: tuple[SimulatedStudy, ...]
    cohort: frozenset[str]


def phantoms(truth: Mapping[str, Any]) -> Iterator[StudyBatch]:
    """The studies of the cohort that `truth` describes, in small batches.

    Args:
        truth: the record that `truth.truth` makes.
    """
    simulation = SimulationParameters.model_validate(truth["parameters"])
    patients, seed = truth["patients"], truth["seed"]
    shuffled = np.random.default_rng([seed, FORMAT_STREAM]).permutation(len(patients))
    as_dicom = set(shuffled[: round(simulation.dicom_share * len(patients))].tolist())
    studies = [
        SimulatedStudy(
            patient["patient_id"],
            index,
            patient["image_score"],
            patient["scanner_field_t"],
            index in as_dicom,
            seed,
            truth["fingerprint"],
            simulation,
        )
        for index, patient in enumerate(patients)
    ]
    everyone = frozenset(study.patient_id for study in studies)
    for first in range(0, len(studies), BATCH):
        yield StudyBatch(tuple(studies[first : first + BATCH]), everyone)


def write_study(study: SimulatedStudy, folder: Path) -> None:
    """Write one patient's images into `folder`, with a record that says that they are simulated.

    NIfTI patients get `t1gd.nii.gz`, DICOM patients the series `t1gd/*.dcm`; both get `lesion_mask.nii.gz`.
    """
    import SimpleITK

    volume = study.render()
    image = SimpleITK.DICOMOrient(physical_image(volume, volume.voxels), study.orientation)
    mask = SimpleITK.DICOMOrient(physical_image(volume, volume.lesion_mask), study.orientation)
    if study.as_dicom:
        acquisition = study.simulation.acquisition
        write_dicom_series(
            volume, folder / "t1gd", study.patient_id, study.fingerprint, acquisition, study.scanner_field_t
        )
    else:
        SimpleITK.WriteImage(image, str(folder / "t1gd.nii.gz"), useCompression=True)
    SimpleITK.WriteImage(mask, str(folder / "lesion_mask.nii.gz"), useCompression=True)
    record = json.dumps(study_record(study, volume), indent=1) + "\n"
    (folder / RECORD_FILE).write_text(record, encoding="utf-8")


def study_record(study: SimulatedStudy, volume: Volume) -> dict[str, Any]:
    """What is known of one patient's images; the image score is kept apart from them, in the truth."""
    return {
        "simulated": True,
        "patient_id": study.patient_id,
        "fingerprint": study.fingerprint,
        "format": "dicom" if study.as_dicom else "nifti",
        "largest_section_mm": volume.largest_section_mm,
        "lesion_ml": float(volume.lesion_mask.sum(dtype=np.int64) * np.prod(volume.spacing_mm) / 1000),
    }


def physical_image(volume: Volume, array: Any) -> Any:
    """The array as a SimpleITK image at its place in the scanner; SimpleITK counts x to the left and y backwards."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(volume.spacing_mm)
    x, y, z = volume.origin_mm
    image.SetOrigin((-x, -y, z))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    return image
