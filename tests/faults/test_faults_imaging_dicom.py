"""Faults 20 to 24: what is wrong with DICOM series and their segmentations."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pydicom
import pytest

from closed_paths import close
from gliocast.imaging.dicom_volume import DicomVolume
from gliocast.imaging.findings import RefusedPatient
from gliocast.imaging.source import ImageSource
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.study import extract_stack
from imaging_dicom import write_enhanced, write_segmentation, write_series
from imaging_phantoms import Site, a_grid, ellipsoid, grey_voxels, slice_parameters
from project_copy import DATA_ROOT

GRID = a_grid("LPS", (24, 24, 30))


def codes(site: Site) -> list[str]:
    refused = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert isinstance(refused, RefusedPatient), "the patient was accepted"
    return [finding.code for finding in refused.findings]


def a_series(site: Site, **options) -> list:
    return write_series(site.root / "P1" / "t1gd", GRID, np.round(grey_voxels(GRID)), **options)


def moved(index: int, by_mm: tuple[float, float, float]):
    """Move one slice of the series."""

    def change(at: int, header: pydicom.Dataset) -> None:
        if at == index:
            header.ImagePositionPatient = [
                float(a) + b for a, b in zip(header.ImagePositionPatient, by_mm, strict=True)
            ]

    return change


def deflate(file: Path, padding_bytes: int) -> None:
    header = pydicom.dcmread(file)
    header.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    header.private_block(0x0019, "padding", create=True).add_new(0x01, "OB", bytes(padding_bytes))
    header.save_as(file, enforce_file_format=True)


@pytest.mark.parametrize("preamble", [True, False])
def test_15_a_small_dicom_file_that_unpacks_to_a_large_one_is_refused_before_it_fills_the_memory(
    tmp_path, monkeypatch, preamble
):
    monkeypatch.setattr("gliocast.imaging.dicom_tags.DEFLATED_LIMIT", 1 << 20, raising=False)
    site = Site(tmp_path)
    file = a_series(site)[0]
    deflate(file, 1 << 19)
    assert isinstance(extract_stack(site.source, "P1", 20.0, site.parameters), SliceStack)
    deflate(file, 1 << 21)
    file.write_bytes(file.read_bytes()[0 if preamble else 132 :])
    assert file.stat().st_size < 8000
    assert codes(site)[0] == "unreadable"


def test_20_a_missing_slice_is_named_by_its_neighbours(tmp_path):
    site = Site(tmp_path)
    a_series(site)[12].unlink()
    refused = extract_stack(site.source, "P1", 20.0, site.parameters)
    (finding,) = refused.findings
    assert (finding.code, finding.where, finding.found) == (
        "missing_slice",
        "instances 12 and 14",
        "1 missing between them",
    )


def test_20_a_duplicated_position_is_refused(tmp_path):
    site = Site(tmp_path)
    a_series(site, change=moved(12, (0.0, 0.0, 1.0)))
    assert codes(site) == ["duplicate_position", "missing_slice"]


def test_20_uneven_slices_are_refused_beyond_one_percent(tmp_path):
    site = Site(tmp_path / "uneven")
    a_series(site, change=moved(12, (0.0, 0.0, 0.03)))
    assert codes(site) == ["uneven_slices"]
    site = Site(tmp_path / "rounded")
    a_series(site, change=moved(12, (0.0, 0.0, 0.005)))
    assert not isinstance(extract_stack(site.source, "P1", 20.0, site.parameters), RefusedPatient)


def test_20_a_slice_shifted_within_its_plane_is_refused(tmp_path):
    site = Site(tmp_path)
    a_series(site, change=moved(12, (0.0, 2.0, 0.0)))
    assert codes(site) == ["gantry_tilt"]


def test_20_a_turned_slice_is_refused(tmp_path):
    def turn(index: int, header: pydicom.Dataset) -> None:
        if index == 12:
            header.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    site = Site(tmp_path)
    a_series(site, change=turn)
    assert codes(site) == ["mixed_orientation"]


def test_20_a_slice_with_pixels_of_another_size_is_refused(tmp_path):
    def scale(index: int, header: pydicom.Dataset) -> None:
        if index == 12:
            header.PixelSpacing = [float(value) * 1.01 for value in header.PixelSpacing]

    site = Site(tmp_path)
    a_series(site, change=scale)
    assert codes(site) == ["mixed_spacing"]


def test_20_rows_and_columns_at_no_right_angle_are_refused(tmp_path):
    site = Site(tmp_path)
    a_series(site, ImageOrientationPatient=[1, 0, 0, 0.1, 0.995, 0])
    assert codes(site) == ["bad_orientation"]


def test_20_what_is_even_is_told_by_the_distance_of_the_slices(tmp_path):
    grid = a_grid(shape=(24, 24, 12), spacing_mm=(2.0, 2.0, 3.0))
    write_series(tmp_path / "t1gd", grid, np.round(grey_voxels(grid)), change=moved(1, (0.0, 0.0, 0.02)))
    volume = DicomVolume(tmp_path / "t1gd", slice_parameters())
    assert volume.grid.span_mm(2) == pytest.approx(grid.span_mm(2))
    assert volume.grid.spacing_mm[2] == pytest.approx(3.0)  # the mean: of the first two slices it is 3.02


def test_20_slices_of_different_sizes_are_refused(tmp_path):
    def crop(index: int, header: pydicom.Dataset) -> None:
        if index == 12:
            header.Rows, header.PixelData = 20, header.PixelData[: 20 * 24 * 2]

    site = Site(tmp_path)
    a_series(site, change=crop)
    assert codes(site) == ["mixed_shapes"]


def test_20_two_series_in_one_folder_are_not_mixed(tmp_path):
    site = Site(tmp_path)
    a_series(site)
    a_series(site)
    assert codes(site) == ["several_series"]


@pytest.mark.parametrize(
    ("acquisition_of", "doubts"),
    [(lambda index: 1 + index % 2, ["mixed_acquisitions"]), (lambda index: 1 + index // 15, [])],
    ids=["between each other", "one behind the other"],
)
def test_20_two_acquisitions_half_a_slice_apart_are_a_doubt(tmp_path, acquisition_of, doubts):
    def number(index: int, header: pydicom.Dataset) -> None:
        header.AcquisitionNumber = acquisition_of(index)

    site = Site(tmp_path)
    a_series(site, change=number)
    result = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert [finding.code for finding in result.doubts] == doubts


def test_20_two_patients_in_one_folder_are_refused_though_only_one_has_an_eligible_series(tmp_path):
    site = Site(tmp_path)
    a_series(site, SeriesDescription="t1 gd", PatientID="A")
    a_series(site, SeriesDescription="t2 tse", PatientID="B")
    assert codes(site) == ["mixed_patients"]


def test_20_a_series_that_names_no_patient_is_none_of_a_second_one(tmp_path):
    site = Site(tmp_path)
    a_series(site, SeriesDescription="t1 gd", PatientID="A")
    a_series(site, SeriesDescription="t2 tse", PatientID="")
    assert isinstance(extract_stack(site.source, "P1", 20.0, site.parameters), SliceStack)


def test_20_a_series_of_fewer_than_nine_slices_is_refused(tmp_path):
    site = Site(tmp_path)
    for file in a_series(site)[8:]:
        file.unlink()
    assert codes(site) == ["too_few_slices"]


def test_21_a_file_cut_in_its_header_is_named(tmp_path):
    site = Site(tmp_path)
    cut = cut_at_the_header(site, "IM0013.dcm")
    refused = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert (refused.findings[0].code, refused.findings[0].where) == ("unreadable", cut.name)


@pytest.mark.parametrize("kept", [slice(0, 0), slice(1, None)])
def test_21_an_enhanced_file_that_does_not_place_each_frame_is_refused(tmp_path, kept):
    site = Site(tmp_path)
    file = write_enhanced(site.root / "P1" / "t1gd" / "IM0001.dcm", GRID, np.round(grey_voxels(GRID)))
    header = pydicom.dcmread(file)
    header.PerFrameFunctionalGroupsSequence = header.PerFrameFunctionalGroupsSequence[kept]
    header.save_as(file)
    refused = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert isinstance(refused, RefusedPatient)
    assert [str(finding) for finding in refused.findings] == [
        "IM0001.dcm: no PerFrameFunctionalGroupsSequence with an item a frame; expected the tags of a complete image"
    ]


def test_what_macos_writes_beside_each_slice_is_no_damaged_slice(tmp_path):
    site = Site(tmp_path)
    for file in a_series(site):
        file.with_name(f"._{file.name}").write_bytes(b"\0\x05\x16\x07\0\2\0\0Mac OS X        ")
    assert isinstance(extract_stack(site.source, "P1", 20.0, site.parameters), SliceStack)


def test_what_macos_writes_beside_a_volume_is_no_second_volume(tmp_path):
    site = Site(tmp_path)
    file = site.add("P1", GRID)
    file.with_name(f"._{file.name}").write_bytes(b"\0\x05\x16\x07")
    assert ImageSource(site.root, ("<patient_id>/*.nii.gz",)).study("P1").volume == file


@pytest.mark.parametrize(
    "name",
    ["DOE_JOHN_0013.dcm", "7734251.dcm", "IM19311224.dcm", "MR.1.3.12.2.1107.5.2.32.35162.20080312.dcm"],
)
def test_21_a_file_that_may_be_named_after_a_person_is_told_by_its_place(tmp_path, name):
    site = Site(tmp_path)
    cut = cut_at_the_header(site, name)
    place = sorted(path.name for path in cut.parent.iterdir()).index(name) + 1
    refused = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert refused.findings[0].where == f"file {place} of its folder, by name"


def cut_at_the_header(site: Site, name: str) -> Path:
    file = a_series(site)[12]
    cut = file.with_name(name)
    cut.write_bytes(file.read_bytes()[:200])
    file.unlink()
    return cut


def test_41_a_slice_that_may_not_be_read_is_named_and_not_called_damaged(tmp_path, monkeypatch):
    site = Site(tmp_path)
    file = a_series(site)[12]
    close(monkeypatch, file.rename(file.with_name("IM0013.dcm")))
    refused = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert [(finding.code, finding.where) for finding in refused.findings] == [
        ("inaccessible", "IM0013.dcm"),
        ("missing_slice", "instances 12 and 14"),
    ]


def test_41_a_link_to_nothing_among_the_slices_is_told(tmp_path):
    site = Site(tmp_path)
    file = a_series(site)[12]
    file.with_name("IM0013").symlink_to(tmp_path / "nowhere")
    refused = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert [(finding.where, finding.found) for finding in refused.findings] == [
        ("IM0013", "gone, or a link to nothing")
    ]


def test_41_a_folder_of_slices_that_may_not_be_looked_into_is_no_empty_one(tmp_path, monkeypatch):
    site = Site(tmp_path)
    a_series(site)
    close(monkeypatch, site.root / "P1/t1gd")
    refused = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert [(finding.code, finding.where) for finding in refused.findings] == [("inaccessible", "t1gd")]


def test_41_a_disk_that_fails_while_pixels_are_read_is_told(tmp_path, monkeypatch):
    def fail(path: Path, **_) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    site = Site(tmp_path)
    a_series(site)
    monkeypatch.setattr("pydicom.pixels.utils.pixel_array", fail)
    refused = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert [finding.found for finding in refused.findings] == ["not readable (Input/output error)"]


@pytest.mark.parametrize(
    "tag", ["PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "Rows", "SeriesInstanceUID"]
)
def test_21_a_missing_tag_is_named(tmp_path, tag):
    def without(index: int, header: pydicom.Dataset) -> None:
        if index == 12:
            delattr(header, tag)

    site = Site(tmp_path)
    a_series(site, change=without)
    refused = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert (refused.findings[0].code, refused.findings[0].found) == ("tag_missing", f"no {tag}")


@pytest.mark.parametrize(("tag", "value", "lacking"), [
    ("PixelSpacing", [-1, 1], "PixelSpacing above 0"),
    ("PixelSpacing", [0, 0], "PixelSpacing above 0"),
    ("RescaleSlope", 0, "RescaleSlope and RescaleIntercept by which values differ"),
])  # fmt: skip
def test_21_a_value_that_would_mirror_or_blank_a_slice_is_named(tmp_path, tag, value, lacking):
    site = Site(tmp_path)
    a_series(site, **{tag: value})
    (finding,) = extract_stack(site.source, "P1", 20.0, site.parameters).findings
    assert (finding.code, finding.found) == ("tag_missing", f"no {lacking}")


@pytest.mark.parametrize("tag", ["PixelSpacing", "SeriesInstanceUID"])
@pytest.mark.parametrize(("n_slices", "others"), [(30, ", and 29 other files"), (2, ", and 1 other file")])
def test_21_a_tag_that_many_slices_lack_is_told_once(tmp_path, tag, n_slices, others):
    def without(index: int, header: pydicom.Dataset) -> None:
        if index < n_slices:
            delattr(header, tag)

    site = Site(tmp_path)
    for index, file in enumerate(a_series(site, change=without)):
        file.rename(file.with_name(f"IM{index:04d}"))
    refused = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert [(finding.where, finding.found) for finding in refused.findings if finding.code == "tag_missing"] == [
        (f"IM0000{others}", f"no {tag}")
    ]


def test_21_slices_that_lack_a_tag_do_not_turn_a_doubt_into_a_reason(tmp_path):
    def without(index: int, header: pydicom.Dataset) -> None:
        del header.PixelSpacing

    site = Site(tmp_path)
    a_series(site, change=without, ContrastBolusAgent="")
    assert codes(site) == ["tag_missing"]


@pytest.mark.parametrize("syntax", ["uncompressed", "rle", "jpeg2000"])
def test_21_short_pixel_data_are_refused(tmp_path, syntax):
    site, grid = Site(tmp_path), a_grid("LPS", (64, 64, 10))
    for file in write_series(site.root / "P1" / "t1gd", grid, np.round(grey_voxels(grid)), syntax):
        file.write_bytes(file.read_bytes()[:-150])
    assert codes(site) == ["unreadable_pixels"]


@pytest.mark.parametrize("is_implicit", [False, True])
@pytest.mark.parametrize("cut", [0, 9])
def test_21_a_slice_that_is_cut_short_is_found_though_nobody_needs_it(tmp_path, is_implicit, cut):
    site = Site(tmp_path)
    file = a_series(site)[cut]
    if is_implicit:
        header = pydicom.dcmread(file)
        header.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        header.save_as(file, implicit_vr=True, little_endian=True)
    content = file.read_bytes()
    file.write_bytes(content[:-1])  # perhaps the byte that makes their number even
    assert isinstance(extract_stack(site.source, "P1", 20.0, site.parameters), SliceStack)
    file.write_bytes(content[:-100])
    assert codes(site)[0] == "unreadable_pixels"


def test_21_a_compression_that_nobody_can_read_is_refused(tmp_path):
    site = Site(tmp_path)
    for file in a_series(site, syntax="rle"):
        header = pydicom.dcmread(file)
        header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"  # MPEG2 video
        header.save_as(file)
    assert codes(site) == ["unreadable_pixels"]


@pytest.mark.parametrize(("tags", "code"), [
    ({"SeriesDescription": "AX T2 FLAIR"}, "wrong_sequence"),
    ({"SeriesDescription": "t1 gd post-op"}, "wrong_sequence"),
    ({"SeriesDescription": "t2_tse_tra_p2"}, "wrong_sequence"),
    ({"SeriesDescription": "ep2d_diff_b1000_ADC"}, "wrong_sequence"),
    ({"SeriesDescription": "t1_mprage_Gd_MIP_sag"}, "wrong_sequence"),
    ({"SeriesDescription": "T1 post minus pre SUBTRACTION"}, "wrong_sequence"),
    ({"SeriesDescription": "t1_mprage_SUB"}, "wrong_sequence"),
    ({"SeriesDescription": "T2STAR tra"}, "wrong_sequence"),
    ({"SeriesDescription": "T1 Gd postoperativ"}, "wrong_sequence"),
    ({"SeriesDescription": "T1 Gd post-treatment"}, "wrong_sequence"),
    ({"ImageType": ["DERIVED", "SECONDARY", "SUBTRACTION"]}, "wrong_sequence"),
    ({"ImageType": ["DERIVED", "PRIMARY", "M", "SUB"]}, "wrong_sequence"),
    ({"ImageType": ["DERIVED", "SECONDARY", "CSA MIP"]}, "wrong_sequence"),
    ({"ImageType": ["DERIVED", "PRIMARY", "PROJECTION IMAGE"]}, "wrong_sequence"),
    ({"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}, "wrong_sequence"),
    ({"ImageType": ["ORIGINAL", "PRIMARY", "PHASE MAP", "NONE"]}, "wrong_sequence"),
    ({"ContrastBolusAgent": "NONE"}, "no_contrast"),
    ({"ContrastBolusAgent": "no contrast"}, "no_contrast"),
    ({"Modality": "CT"}, "wrong_modality"),
    ({"BurnedInAnnotation": "YES"}, "burned_in"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "burned_in"),
])  # fmt: skip
def test_22_another_sequence_or_kind_of_image_is_refused(tmp_path, tags, code):
    site = Site(tmp_path)
    a_series(site, **tags)
    assert codes(site) == [code]


@pytest.mark.parametrize("agent", ["", "N/A", "unknown", "-"])
def test_22_a_word_that_names_no_contrast_agent_is_a_doubt(tmp_path, agent):
    site = Site(tmp_path)
    a_series(site, ContrastBolusAgent=agent)
    stack = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert [doubt.code for doubt in stack.doubts] == ["contrast_unknown"]


def test_22_an_empty_list_of_contrast_agents_names_none(tmp_path):
    site = Site(tmp_path)
    a_series(site, ContrastBolusAgent="", ContrastBolusAgentSequence=[])
    stack = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert [doubt.code for doubt in stack.doubts] == ["contrast_unknown"]


def test_22_a_series_with_and_without_contrast_is_refused_unless_the_tag_is_passed_over(tmp_path):
    def without(index: int, header: pydicom.Dataset) -> None:
        if index % 2:
            header.ContrastBolusAgent = ""

    site = Site(tmp_path)
    a_series(site, change=without)
    refused = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert [(finding.code, finding.found) for finding in refused.findings] == [
        ("mixed_contrast", "recorded in 15 of 30 files")
    ]
    site.parameters = slice_parameters(series__contrast="ignore")
    assert isinstance(extract_stack(site.source, "P1", 20.0, site.parameters), SliceStack)


def test_22_a_series_of_which_some_files_say_that_there_was_no_contrast_agent_is_refused(tmp_path):
    def none(index: int, header: pydicom.Dataset) -> None:
        header.ContrastBolusAgent = "NONE" if index == 7 else ""

    site = Site(tmp_path)
    a_series(site, change=none)
    assert codes(site) == ["no_contrast"]


def test_22_a_slice_of_colours_is_refused(tmp_path):
    def coloured(index: int, header: pydicom.Dataset) -> None:
        if index == 7:
            header.SamplesPerPixel = 3

    site = Site(tmp_path)
    a_series(site, change=coloured)
    assert codes(site) == ["not_scalar"]


def test_23_of_two_series_with_as_many_slices_none_is_the_one_with_most(tmp_path):
    site = Site(tmp_path, slice_parameters(series__choose="most_slices"))
    a_series(site)
    a_series(site)
    assert codes(site) == ["several_series"]


def test_24_of_two_segmentations_in_one_folder_none_is_taken(tmp_path):
    site = Site(tmp_path)
    images, mask = a_series(site), ellipsoid(GRID, tuple(GRID.centre_mm), (6.0, 6.0, 4.0))
    for name in ("first", "second"):
        write_segmentation(site.root / "P1" / "lesion_mask" / f"{name}.dcm", images, [mask])
    (finding,) = extract_stack(site.source, "P1", None, site.parameters).findings
    assert (finding.code, finding.found) == ("lesion_mask_unreadable", "2 lesion masks")


@pytest.mark.parametrize(("tag", "value", "code"), [
    ("Modality", "CT", "wrong_modality"),
    ("SeriesDescription", "t2 tse", "wrong_sequence"),
    ("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7", "burned_in"),
    ("FrameOfReferenceUID", "1.2.3", "mixed_coordinates"),
])  # fmt: skip
@pytest.mark.parametrize("last", [False, True])
def test_22_a_series_is_judged_by_all_of_its_files_and_not_by_the_first(tmp_path, tag, value, code, last):
    def change(index: int, header: pydicom.Dataset) -> None:
        if index == 29 * last:
            setattr(header, tag, value)

    site = Site(tmp_path)
    for index, file in enumerate(a_series(site, change=change)):
        file.rename(file.with_name(f"IM{index:04d}"))
    assert codes(site) == [code]


def test_22_a_projection_among_the_slices_of_a_series_is_refused(tmp_path):
    def project(index: int, header: pydicom.Dataset) -> None:
        if index == 29:
            header.ImageType = ["DERIVED", "SECONDARY", "MIP"]

    site = Site(tmp_path)
    a_series(site, change=project)
    assert codes(site) == ["wrong_sequence"]


def test_22_beside_its_projection_a_series_is_the_one_that_was_acquired(tmp_path):
    site = Site(tmp_path)
    a_series(site, SeriesNumber=5, ImageType=["ORIGINAL", "PRIMARY", "M", "ND"])
    a_series(site, SeriesNumber=6, ImageType=["DERIVED", "SECONDARY", "MIP"])
    stack = extract_stack(site.source, "P1", 20.0, site.parameters)
    assert stack.record["series"] == "series 5 of 2, 1 eligible"


@pytest.mark.parametrize(
    "image_type",
    [
        ["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"],
        ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"],
        ["DERIVED", "PRIMARY", "MPR", "NORM"],
    ],
)
def test_22_a_series_as_acquired_or_cut_anew_from_one_is_taken(tmp_path, image_type):
    site = Site(tmp_path)
    a_series(site, ImageType=image_type)
    assert isinstance(extract_stack(site.source, "P1", 20.0, site.parameters), SliceStack)


@pytest.mark.parametrize(
    "description", ["t1_mprage_sag_p2_iso_Gd", "AX T1 POST", "3D_T1_KM", "t1_vibe_different_delay", "sub-01_ce-gd_T1w"]
)
def test_22_a_contrast_enhanced_t1_is_taken_by_any_of_its_names(tmp_path, description):
    site = Site(tmp_path)
    a_series(site, SeriesDescription=description)
    assert isinstance(extract_stack(site.source, "P1", 20.0, site.parameters), SliceStack)


@pytest.mark.realdata
@pytest.mark.parametrize(("folder", "code"), [
    ("failing/gantrytilting/001", "gantry_tilt"),
    ("failing/sliceincrement/001", "missing_slice"),
    ("failing/sliceincrement/002", "missing_slice"),
    ("generic/002_non_isotropic", "too_few_slices"),
    ("siemens/anatomical/001", "too_few_slices"),
    ("generic/compressed_j2k/001", "too_few_slices"),
    ("philips_enhanced/anatomical/001", "too_few_slices"),
])  # fmt: skip
def test_20_real_series_yield_the_code_of_their_fault(folder, code):
    if not (DATA_ROOT / "dicom").is_dir():
        pytest.skip(f"no DICOM series in {DATA_ROOT}")
    parent, _, patient_id = folder.rpartition("/")
    source = ImageSource(DATA_ROOT / "dicom" / parent, ("<patient_id>/",), ())
    refused = extract_stack(source, patient_id, 20.0, Site(DATA_ROOT).parameters)
    assert isinstance(refused, RefusedPatient)
    assert code in [finding.code for finding in refused.findings]
