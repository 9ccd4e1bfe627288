"""Real studies: cut by their masks, and found without them."""

from __future__ import annotations

import numpy as np
import pytest

from gliocast.imaging.localiser import locate_lesion
from gliocast.imaging.source import ImageSource
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.study import extract_stack
from lesion_volumes import PARAMETERS, REAL, KnownLesion, brightest_mm, known_lesions, middle_mm
from project_copy import DATA_ROOT

pytestmark = pytest.mark.realdata


def studies() -> list[KnownLesion]:
    if not REAL[0].root.is_dir():
        pytest.skip(f"no volumes in {DATA_ROOT}")
    return [known for source in REAL for known in known_lesions(source)]


def test_the_localiser_finds_real_lesions_better_than_its_rivals():
    rows = []
    for known in studies():
        guesses = locate_lesion(known.volume, PARAMETERS).centre_mm, middle_mm(known.volume), brightest_mm(known.volume)
        rows.append([(known.overlaps(guess), abs(guess - known.true_mm)) for guess in guesses])
    share = np.array(rows)[:, :, 0].mean(axis=0)
    median_mm = np.median(np.array(rows)[:, :, 1], axis=0)
    assert len(rows) == 14
    assert share[0] >= 12 / 14 > share[1:].max()
    assert median_mm[0] <= 6.5 < median_mm[1:].min()  # one slice of these volumes


@pytest.mark.parametrize("source", REAL, ids=["pre", "post", "pyradiomics", "tcga"])
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
