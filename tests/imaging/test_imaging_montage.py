from __future__ import annotations

import errno
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from gliocast.datasets.montage import MontageDataset
from gliocast.datasets.secret_key import SecretKeyDataset
from gliocast.datasets.slice_stacks import SliceStacksDataset
from gliocast.imaging.montage import Montage, doubt_of, slice_quality
from gliocast.imaging.storage import SliceStackStore
from gliocast.persistence.pseudonyms import pseudonym
from gliocast.pipelines.preprocessing.imaging_nodes import draw_slice_montage, extract_slices, summarise_slices
from gliocast.refusals import input_error
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


def drawn(store: SliceStackStore, root: Path, page_patients: int = 250) -> dict[str, str]:
    """All pages as they lie on the disk, by their path from the first one's folder."""
    _, exclusions = summarise_slices(store, "exclude")
    montage, _, _ = draw_slice_montage(store, exclusions, "a key")
    MontageDataset(str(root / "montage.html")).save(replace(montage, page_patients=page_patients))
    return pages_in(root)


def pages_in(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted(root.rglob("*.html"))}


def shown(page: str) -> list[str]:
    return re.findall(r'<article id="([\w-]+)"', page)


def test_the_page_shows_everyone_the_doubtful_first_and_loads_nothing(store, tmp_path):
    (page,) = drawn(store, tmp_path / "out").values()
    names = {who: pseudonym(who, "a key") for who in ("P1", "P2", "P3")}
    assert shown(page) == [names["P2"], names["P1"]]
    assert not re.search(r"\bP[123]\b", re.sub(r'base64,[^"]*', "", page))
    assert page.count("data:image/jpeg;base64,") == 2
    assert "shifted at the end" in page
    assert names["P3"] in page
    assert not re.search(r'(src|href)="(?!data:)', page)


@pytest.mark.parametrize(
    ("who", "reason", "of_others"),
    [
        ("0017", "no volume; expected sub0017/t1gd.nii.gz or P0017_t1.nii", 0),
        ("ab", "no volume; expected ab1/t1gd.nii.gz or 2ab.nii", 0),
        ("17", "no volume; expected 17t1.nii and not 170 or 317", 2),
        ("17", "no volume in sub-17, 17.dcm or scans/17; expected 17 slices, or 17.5 mm", 2),
    ],
)
def test_no_file_s_name_tells_who_has_no_slices(store, who, reason, of_others):
    exclusions = pd.DataFrame({"patient_id": [who], "code": ["image_missing"], "reason": [reason]})
    page = "".join(Montage(store, exclusions, lambda _: "P-x").page(1, lambda _: ""))
    told = re.search(r"<td>(no volume.*?)</td>", page)
    assert told and told[1].count(who) == of_others


def test_many_patients_stand_on_several_pages_in_the_order_of_doubt_and_every_link_leads_to_one(store, tmp_path):
    pages = drawn(store, tmp_path / "out", page_patients=1)
    first, second = pages["montage.html"], next(text for name, text in pages.items() if "page_0002" in name)
    assert [shown(first), shown(second)] == [[pseudonym("P2", "a key")], [pseudonym("P1", "a key")]]
    assert "2 patients on 2 pages" in first
    assert "Without slices" in first and "Without slices" not in second
    for name, text in pages.items():
        assert not re.search(r'src="(?!data:)', text)
        targets = re.findall(r'href="([^"#]+)', text)
        assert targets
        for target in targets:
            assert ((tmp_path / "out" / name).parent / target).is_file()


def test_patients_without_slices_are_paged_like_the_others(store):
    names = [f"X{number}" for number in range(5)]
    exclusions = pd.DataFrame({"patient_id": names, "code": "image_missing", "reason": "no volume"})
    montage = Montage(store, exclusions, str, page_patients=2)  # two patients with slices: one page
    assert montage.n_pages == 3
    pages = ["".join(montage.page(number, str)) for number in (1, 2, 3)]
    assert [re.findall(r"<td>(X\d)</td>", page) for page in pages] == [["X0", "X1"], ["X2", "X3"], ["X4"]]
    assert ["Rows 1 to 2 of 5" in pages[0], "Rows 5 to 5 of 5" in pages[2]] == [True, True]
    assert [len(shown(page)) for page in pages] == [2, 0, 0]
    assert "Page 2 of 3" in pages[1]


def test_the_overview_says_on_which_page_everyone_stands(store, tmp_path):
    first = drawn(store, tmp_path / "out", page_patients=1)["montage.html"]
    index = json.loads(re.search(r'id="index">(.*?)</script>', first).group(1))
    assert index["patients"] == [[pseudonym("P2", "a key"), 1.0, 1.0, 1], [pseudonym("P1", "a key"), 0.0, 1.0, 2]]
    assert [(tmp_path / "out" / link).exists() for link in index["links"]] == [True, True]


def test_pages_that_are_no_longer_needed_disappear(store, tmp_path):
    drawn(store, tmp_path / "out", page_patients=1)
    drawn(store, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["montage.html"]


def test_a_save_that_fails_leaves_the_old_pages_complete(store, tmp_path, monkeypatch):
    before = drawn(store, tmp_path / "out", page_patients=1)
    with monkeypatch.context() as patch:
        patch.setattr("gliocast.imaging.montage.PICTURE_PX", 50)
        patch.setattr("gliocast.imaging.montage_html.excluded_table", lambda *_: 1 / 0)
        with pytest.raises(Exception, match="division by zero"):
            drawn(store, tmp_path / "out", page_patients=1)
    assert pages_in(tmp_path / "out") == before
    assert drawn(store, tmp_path / "out", page_patients=1) == before


def test_the_fingerprint_changes_with_any_page(store, tmp_path):
    pages = drawn(store, tmp_path / "out", page_patients=1)
    dataset = MontageDataset(str(tmp_path / "out" / "montage.html"))
    before = dataset.fingerprint()
    drawn(store, tmp_path / "out", page_patients=1)
    assert dataset.fingerprint() == before
    (tmp_path / "out" / next(name for name in pages if "page_" in name)).write_text("edited by hand")
    assert dataset.fingerprint() != before


def test_a_page_is_drawn_from_a_few_patients_at_a_time(store, monkeypatch):
    loaded: list[int] = []
    load = SliceStackStore.load
    monkeypatch.setattr(SliceStackStore, "load", lambda self, who: loaded.append(len(who)) or load(self, who))
    monkeypatch.setattr("gliocast.imaging.montage.IN_MEMORY", 1)
    montage = Montage(store, store.refused.assign(reason=""), str)
    pieces = list(montage.page(1, str))
    assert loaded == [1, 1]
    assert sum("<article" in piece for piece in pieces) == 2


def test_the_page_of_an_empty_cohort_is_a_page(tmp_path):
    site = Site(tmp_path / "site")
    dataset = SliceStacksDataset(str(tmp_path / "slice_stacks"))
    dataset.save(extract_slices(site.source, pd.DataFrame({"patient_id": []}), site.parameters, "none", "exclude"))
    (page,) = drawn(dataset.load(), tmp_path / "out").values()
    assert "0 patients" in page


def test_an_image_of_nobody_in_the_cohort_counts_as_no_patient_without_slices(store):
    others = pd.DataFrame({"patient_id": ["X1", "X2"], "code": ["patient_missing"] * 2, "reason": [""] * 2})
    exclusions = pd.concat([store.refused.assign(reason=""), others])
    page = "".join(Montage(store, exclusions, str).page(1, str))
    figure = slice_quality(store.manifest, exclusions)
    assert "2 patients with nine slices each, 1 without. 2 images of nobody in the cohort." in page
    assert figure["layout"]["title"]["text"].endswith("; 2 images of nobody in the cohort")
    assert figure["data"][0]["x"] == slice_quality(store.manifest, store.refused)["data"][0]["x"]


def test_the_figure_counts_and_names_nobody(store):
    figure = slice_quality(store.manifest, store.refused)
    counts = dict(zip(figure["data"][0]["y"], figure["data"][0]["x"], strict=True))
    assert (counts["mask"], counts["localiser, unsure"], counts["none: image_missing"]) == (2, 0, 1)
    assert "mask: 2; chosen by hand: 0; " in figure["layout"]["meta"]["alt"]
    assert "P1" not in str(figure)


def test_there_is_no_figure_of_the_slices_where_no_images_were_read(store):
    assert slice_quality(store.manifest.iloc[:0], store.refused.iloc[:0])["data"] == []


@pytest.mark.parametrize(("doubt_below", "n_unsure"), [(0.0, 0), (1.0, 1)])
def test_who_is_unsure_in_the_figure_is_so_by_the_configured_confidence(tmp_path, doubt_below, n_unsure):
    site, grid = Site(tmp_path, slice_parameters(size_px=16)), a_grid(shape=(48, 48, 48), spacing_mm=(4.0, 4.0, 4.0))
    head = ellipsoid(grid, (3.0, -7.0, 20.0), (70.0, 85.0, 70.0))
    lesion = ellipsoid(grid, (30.0, -7.0, 20.0), (16.0, 16.0, 16.0))
    site.add("P1", grid, 100.0 * head + 100.0 * lesion)
    site.parameters = slice_parameters(size_px=16, localiser__doubt_below=doubt_below)
    dataset = SliceStacksDataset(str(tmp_path / "slice_stacks"))
    cohort = pd.DataFrame({"patient_id": ["P1"]})
    dataset.save(extract_slices(site.source, cohort, site.parameters, "cnn", "exclude"))
    store = dataset.load()
    figure = slice_quality(store.manifest, store.refused)
    counts = dict(zip(figure["data"][0]["y"], figure["data"][0]["x"], strict=True))
    assert (counts["localiser, sure"], counts["localiser, unsure"]) == (1 - n_unsure, n_unsure)


def test_findings_and_shifts_add_to_the_doubt():
    manifest = pd.DataFrame(
        {
            "confidence": [1.0, 0.3, 1.0],
            "doubts": ["", "a: b; expected c\nd: e; expected f", ""],
            "shifted": [False, False, True],
        }
    )
    assert np.allclose(doubt_of(manifest), [0.0, 2.7, 1.0])


def test_a_full_disk_is_told_in_our_words_and_leaves_the_old_pages(store, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = drawn(store, tmp_path / "out", page_patients=1)
    monkeypatch.setattr("gliocast.datasets.montage.write_pieces", full)
    with pytest.raises(DatasetError) as raised:
        drawn(store, tmp_path / "out", page_patients=2)
    assert "No space left on device; expected a writable disk" in str(input_error(raised.value))
    assert pages_in(tmp_path / "out") == before


def test_a_pseudonym_depends_on_the_key_and_the_key_is_made_once_for_its_owner_alone(tmp_path):
    dataset = SecretKeyDataset(str(tmp_path / "local/pseudonym.key"))
    key = dataset.load()
    assert key == dataset.load()
    assert (tmp_path / "local/pseudonym.key").stat().st_mode & 0o077 == 0
    assert pseudonym("P1", key) == pseudonym("P1", key) != pseudonym("P1", "another key")
