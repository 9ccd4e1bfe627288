from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from kedro.io import DataCatalog, DatasetError

from gliocast.datasets.imaging import ImagingDataset
from gliocast.errors import ConfigurationError, Problem
from gliocast.refusals import faulty_entries, input_error, users_error

WRONG = ConfigurationError(Problem("–", "seed", "-1", "0 or more", "Correct it."))


def test_an_error_that_kedro_wraps_is_the_user_s():
    with pytest.raises(DatasetError) as wrapped:
        raise DatasetError("Failed while saving") from WRONG
    assert input_error(wrapped.value) is WRONG


def test_a_bug_of_ours_while_a_wrong_input_is_told_is_no_user_s_error():
    with pytest.raises(KeyError) as bug:
        try:
            raise WRONG
        except ConfigurationError:
            {}["a bug of ours"]
    assert users_error(bug.value) is None


def test_a_slip_in_the_entry_of_the_images_is_told_with_the_page_that_has_its_arguments():
    entry = {"type": "gliocast.datasets.ImagingDataset", "filepath": "mri", "volume": ["<patient_id>/t1.nii"]}
    (problem,) = faulty_entries(["imaging"], DataCatalog.from_config({"imaging": entry}))
    assert "'volume'" in problem.found and "docs/how-to/swap-data.md" in problem.remedy
    page = (Path(__file__).parents[2] / "docs/how-to/swap-data.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in set(inspect.signature(ImagingDataset).parameters) - {"metadata"})
