"""Volumes whose lesions are known, real and simulated, and how far a guessed position is from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gliocast.imaging.grid import whole
from gliocast.imaging.lesion import Lesion, area_profile, largest_section_mm
from gliocast.imaging.masks import read_mask
from gliocast.imaging.source import ImageSource
from gliocast.imaging.study import open_volume
from gliocast.imaging.volume import Volume
from imaging_phantoms import slice_parameters
from project_copy import DATA_ROOT
from shipped import section

PARAMETERS = slice_parameters(size_px=64, field_of_view_mm=256.0)


def progression(when: str) -> ImageSource:
    """Six volumes; their headers claim 1 mm, which is false."""
    patterns = (f"<patient_id>/{when}_Scan_T1.nii.gz",), (f"<patient_id>/{when}_Mask.nii.gz",)
    return ImageSource(DATA_ROOT / "brain_tumor_progression", *patterns, spacing_mm=(0.9375, 0.9375, 6.5))


REAL = (
    progression("Pre"),
    progression("Post"),
    ImageSource(DATA_ROOT / "pyradiomics_brain", ("<patient_id>_image.nrrd",), ("<patient_id>_label.nrrd",)),
    ImageSource(DATA_ROOT / "tcga_lgg", ("<patient_id>_t1c_bet.nii.gz",), ("<patient_id>_seg_fusion_simple.nii.gz",)),
)


@dataclass(frozen=True, eq=False)
class KnownLesion:
    """One volume of a patient, who may have several, with the lesion that the localiser does not see."""

    patient: str
    volume: Volume
    lesion: Lesion

    @property
    def true_mm(self) -> float:
        """Where the lesion's cross-section is largest, mm."""
        return largest_section_mm(self.lesion, 2, self.volume.grid)[0]

    def overlaps(self, centre_mm: float) -> bool:
        """Whether nine slices of 1 mm around a position meet the lesion's slices."""
        positions, areas = area_profile(self.lesion, 2)
        inside, half = positions[areas > 0], self.volume.grid.spacing_mm[2] / 2
        return bool(centre_mm + 4 >= inside.min() - half and centre_mm - 4 <= inside.max() + half)


def known_lesions(source: ImageSource) -> Iterator[KnownLesion]:
    """Everyone in `source` who has a lesion mask."""
    for patient_id in source.patient_ids():
        study = source.study(patient_id)
        assert study.lesion_mask is not None
        volume = open_volume(study, PARAMETERS)
        lesion = read_mask(study.lesion_mask, (), PARAMETERS.geometry, study.spacing_mm)(volume)
        yield KnownLesion(f"{source.root.name}/{patient_id}", volume, lesion)


def middle_mm(volume: Volume) -> float:
    """A simple rival: the middle of the volume."""
    return float(np.mean(volume.grid.span_mm(2)))


def brightest_mm(volume: Volume) -> float:
    """Another: the slice with the largest mean."""
    stored = volume.grid.stored_axis(2)
    others = tuple(axis for axis in range(3) if axis != stored)
    index = np.zeros(3)
    index[stored] = volume.read(whole(volume.grid)).mean(axis=others).argmax()
    return float(volume.grid.to_mm(index)[2])


def simulate(root: Path, n_patients: int, seed: int = 0) -> ImageSource:
    """Patients of the simulated cohort, in the demo profile's geometry.

    The localiser's rule was chosen on seed 1, with figures of seed 0 in sight.
    """
    from gliocast.cohort.simulation.parameters import PaperParameters, SimulationParameters
    from gliocast.cohort.simulation.studies import phantoms, write_study
    from gliocast.cohort.simulation.truth import truth

    paper = PaperParameters.model_validate(section("paper"))
    simulation = SimulationParameters(**section("simulation") | {"n_patients": n_patients})
    for batch in phantoms(truth(paper.table1, paper.figure1, simulation, seed=seed)):
        for study in batch.studies:
            (root / study.patient_id).mkdir(parents=True)
            write_study(study, root / study.patient_id)
    return ImageSource(root)
