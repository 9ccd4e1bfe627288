"""The guard against copies, on real heads: two dates of one patient are two images, a changed copy is not."""

from __future__ import annotations

import numpy as np
import pytest

from gliocast.errors import LeakageError
from gliocast.evidence.guard import check_distinct_slices

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def heads(data_root):
    """Nine central slices of six glioblastoma patients at two dates, doi:10.7937/K9/TCIA.2018.15quzvnb."""
    import SimpleITK

    files = sorted((data_root / "brain_tumor_progression").glob("*/*_Scan_T1.nii.gz"))
    volumes = [SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(file))) for file in files]
    return np.stack([volume[len(volume) // 2 - 4 : len(volume) // 2 + 5] for volume in volumes]).astype(np.float32)


def check(stacks):
    names = [f"P{number:02d}" for number in range(len(stacks))]
    check_distinct_slices(names, lambda some: stacks[[names.index(name) for name in some]])


def test_two_dates_of_one_patient_are_not_one_image(heads):
    assert heads.shape == (12, 9, 256, 256)
    check(heads)


COPIES = {
    "eight_bits": lambda head: np.round(head / head.max() * 255),
    "other_grey_values": lambda head: 40 + 3 * head,
    "noise": lambda head: head + np.random.default_rng(1).normal(0, 0.05 * head.max(), head.shape),
    "a_pixel_to_the_side": lambda head: np.roll(head, 1, axis=2),
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES.keys())
def test_a_changed_copy_of_any_head_is_found(heads, change):
    for number, head in enumerate(heads):
        with pytest.raises(LeakageError, match=f"P{number:02d} = P12"):
            check(np.concatenate([heads, change(head)[None]]).astype(np.float32))
