"""Real studies: cut by their masks, and found without them."""

from __future__ import annotations

import numpy as np
import pytest

from gliocast.imaging.lesion import Lesion, area_profile, largest_section_mm
from gliocast.imaging.localiser import locate_lesion
from gliocast.imaging.masks import read_lesion
from gliocast.imaging.source import ImageSource
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.study import extract_stack, open_volume
from gliocast.imaging.volume import Volume
from imaging_phantoms import slice_parameters
from project_copy import DATA_ROOT

pytestmark = pytest.mark.realdata
PROGRESSION = DATA_ROOT / "brain_tumor_progression"
PARAMETERS = slice_parameters(size_px=64, field_of_view_mm=256.0)


def progression(when: str) -> ImageSource:
    """Twelve volumes; their headers claim 1 mm, which is false."""
    patterns = (f"<patient_id>/{when}_Scan_T1.nii.gz",), (f"<patient_id>/{when}_Mask.nii.gz",)
    return ImageSource(PROGRESSION, *patterns, spacing_mm=(0.9375, 0.9375, 6.5))


SOURCES = [
    progression("Pre"),
    progression("Post"),
    ImageSource(DATA_ROOT / "pyradiomics_brain", ("<patient_id>_image.nrrd",), ("<patient_id>_label.nrrd",)),
    ImageSource(DATA_ROOT / "tcga_lgg", ("<patient_id>_t1c_bet.nii.gz",), ("<patient_id>_seg_fusion_simple.nii.gz",)),
]


def studies() -> list[tuple[Volume, Lesion]]:
    if not PROGRESSION.is_dir():
        pytest.skip(f"no volumes in {DATA_ROOT}")
    found = []
    for source in SOURCES:
        for patient_id in source.patient_ids():
            study = source.study(patient_id)
            volume = open_volume(study, PARAMETERS)
            assert study.lesion_mask is not None
            lesion = read_lesion(study.lesion_mask, (), volume, PARAMETERS.geometry, study.spacing_mm)
            found.append((volume, lesion))
    return found


def overlaps(centre_mm: float, lesion: Lesion, volume: Volume) -> bool:
    """Whether nine slices of 1 mm around a position meet the lesion's slices."""
    positions, areas = area_profile(lesion, 2)
    half = volume.grid.spacing_mm[2] / 2
    return bool(
        centre_mm + 4 >= positions[areas > 0].min() - half and centre_mm - 4 <= positions[areas > 0].max() + half
    )


def brightest_mm(volume: Volume) -> float:
    i, j, k = volume.grid.shape
    greys = volume.read((slice(0, i), slice(0, j), slice(0, k))).mean(axis=(0, 1))
    return float(volume.grid.to_mm(np.array([0.0, 0.0, float(greys.argmax())]))[2])


def test_the_localiser_finds_real_lesions_better_than_its_rivals():
    rows = []
    for volume, lesion in studies():
        true_mm, _ = largest_section_mm(lesion, 2, volume.grid)
        guesses = (
            locate_lesion(volume, PARAMETERS).centre_mm,
            float(np.mean(volume.grid.span_mm(2))),
            brightest_mm(volume),
        )
        rows.append([(overlaps(guess, lesion, volume), abs(guess - true_mm)) for guess in guesses])
    share = np.array(rows)[:, :, 0].mean(axis=0)
    median_mm = np.median(np.array(rows)[:, :, 1], axis=0)
    assert len(rows) == 14
    assert share[0] >= 0.9 > share[1:].max()
    assert median_mm[0] <= 6.5 < median_mm[1:].min()  # one slice of these volumes


@pytest.mark.parametrize("source", SOURCES, ids=["pre", "post", "pyradiomics", "tcga"])
def test_real_studies_with_masks_become_nine_slices_with_lesion(source):
    if not source.root.is_dir():
        pytest.skip(f"no {source.root.name} in {DATA_ROOT}")
    for patient_id in source.patient_ids():
        stack = extract_stack(source, patient_id, None, PARAMETERS)
        assert isinstance(stack, SliceStack)
        assert stack.lesion[4].any()
        assert stack.pixels.max() == 1.0


def test_a_native_oblique_scan_without_mask_is_cut_and_marked_as_uncertain():
    source = ImageSource(DATA_ROOT / "tcga_lgg", ("<patient_id>_t1c.nii.gz",), ())
    if not source.root.is_dir():
        pytest.skip(f"no tcga_lgg in {DATA_ROOT}")
    stack = extract_stack(source, "tcga-fg-6692", None, PARAMETERS)
    assert isinstance(stack, SliceStack)
    assert stack.record["source"] == "localiser"
