from __future__ import annotations

import os
from pathlib import Path

import pytest

from gliocast.datasets.imaging import ImagingDataset
from gliocast.errors import ImagingError
from gliocast.imaging.findings import Finding, Refused, RefusedPatient
from gliocast.imaging.source import ImageSource
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.study import extract_stack
from imaging_phantoms import Site, a_grid, grey_voxels, slice_parameters


def touched(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_the_default_layout_is_one_folder_a_patient(tmp_path):
    touched(tmp_path, "P1/t1gd.nii.gz", "P1/lesion_mask.nii.gz", "P2/t1gd/slice.dcm", "P3/other.nii.gz", "notes.txt")
    source = ImageSource(tmp_path)
    assert source.patient_ids() == ("P1", "P2")
    assert source.study("P1").lesion_mask == tmp_path / "P1/lesion_mask.nii.gz"
    assert source.study("P2").volume == tmp_path / "P2/t1gd"
    with pytest.raises(Refused, match="<patient_id>/t1gd"):
        source.study("P3")


@pytest.mark.parametrize("place", ["t1gd", "t1gd/part1", "lesion_mask"])
def test_a_link_out_of_the_imaging_folder_is_refused_within_a_series_too(tmp_path, place):
    root = touched(tmp_path / "imaging", "P1/t1gd/1.dcm", "P1/lesion_mask/seg.dcm", "P2/t1gd/1.dcm")
    link = root / "P1" / place / "2.dcm"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(touched(tmp_path, "elsewhere.dcm") / "elsewhere.dcm")
    with pytest.raises(Refused, match="a link out of the imaging folder"):
        ImageSource(root).study("P1")
    link.unlink()
    link.symlink_to(root / "P2/t1gd/1.dcm")
    assert ImageSource(root).study("P1").volume == root / "P1/t1gd"


def test_only_links_of_a_series_are_followed_to_where_they_lead(tmp_path, monkeypatch):
    root = touched(tmp_path, *(f"P1/t1gd/{number}.dcm" for number in range(200)))
    (root / "P1/t1gd/link.dcm").symlink_to(root / "P1/t1gd/1.dcm")
    asked, realpath = [], os.path.realpath
    monkeypatch.setattr(os.path, "realpath", lambda path, **options: asked.append(path) or realpath(path, **options))
    ImageSource(root).study("P1")
    assert [Path(path).name for path in asked if str(path).endswith(".dcm")] == ["link.dcm"]


def test_upenn_gbm_is_read_as_downloaded(tmp_path):
    root = "images_structural/UPENN-GBM-00001_11/UPENN-GBM-00001_11_T1GD.nii.gz"
    touched(tmp_path, root, "images_segm/UPENN-GBM-00001_11_segm.nii.gz")
    source = ImageSource(
        tmp_path,
        ("images_structural/<patient_id>/<patient_id>_T1GD.nii.gz",),
        ("images_segm/<patient_id>_segm.nii.gz",),
    )
    assert source.patient_ids() == ("UPENN-GBM-00001_11",)
    assert source.study("UPENN-GBM-00001_11").lesion_mask is not None


def test_ucsf_pdgm_writes_its_numbers_with_another_width_in_the_table(tmp_path):
    touched(tmp_path, "UCSF-PDGM-0004_nifti/UCSF-PDGM-0004_T1c.nii.gz")
    pattern = "UCSF-PDGM-<number:4>_nifti/UCSF-PDGM-<number:4>_T1c.nii.gz"
    source = ImageSource(tmp_path, (pattern,), (), patient_id="UCSF-PDGM-<number:3>")
    assert source.patient_ids() == ("UCSF-PDGM-004",)
    assert source.study("UCSF-PDGM-004").volume.name == "UCSF-PDGM-0004_T1c.nii.gz"


def test_a_star_stands_for_any_text_within_one_name(tmp_path):
    touched(tmp_path, "TCGA-02-0006/TCGA-02-0006_1996.08.23_t1Gd.nii.gz")
    source = ImageSource(tmp_path, ("<patient_id>/<patient_id>_*_t1Gd.nii.gz",), ())
    assert source.patient_ids() == ("TCGA-02-0006",)
    assert source.study("TCGA-02-0006").volume.is_file()


@pytest.mark.parametrize(("pattern", "other"), [("T1 [post]*.nii", "T1 p.nii"), ("T1 gd?*.nii", "T1 gdx.nii")])
def test_brackets_and_question_marks_of_a_pattern_are_those_of_the_name(tmp_path, pattern, other):
    named = pattern.replace("*", "_a")
    touched(tmp_path, f"P1/{named}", f"P1/{other}")
    source = ImageSource(tmp_path, (f"<patient_id>/{pattern}",), ())
    assert source.study("P1").volume == tmp_path / "P1" / named


STARRED = ("<patient_id>/*_t1.nii.gz",), ("<patient_id>/*_mask.nii.gz",)


def told(source: ImageSource, patient_id: str = "P1") -> list[str]:
    """What a user reads of a patient who is refused."""
    refused = extract_stack(source, patient_id, None, slice_parameters())
    assert isinstance(refused, RefusedPatient)
    return [str(finding.problem(patient_id)) for finding in refused.findings]


def test_a_file_that_a_star_has_found_is_called_by_its_pattern(tmp_path):
    touched(tmp_path, "P1/DUPONT_1931.12.24_t1.nii.gz", "P1/DUPONT_mask.nii.gz")
    (message,) = told(ImageSource(tmp_path, *STARRED))
    assert message.startswith("P1: *_t1.nii.gz: ")


def test_several_files_that_a_star_has_found_are_counted_and_not_named(tmp_path):
    touched(tmp_path, "P1/DUPONT_t1.nii.gz", "P1/DURAND_t1.nii.gz")
    (message,) = told(ImageSource(tmp_path, *STARRED))
    assert message.startswith("P1: volume: <patient_id>/*_t1.nii.gz (2 found); expected one.")


@pytest.mark.parametrize(
    ("files", "code", "where", "rest"),
    [
        (("scans/0017_t1.nii",), "unreadable", "<number:4>_t1.nii", ""),
        (("scans/0018_t1.nii",), "image_missing", "imaging", "scans/<number:4>_t1.nii or scans/<number:4>"),
        (("scans/0017_t1.nii", "scans/0017/1.dcm"), "several_volumes", "volume", ""),
    ],
)
def test_the_number_of_a_patient_in_a_file_s_name_is_told_as_the_pattern_has_it(tmp_path, files, code, where, rest):
    """The montage puts the pseudonym in place of the whole identifier alone, and 0017 tells who sub-17 is, too."""
    touched(tmp_path, *files)
    patterns = ("scans/<number:4>_t1.nii", "scans/<number:4>/")
    source = ImageSource(tmp_path, patterns, (), patient_id="sub-<number:2>")
    refused = extract_stack(source, "sub-17", None, slice_parameters())
    (finding,) = refused.findings
    assert (finding.code, finding.where) == (code, where)
    assert "17" not in str(finding) and rest in finding.expected


@pytest.mark.parametrize(
    ("file", "code", "where", "rest"),
    [
        ("subK7.nii", "unreadable", "sub<patient_id>.nii", ""),
        ("subK8.nii", "image_missing", "imaging", "sub<patient_id>.nii or <patient_id>t1/scan.nii"),
    ],
)
def test_an_identifier_within_a_longer_word_is_told_as_the_pattern_has_it(tmp_path, file, code, where, rest):
    """The montage finds no K7 to put the pseudonym for in subK7, where it may be a part of another word."""
    patterns = ("sub<patient_id>.nii", "<patient_id>t1/scan.nii")
    refused = extract_stack(ImageSource(touched(tmp_path, file), patterns, ()), "K7", None, slice_parameters())
    (finding,) = refused.findings
    assert (finding.code, finding.where) == (code, where)
    assert "K7" not in str(finding) and rest in finding.expected


def test_a_folder_called_by_a_number_is_told_by_its_pattern_and_equal_counts_stay(tmp_path):
    study = ImageSource(touched(tmp_path, "17/1.dcm"), ("<patient_id>/",), ()).study("17")
    found = Finding("code", "ImageOrientationPatient in 17", "none of 17 series", "17 slices")
    (told_of,) = study.told([found])
    assert str(told_of) == "ImageOrientationPatient in <patient_id>: none of 17 series; expected 17 slices"


def test_a_number_that_a_star_has_found_is_named_as_a_file_of_a_series_is(tmp_path):
    touched(tmp_path, "P1/IM0012")
    assert ImageSource(tmp_path, ("<patient_id>/*",), ()).study("P1").shown == {}


def test_a_doubt_about_a_file_that_a_star_has_found_calls_it_by_its_pattern(tmp_path):
    grid = a_grid(shape=(24, 24, 30), spacing_mm=(2.0, 2.0, 1.0))
    Site(tmp_path).add("P1", grid, grey_voxels(grid))
    (tmp_path / "P1/t1gd.nii.gz").rename(tmp_path / "P1/DUPONT_t1.nii.gz")
    stack = extract_stack(ImageSource(tmp_path, *STARRED), "P1", None, slice_parameters())
    assert isinstance(stack, SliceStack)
    assert [doubt.where for doubt in stack.doubts] == ["*_t1.nii.gz"]


def test_an_absent_folder_is_named(tmp_path):
    with pytest.raises(ImagingError, match="absent"):
        ImageSource(tmp_path / "nowhere").patient_ids()


def test_the_fingerprint_changes_with_names_sizes_and_times(tmp_path):
    dataset = ImagingDataset(str(touched(tmp_path, "P1/t1gd.nii.gz")))
    before = dataset.fingerprint()
    assert dataset.fingerprint() == before
    (tmp_path / "P1/t1gd.nii.gz").write_bytes(b"more")
    changed = dataset.fingerprint()
    touched(tmp_path, "P2/t1gd.nii.gz")
    assert len({before, changed, dataset.fingerprint()}) == 3


def test_the_fingerprint_outlives_a_link_to_nothing_and_changes_when_it_is_mended(tmp_path):
    dataset = ImagingDataset(str(touched(tmp_path, "P1/t1gd.nii.gz")))
    (tmp_path / "notes.txt").symlink_to(tmp_path / "nowhere")
    before = dataset.fingerprint()
    touched(tmp_path, "nowhere")
    assert dataset.fingerprint() != before


def test_the_fingerprint_changes_when_a_link_leads_to_another_folder(tmp_path):
    dataset = ImagingDataset(str(touched(tmp_path, "store/first/t1gd.nii.gz", "store/second/t1gd.nii.gz")))
    (tmp_path / "P1").symlink_to(tmp_path / "store/first")
    before = dataset.fingerprint()
    (tmp_path / "P1").unlink()
    (tmp_path / "P1").symlink_to(tmp_path / "store/second")
    assert dataset.source.study("P1").volume.is_file()
    assert dataset.fingerprint() != before


def test_the_fingerprint_changes_when_access_is_given(tmp_path, monkeypatch):
    dataset = ImagingDataset(str(touched(tmp_path, "P1/t1gd.nii.gz")))
    with monkeypatch.context() as closed:
        closed.setattr(os, "access", lambda path, mode: False)
        before = dataset.fingerprint()
    assert dataset.fingerprint() != before
