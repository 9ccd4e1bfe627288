from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from gliocast.datasets.secret_key import SecretKeyDataset
from gliocast.datasets.slice_stacks import SliceStacksDataset
from gliocast.imaging.montage import doubt_of, montage_page, slice_quality
from gliocast.imaging.storage import SliceStackStore
from gliocast.persistence.pseudonyms import pseudonym
from gliocast.pipelines.preprocessing.imaging_nodes import draw_slice_montage, extract_slices, summarise_slices
from imaging_phantoms import Site, a_grid, ellipsoid, grey_voxels, slice_parameters


@pytest.fixture
def store(tmp_path) -> SliceStackStore:
    """P1 is well; P2's lesion lies at the volume's end; P3 has no image."""
    site, grid = Site(tmp_path / "site", slice_parameters(size_px=16)), a_grid(shape=(24, 24, 30))
    for patient_id, at_mm in (("P1", 20.5), ("P2", 6.5)):
        site.add(patient_id, grid, grey_voxels(grid) + at_mm)
        site.add_mask(patient_id, grid, ellipsoid(grid, (3.0, -7.0, at_mm), (6.0, 6.0, 1.2)))
    dataset = SliceStacksDataset(str(tmp_path / "slice_stacks"))
    cohort = pd.DataFrame({"patient_id": ["P1", "P2", "P3"]})
    dataset.save(extract_slices(site.source, cohort, site.parameters, "cnn", "exclude"))
    return dataset.load()


def test_the_page_shows_everyone_the_doubtful_first_and_loads_nothing(store):
    _, exclusions = summarise_slices(store, "exclude")
    page, who_is_who, _ = draw_slice_montage(store, exclusions, "a key")
    names = dict(zip(who_is_who["patient_id"], who_is_who["pseudonym"], strict=True))
    assert re.findall(r'<article data-patient="([\w-]+)"', page) == [names["P2"], names["P1"]]
    assert not re.search(r"\bP[123]\b", re.sub(r'base64,[^"]*', "", page))
    assert page.count("data:image/jpeg;base64,") == 2
    assert "shifted at the end" in page
    assert names["P3"] in page
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_the_page_of_an_empty_cohort_is_a_page(tmp_path):
    site = Site(tmp_path / "site")
    dataset = SliceStacksDataset(str(tmp_path / "slice_stacks"))
    dataset.save(extract_slices(site.source, pd.DataFrame({"patient_id": []}), site.parameters, "none", "exclude"))
    _, exclusions = summarise_slices(dataset.load(), "exclude")
    assert "0 patients" in montage_page(dataset.load(), exclusions, str)


def test_the_figure_counts_and_names_nobody(store):
    figure = slice_quality(store.manifest, store.refused)
    counts = dict(zip(figure["data"][0]["y"], figure["data"][0]["x"], strict=True))
    assert (counts["mask"], counts["localiser, unsure"], counts["none: image_missing"]) == (2, 0, 1)
    assert "P1" not in str(figure)


def test_findings_and_shifts_add_to_the_doubt():
    manifest = pd.DataFrame(
        {
            "confidence": [1.0, 0.3, 1.0],
            "doubts": ["", "a: b; expected c\nd: e; expected f", ""],
            "shifted": [False, False, True],
        }
    )
    assert np.allclose(doubt_of(manifest), [0.0, 2.7, 1.0])


def test_a_pseudonym_depends_on_the_key_and_the_key_is_made_once_for_its_owner_alone(tmp_path):
    dataset = SecretKeyDataset(str(tmp_path / "local/pseudonym.key"))
    key = dataset.load()
    assert key == dataset.load()
    assert (tmp_path / "local/pseudonym.key").stat().st_mode & 0o077 == 0
    assert pseudonym("P1", key) == pseudonym("P1", key) != pseudonym("P1", "another key")
