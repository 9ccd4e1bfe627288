from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from gliocast.imaging.findings import RefusedPatient
from gliocast.imaging.grid import Grid
from gliocast.imaging.source import ImageSource
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.study import extract_stack
from imaging_dicom import TRANSFER_SYNTAXES, write_enhanced, write_segmentation, write_series, write_structures
from imaging_phantoms import Site, a_grid, ellipsoid, grey_voxels, slice_parameters

LESION_MM = (8.0, -12.0, 24.0)
RADII_MM = (6.0, 7.0, 5.0)


def a_series(root, grid: Grid, **options) -> list:
    return write_series(root / "P1" / "t1gd", grid, np.round(grey_voxels(grid)), **options)


def extracted(site: Site, source: ImageSource | None = None) -> SliceStack:
    stack = extract_stack(source or site.source, "P1", None, site.parameters)
    assert isinstance(stack, SliceStack), stack
    return stack


def codes(site: Site, source: ImageSource | None = None) -> list[str]:
    refused = extract_stack(source or site.source, "P1", None, site.parameters)
    assert isinstance(refused, RefusedPatient), refused
    return [finding.code for finding in refused.findings]


def the_same_as_nifti(tmp_path, stack: SliceStack, grid: Grid) -> bool:
    """Whether the series gives what a NIfTI file of the same voxels gives."""
    site = Site(tmp_path / "nifti")
    site.add("P1", grid, np.round(grey_voxels(grid)))
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    twin = extracted(site)
    assert np.array_equal(stack.lesion, twin.lesion)
    assert abs(stack.record["center_slice_mm"] - twin.record["center_slice_mm"]) < 1e-3
    return bool(np.abs(stack.pixels.astype(np.float32) - twin.pixels.astype(np.float32)).max() < 2e-3)


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_compressed_and_plain_series_give_the_slices_of_the_nifti_file(tmp_path, syntax):
    site, grid = Site(tmp_path / "site"), a_grid("LPS", (56, 56, 40))
    a_series(site.root, grid, syntax=syntax)
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    assert the_same_as_nifti(tmp_path, extracted(site), grid)


@pytest.mark.parametrize("orientation", ["LPS", "LPI", "PIR", "LIP"])
@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (6.0, -4.0, 8.0)])
def test_series_of_every_orientation_give_the_slices_of_the_nifti_file(tmp_path, orientation, turn):
    site, grid = Site(tmp_path / "site"), a_grid(orientation, (56, 56, 56), turned_degrees=turn)
    a_series(site.root, grid)
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    assert the_same_as_nifti(tmp_path, extracted(site), grid)


def test_an_enhanced_multi_frame_file_is_a_series(tmp_path):
    site, grid = Site(tmp_path / "site"), a_grid("LPS", (56, 56, 40))
    write_enhanced(site.root / "P1" / "t1gd" / "enhanced.dcm", grid, np.round(grey_voxels(grid)))
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    assert the_same_as_nifti(tmp_path, extracted(site), grid)


def test_nested_folders_and_files_of_other_kinds_are_no_hindrance(tmp_path):
    site, grid = Site(tmp_path / "site"), a_grid("LPS", (56, 56, 40))
    for index, file in enumerate(a_series(site.root, grid)):
        part = file.parent / f"part{index % 2}"
        part.mkdir(exist_ok=True)
        file.rename(part / file.stem)  # without a suffix, as many archives export
    (site.root / "P1" / "t1gd" / "notes.txt").write_text("exported by hand", encoding="utf-8")
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    assert the_same_as_nifti(tmp_path, extracted(site), grid)


def test_only_the_pixels_of_the_needed_slices_are_read(tmp_path, monkeypatch):
    site, grid = Site(tmp_path / "site"), a_grid("LPS", (24, 24, 80))
    a_series(site.root, grid)
    site.add_mask("P1", grid, ellipsoid(grid, (3.0, -7.0, 24.0), RADII_MM))
    read = []
    from gliocast.imaging import dicom_volume

    picture = dicom_volume._stored
    monkeypatch.setattr(dicom_volume, "_stored", lambda frame, shape: read.append(frame.path) or picture(frame, shape))
    extracted(site)
    assert len(set(read)) <= 11  # nine slices, one beside them, and the middle one that identifies the image


@pytest.mark.parametrize(
    "reader", ["pydicom.pixels.utils.pixel_array", "gliocast.imaging.dicom_masks.lesion_of_segments"]
)
def test_a_study_larger_than_the_memory_is_not_called_damaged(tmp_path, monkeypatch, reader):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    files = a_series(site.root, grid)
    write_segmentation(site.root / "P1" / "lesion_mask.dcm", files, [ellipsoid(grid, LESION_MM, RADII_MM)])

    def too_large(*_, **__):
        raise MemoryError

    monkeypatch.setattr(reader, too_large)
    assert codes(site) == ["out_of_memory"]


def test_two_eligible_series_are_refused_unless_a_rule_chooses(tmp_path):
    site, long, short = Site(tmp_path), a_grid("LPS", (56, 56, 40)), a_grid("LPS", (56, 56, 20))
    a_series(site.root, long)
    a_series(site.root, short, SeriesNumber=6)
    site.add_mask("P1", long, ellipsoid(long, LESION_MM, RADII_MM))
    assert codes(site) == ["several_series"]
    site.parameters = slice_parameters(series__choose="most_slices")
    assert extracted(site).record["series"] == "series 5 of 2, 2 eligible"


@pytest.mark.parametrize(
    "other",
    [
        {"SeriesDescription": "t2 flair"},
        {"Modality": "CT"},
        {"BurnedInAnnotation": "YES"},
        {"PhotometricInterpretation": "MONOCHROME1"},
    ],
    ids=["wrong sequence", "wrong modality", "burned in", "inverted"],
)
def test_series_that_are_not_eligible_do_not_compete(tmp_path, other):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    a_series(site.root, grid)
    a_series(site.root, grid, SeriesNumber=6, **other)
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    assert extracted(site).record["series"] == "series 5 of 2, 1 eligible"


def test_a_series_without_a_recorded_contrast_agent_is_doubtful_beside_others_too(tmp_path):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    a_series(site.root, grid, ContrastBolusAgent="")
    a_series(site.root, grid, SeriesNumber=6, SeriesDescription="t2 flair")
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    stack = extracted(site)
    assert stack.record["series"] == "series 5 of 2, 1 eligible"
    assert [doubt.code for doubt in stack.doubts] == ["contrast_unknown"]


def test_of_two_series_the_one_with_a_recorded_contrast_agent_is_taken(tmp_path):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    a_series(site.root, grid, ContrastBolusAgent="")
    a_series(site.root, grid, SeriesNumber=6)
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    stack = extracted(site)
    assert stack.record["series"] == "series 6 of 2, 1 eligible"
    assert stack.doubts == ()


def test_where_no_series_is_eligible_each_is_told_with_its_reason(tmp_path):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    a_series(site.root, grid, Modality="CT")
    a_series(site.root, grid, SeriesNumber=6, SeriesDescription="t2 flair")
    (finding,) = extract_stack(site.source, "P1", 20.0, site.parameters).findings
    reasons = "description of series 6 is one that is refused; series 5 is CT"
    assert (finding.code, finding.found) == ("no_eligible_series", f"none of 2 series ({reasons})")


@pytest.mark.parametrize(("tag", "shown"), [("Modality", "series 5: another"), ("SeriesNumber", "series –: CT")])
def test_a_name_in_place_of_a_modality_or_a_number_is_not_repeated(tmp_path, tag, shown):
    def named(_: int, header: pydicom.Dataset) -> None:
        header.Modality = "CT"
        header[tag].VR, header[tag].value = "CS", "ZZCANARY"

    site = Site(tmp_path)
    a_series(site.root, a_grid("LPS", (56, 56, 40)), change=named)
    found = " ".join(map(str, extract_stack(site.source, "P1", 20.0, site.parameters).findings))
    assert "ZZCANARY" not in found and found.startswith(shown)


REPORT, PRESENTATION, SPECTRUM = "88.22", "11.1", "4.2"  # below 1.2.840.10008.5.1.4.1.1, DICOM PS3.4, annex B.5


@pytest.mark.parametrize("kind", [REPORT, PRESENTATION, SPECTRUM])
def test_an_object_without_an_image_is_passed_over_and_noted(tmp_path, kind):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    first, *_ = a_series(site.root, grid)
    without_image = pydicom.dcmread(first)
    for tag in ("Rows", "Columns", "PixelData", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"):
        delattr(without_image, tag)
    without_image.SOPClassUID = f"1.2.840.10008.5.1.4.1.1.{kind}"
    without_image.save_as(first.with_name("report.dcm"))
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    assert extracted(site).record["series"] == "the only series, beside 1 file without an image"


def test_a_folder_copied_from_a_disc_with_its_index_is_read(tmp_path):
    from pydicom.fileset import FileSet

    site, grid, disc = Site(tmp_path), a_grid("LPS", (56, 56, 40)), FileSet()
    for file in write_series(tmp_path / "scanner", grid, np.round(grey_voxels(grid))):
        disc.add(file)
    disc.write(site.root / "P1" / "t1gd")
    assert (site.root / "P1" / "t1gd" / "DICOMDIR").is_file()
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    assert extracted(site).record["series"] == "the only series, beside 1 file without an image"


def add_without_position(site: Site, grid: Grid, n_files: int, **tags) -> None:
    """A second series, number 6, of which nobody says where it lies."""

    def without(index: int, header: pydicom.Dataset) -> None:
        del header.ImagePositionPatient

    for file in a_series(site.root, grid, change=without, SeriesNumber=6, **tags)[n_files:]:
        file.unlink()


def test_a_screenshot_without_a_position_does_not_refuse_the_series_beside_it(tmp_path):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    a_series(site.root, grid)
    add_without_position(site, grid, 1, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", Modality="OT")
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    assert extracted(site).record["series"] == "series 5 of 2, 1 eligible"


def test_damage_of_an_eligible_series_does_not_leave_the_choice_to_the_other_one(tmp_path):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    add_without_position(site, grid, 40)
    a_series(site.root, a_grid("LPS", (56, 56, 20)))
    assert codes(site) == ["several_series"]
    site.parameters = slice_parameters(series__choose="most_slices")
    assert set(codes(site)) == {"tag_missing"}


def test_the_plane_of_acquisition_chooses_among_series(tmp_path):
    site, axial, sagittal = Site(tmp_path), a_grid("LPS", (56, 56, 40)), a_grid("PIR", (56, 40, 56))
    a_series(site.root, axial)
    a_series(site.root, sagittal, SeriesNumber=6)
    site.add_mask("P1", axial, ellipsoid(axial, LESION_MM, RADII_MM))
    assert codes(site) == ["several_series"]
    for plane, number in (("axial", 5), ("sagittal", 6)):
        site.parameters = slice_parameters(series__orientation=plane)
        assert extracted(site).record["series"] == f"series {number} of 2, 1 eligible"


def test_a_missing_contrast_agent_is_a_doubt_or_a_refusal(tmp_path):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    a_series(site.root, grid, ContrastBolusAgent="")
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    assert [doubt.code for doubt in extracted(site).doubts] == ["contrast_unknown"]
    site.parameters = slice_parameters(series__contrast="require")
    assert codes(site) == ["contrast_unknown"]


@pytest.mark.parametrize("kind", ["classic", "enhanced"])
def test_a_series_whose_large_values_are_dark_is_refused(tmp_path, kind):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    if kind == "classic":
        a_series(site.root, grid, PhotometricInterpretation="MONOCHROME1")
    else:
        path = write_enhanced(site.root / "P1" / "t1gd" / "enhanced.dcm", grid, np.round(grey_voxels(grid)))
        header = pydicom.dcmread(path)
        header.PhotometricInterpretation = "MONOCHROME1"
        header.save_as(path)
    (finding,) = extract_stack(site.source, "P1", 20.0, site.parameters).findings
    assert (finding.code, finding.found) == ("not_bright", "MONOCHROME1 (large values are dark)")


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
@pytest.mark.parametrize("orientation", ["LPS", "PIR"])
def test_a_dicom_segmentation_gives_the_lesion_of_the_nifti_mask(tmp_path, orientation, kind):
    site, grid = Site(tmp_path / "site"), a_grid(orientation, (56, 56, 56))
    images = a_series(site.root, grid)
    mask = ellipsoid(grid, LESION_MM, RADII_MM)
    write_segmentation(site.root / "P1" / "lesion_mask.dcm", images, [mask], kind)
    assert the_same_as_nifti(tmp_path, extracted(site), grid)


def test_overlapping_segments_are_joined_or_chosen(tmp_path):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    images = a_series(site.root, grid)
    core, rim = ellipsoid(grid, LESION_MM, (3.0, 3.0, 3.0)), ellipsoid(grid, (10.0, -12.0, 24.0), (3.0, 3.0, 3.0))
    write_segmentation(site.root / "P1" / "lesion_mask.dcm", images, [core, rim])
    assert extracted(site).record["lesion_volume_mm3"] == (core | rim).sum()
    for label in (2, "part 2"):
        chosen = ImageSource(site.root, lesion_labels=(label,))
        assert extracted(site, chosen).record["lesion_volume_mm3"] == rim.sum()


@pytest.mark.parametrize(("labels", "chosen"), [((), [1, 2]), ((1,), [1]), (("part 2",), [2])])
@pytest.mark.parametrize("background", [0, 5])
def test_segments_of_a_label_map_are_joined_or_chosen_and_its_background_is_none(tmp_path, labels, chosen, background):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    images = a_series(site.root, grid)
    core = ellipsoid(grid, LESION_MM, RADII_MM)
    rim = ellipsoid(grid, LESION_MM, tuple(radius + 2 for radius in RADII_MM)) & ~core
    stored = pydicom.dcmread(write_segmentation(site.root / "P1" / "lesion_mask.dcm", images, [core, rim], "LABELMAP"))
    assert [int(part.SegmentNumber) for part in stored.SegmentSequence] == [0, 1, 2]
    if background:
        pixels = stored.pixel_array.copy()
        pixels[pixels == 0] = background
        stored.PixelData, stored.PixelPaddingValue = pixels.tobytes(), background
        stored.SegmentSequence[0].SegmentNumber = background
        stored.save_as(stored.filename)
    volume_mm3 = extracted(site, ImageSource(site.root, lesion_labels=labels)).record["lesion_volume_mm3"]
    assert volume_mm3 == sum({1: core.sum(), 2: rim.sum()}[number] for number in chosen)


def a_segmented_series(
    tmp_path, grid: Grid | None = None, mask: np.ndarray | None = None, kind: str = "BINARY"
) -> tuple[Site, Dataset]:
    """A series with its segmentation, which a test spoils and stores again."""
    site, grid = Site(tmp_path), grid or a_grid("LPS", (56, 56, 40))
    images = a_series(site.root, grid)
    mask = ellipsoid(grid, LESION_MM, RADII_MM) if mask is None else mask
    return site, pydicom.dcmread(write_segmentation(site.root / "P1" / "lesion_mask.dcm", images, [mask], kind))


@pytest.mark.parametrize("places", [(20,), (20, 22, 24)], ids=["one slice", "every other slice"])
def test_slices_that_a_segmentation_leaves_out_hold_no_lesion(tmp_path, places):
    grid = a_grid("LPS", (56, 56, 40), (1.0, 1.0, 3.0))
    mask = np.zeros(grid.shape, dtype=bool)
    mask[30:34, 30:35, list(places)] = True
    site, _ = a_segmented_series(tmp_path, grid, mask)
    assert extracted(site).record["lesion_volume_mm3"] == pytest.approx(len(places) * 4 * 5 * 3)


def test_a_distance_of_slices_that_the_frames_of_a_segmentation_contradict_is_passed_over(tmp_path):
    site, segmentation = a_segmented_series(tmp_path)
    whole = extracted(site).record["lesion_volume_mm3"]
    segmentation.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = 0.7
    segmentation.save_as(segmentation.filename)
    assert extracted(site).record["lesion_volume_mm3"] == whole


@pytest.mark.parametrize(("stored", "counts"), [(49, False), (50, True)])
def test_a_fraction_of_a_segmentation_is_one_of_its_greatest_value(tmp_path, stored, counts):
    site, segmentation = a_segmented_series(tmp_path, kind="FRACTIONAL")
    whole = extracted(site).record["lesion_volume_mm3"]
    pixels = np.frombuffer(segmentation.PixelData, dtype=np.uint8).copy()
    pixels[pixels == 255] = 100
    pixels[np.flatnonzero(pixels)[0]] = stored
    segmentation.PixelData, segmentation.MaximumFractionalValue = pixels.tobytes(), 100
    segmentation.save_as(segmentation.filename)
    assert extracted(site).record["lesion_volume_mm3"] == whole - (not counts)


def test_the_segmentation_of_another_patient_is_refused_without_naming_either(tmp_path):
    site, segmentation = a_segmented_series(tmp_path)
    segmentation.PatientID = "MRN-OTHER"
    segmentation.save_as(segmentation.filename)
    refused = extract_stack(site.source, "P1", None, site.parameters)
    assert codes(site) == ["mixed_patients"]
    assert "MRN" not in str(refused)


def test_a_segmentation_that_names_no_patient_is_taken(tmp_path):
    site, segmentation = a_segmented_series(tmp_path)
    segmentation.PatientID = ""
    segmentation.save_as(segmentation.filename)
    assert extracted(site).record["source"] == "mask"


def test_a_segmentation_in_other_coordinates_is_refused(tmp_path):
    site, segmentation = a_segmented_series(tmp_path)
    segmentation.FrameOfReferenceUID = "1.2.3"
    segmentation.ReferencedSeriesSequence[0].SeriesInstanceUID = "1.2.4"
    segmentation.save_as(segmentation.filename)
    assert codes(site) == ["lesion_mask_elsewhere"]


@pytest.mark.parametrize(
    ("sequence", "tag", "change"),
    [
        ("PlanePositionSequence", "ImagePositionPatient", (0.0, 0.0, 0.3)),
        ("PlanePositionSequence", "ImagePositionPatient", (5.0, 0.0, 0.0)),
        ("PlaneOrientationSequence", "ImageOrientationPatient", (-1.0, 1.0, 0.0, 1.0, -1.0, 0.0)),
        ("PixelMeasuresSequence", "PixelSpacing", (0.5, 0.0)),
    ],
    ids=["higher", "shifted", "turned", "scaled"],
)
def test_a_segmentation_of_which_one_frame_lies_otherwise_than_the_others_is_refused(tmp_path, sequence, tag, change):
    site, segmentation = a_segmented_series(tmp_path)
    frames, shared = segmentation.PerFrameFunctionalGroupsSequence, segmentation.SharedFunctionalGroupsSequence[0]
    item = deepcopy((frames[3].get(sequence) or shared[sequence].value)[0])
    setattr(item, tag, [value + more for value, more in zip(item[tag].value, change, strict=True)])
    setattr(frames[3], sequence, [item])
    segmentation.save_as(segmentation.filename)
    assert codes(site) == ["lesion_mask_irregular"]


@pytest.mark.parametrize("refers_to_the_series", [False, True])
def test_a_structure_set_with_a_frame_of_reference_of_its_own_must_refer_to_the_series(tmp_path, refers_to_the_series):
    grid = a_grid("LPS", (56, 56, 41))
    site = drawn(tmp_path, grid, square((8.0, -12.0), 5.0, 24.0))
    image = pydicom.dcmread(next((site.root / "P1" / "t1gd").iterdir()))
    structures = pydicom.dcmread(site.root / "P1" / "lesion_mask" / "rt.dcm")
    structures.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"
    series, frame = Dataset(), Dataset()
    series.SeriesInstanceUID = image.SeriesInstanceUID if refers_to_the_series else "1.2.4"
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = "1.2.3", [series]
    structures.ReferencedFrameOfReferenceSequence = [frame]
    structures.save_as(structures.filename)
    if refers_to_the_series:
        assert extracted(site).record["source"] == "mask"
    else:
        assert codes(site) == ["lesion_mask_elsewhere"]


def square(centre: tuple[float, float], half: float, height: float) -> np.ndarray:
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half + np.array(centre)
    return np.column_stack([corners, np.full(4, height)])


@pytest.mark.parametrize(("orientation", "shape"), [("LPS", (56, 56, 41)), ("PIR", (56, 41, 56))])
def test_contours_are_filled_and_inner_ones_are_holes(tmp_path, orientation, shape):
    site, grid = Site(tmp_path), a_grid(orientation, shape)
    a_series(site.root, grid)
    contours = [square((8.0, -12.0), 5.0, 24.0), square((8.0, -12.0), 2.0, 24.0), square((-8.0, -2.0), 3.0, 24.0)]
    structures = {"GTV": contours, "brain": [square((3.0, -7.0), 20.0, 25.0)]}
    write_structures(site.root / "P1" / "lesion_mask" / "rt.dcm", structures)
    assert codes(site) == ["several_structures"]
    record = extracted(site, ImageSource(site.root, lesion_labels=("gtv",))).record
    assert record["center_slice_mm"] == pytest.approx(24.0)
    assert record["lesion_volume_mm3"] == pytest.approx(10 * 10 - 4 * 4 + 6 * 6)


@pytest.mark.parametrize("rounding", [-1e-4, 0.0, 1e-4])
def test_pixels_on_an_outline_are_lesion_whatever_the_last_digit_of_its_millimetres(tmp_path, rounding):
    middle = (8.5 + rounding, -11.5 + rounding)  # of a pixel: the outlines below run through the centres of others
    contours = [square(middle, half, 24.0) for half in (5.0, 2.0)]
    record = extracted(drawn(tmp_path, a_grid("LPS", (56, 56, 41)), *contours)).record
    assert record["lesion_volume_mm3"] == pytest.approx(11 * 11 - 3 * 3)


def test_outlines_that_share_a_side_through_pixels_lose_none_of_them_and_cross_nothing(tmp_path):
    contours = [square((x, -11.5), 3.0, 24.0) for x in (2.5, 8.5)]
    stack = extracted(drawn(tmp_path, a_grid("LPS", (56, 56, 41)), *contours))
    assert stack.record["lesion_volume_mm3"] == pytest.approx(13 * 7)
    assert stack.doubts == ()


@pytest.mark.parametrize("label", ["tumour", 7])
def test_a_structure_that_is_not_there_is_told_with_the_numbers_of_those_that_are(tmp_path, label):
    site = drawn(tmp_path, a_grid("LPS", (56, 56, 41)), square((8.0, -12.0), 5.0, 24.0))
    refused = extract_stack(ImageSource(site.root, lesion_labels=(label,)), "P1", None, site.parameters)
    (finding,) = refused.findings
    assert (finding.code, finding.found) == ("structure_not_found", "structures 1")
    assert finding.expected == f"one that lesion_labels names ({label})"


def drawn(tmp_path, grid: Grid, *contours: np.ndarray) -> Site:
    site = Site(tmp_path)
    a_series(site.root, grid)
    write_structures(site.root / "P1" / "lesion_mask" / "rt.dcm", {"GTV": list(contours)})
    return site


def test_contours_that_were_drawn_on_thinner_slices_cut_no_holes_into_each_other(tmp_path):
    grid = a_grid("LPS", (56, 56, 21), (1.0, 1.0, 3.0))  # its slices lie at 20, 23, 26 mm
    heights = (22.0, 23.0, 24.0)
    contours = [square((8.0, -12.0), half, height) for half, height in zip((3.0, 5.0, 4.0), heights, strict=True)]
    assert extracted(drawn(tmp_path, grid, *contours)).record["lesion_volume_mm3"] == pytest.approx(10 * 10 * 3)


def test_contours_halfway_between_slices_have_a_slice_each(tmp_path):
    contours = [square((8.0, -12.0), 3.0, height) for height in (22.5, 23.5, 24.5, 25.5)]
    record = extracted(drawn(tmp_path, a_grid("LPS", (56, 56, 41)), *contours)).record
    assert (record["lesion_volume_mm3"], record["lesion_parts"]) == (pytest.approx(4 * 6 * 6), 1)


def test_a_contour_that_is_stored_twice_is_no_hole(tmp_path):
    large, small = square((8.0, -12.0), 5.0, 24.0), square((8.0, -12.0), 3.0, 25.0)
    record = extracted(drawn(tmp_path, a_grid("LPS", (56, 56, 41)), large, large, small)).record
    assert (record["center_slice_mm"], record["lesion_volume_mm3"]) == (24.0, pytest.approx(10 * 10 + 6 * 6))


@pytest.mark.parametrize(("kind", "codes_of_doubts"), [("CLOSED_PLANAR", ["contours_cross"]), ("CLOSEDPLANAR_XOR", [])])
def test_contours_that_cross_cancel_where_they_overlap_and_are_doubtful_unless_marked_so(
    tmp_path, kind, codes_of_doubts
):
    contours = [square((x, -12.0), 5.0, 24.0) for x in (2.0, 8.0)]  # 10 x 10, over each other by 4 x 10
    site = drawn(tmp_path, a_grid("LPS", (56, 56, 41)), *contours)
    structures = pydicom.dcmread(site.root / "P1" / "lesion_mask" / "rt.dcm")
    for contour in structures.ROIContourSequence[0].ContourSequence:
        contour.ContourGeometricType = kind
    structures.save_as(structures.filename)
    stack = extracted(site)
    assert stack.record["lesion_volume_mm3"] == pytest.approx(2 * 6 * 10)
    assert [doubt.code for doubt in stack.doubts] == codes_of_doubts


def test_an_island_in_a_hole_and_a_tumour_apart_cross_nothing(tmp_path):
    middle = (8.0, -12.0)
    nested = [square(middle, half, 24.0) for half in (7.0, 2.0, 5.0)]
    stack = extracted(drawn(tmp_path, a_grid("LPS", (56, 56, 41)), *nested, square((-8.0, -12.0), 3.0, 24.0)))
    assert stack.record["lesion_volume_mm3"] == pytest.approx(14 * 14 - 10 * 10 + 4 * 4 + 6 * 6)
    assert stack.doubts == ()


def test_a_contour_beyond_the_edge_of_its_slice_is_refused_and_not_cut(tmp_path):
    contours = square((8.0, -12.0), 3.0, 24.0), square((300.0, -12.0), 5.0, 25.0)
    assert codes(drawn(tmp_path, a_grid("LPS", (56, 56, 41)), *contours)) == ["lesion_mask_elsewhere"]


def test_a_contour_that_climbs_across_slices_is_refused(tmp_path):
    contour = square((8.0, -12.0), 5.0, 24.0) + np.array([(0, 0, -2), (0, 0, 2), (0, 0, 2), (0, 0, -2)])
    assert codes(drawn(tmp_path, a_grid("LPS", (56, 56, 41)), contour)) == ["lesion_mask_elsewhere"]


def test_a_hole_is_one_though_its_height_is_rounded_otherwise(tmp_path):
    contours = square((8.0, -12.0), 5.0, 24.0), square((8.0, -12.0), 2.0, 24.002)
    volume_mm3 = extracted(drawn(tmp_path, a_grid("LPS", (56, 56, 41)), *contours)).record["lesion_volume_mm3"]
    assert volume_mm3 == pytest.approx(10 * 10 - 4 * 4)


def test_points_and_open_lines_of_a_structure_are_no_outlines(tmp_path):
    site = drawn(
        tmp_path, a_grid("LPS", (56, 56, 41)), square((8.0, -12.0), 5.0, 24.0), square((8.0, -12.0), 5.0, 25.0)
    )
    structures = pydicom.dcmread(site.root / "P1" / "lesion_mask" / "rt.dcm")
    structures.ROIContourSequence[0].ContourSequence[1].ContourGeometricType = "OPEN_PLANAR"
    structures.save_as(structures.filename)
    assert extracted(site).record["lesion_volume_mm3"] == pytest.approx(10 * 10)


def test_structures_that_are_chosen_together_are_joined(tmp_path):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 41))
    a_series(site.root, grid)
    tumour, oedema = square((8.0, -12.0), 3.0, 24.0), square((8.0, -12.0), 5.0, 24.0)
    cyst = square((8.0, -12.0), 1.0, 24.0)
    write_structures(site.root / "P1" / "lesion_mask" / "rt.dcm", {"GTV": [tumour, cyst], "oedema": [oedema]})
    volumes = {
        labels: extracted(site, ImageSource(site.root, lesion_labels=labels)).record["lesion_volume_mm3"]
        for labels in [("GTV",), ("oedema",), ("GTV", "oedema")]
    }
    assert list(volumes.values()) == pytest.approx([6 * 6 - 2 * 2, 10 * 10, 10 * 10])


def test_no_tag_outside_the_allow_list_reaches_any_result(tmp_path):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    a_series(site.root, grid)
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    stack = extracted(site)
    assert not any(hint in f"{stack.record}{stack.doubts}" for hint in ("ZZCANARY", "MRN-", "19500101"))


@pytest.mark.parametrize(
    ("tag", "value"),
    [("StudyInstanceUID", "1.2.840.0113619.7"), ("SOPInstanceUID", "ZZCANARY"), ("SpecificCharacterSet", "ZZCANARY")],
)
def test_a_tag_that_pydicom_complains_of_is_quoted_in_no_warning_and_no_log(tmp_path, recwarn, caplog, tag, value):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 41))
    contours = [square((8.0, -12.0), 5.0, 24.0)]
    masks = write_structures(site.root / "P1" / "lesion_mask" / "rt.dcm", {"GTV": contours})
    with pydicom.config.disable_value_validation():
        for file in (masks, *a_series(site.root, grid)):
            header = pydicom.dcmread(file)
            setattr(header, tag, value)
            header.save_as(file)
    recwarn.clear()
    caplog.clear()
    extracted(site)
    assert value not in caplog.text + " ".join(str(warning.message) for warning in recwarn)


def test_two_patients_in_one_series_are_refused_without_naming_them(tmp_path):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))

    def second_patient(index: int, header: pydicom.Dataset) -> None:
        header.PatientID = "MRN-OTHER" if index > 20 else header.PatientID

    a_series(site.root, grid, change=second_patient)
    refused = extract_stack(site.source, "P1", None, site.parameters)
    assert "mixed_patients" in [finding.code for finding in refused.findings]
    assert "MRN" not in str(refused)


def test_a_segmentation_that_is_larger_than_any_lesion_is_refused(tmp_path):
    site, grid = Site(tmp_path, slice_parameters(geometry__max_lesion_ml=100.0)), a_grid("LPS", (56, 56, 40))
    files = a_series(site.root, grid)
    write_segmentation(site.root / "P1" / "lesion_mask.dcm", files, [np.ones(grid.shape, dtype=bool)])
    assert codes(site) == ["lesion_mask_too_large"]  # 56 × 56 × 40 mm³ are 125 ml


def test_a_segmentation_whose_frames_lie_a_building_apart_takes_no_memory(tmp_path, monkeypatch):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    files = a_series(site.root, grid)
    path = write_segmentation(site.root / "P1" / "lesion_mask.dcm", files, [ellipsoid(grid, LESION_MM, RADII_MM)])
    segmentation = pydicom.dcmread(path)
    last = segmentation.PerFrameFunctionalGroupsSequence[-1].PlanePositionSequence[0]
    last.ImagePositionPatient = [
        *last.ImagePositionPatient[:2],
        1_000_000.0,
    ]  # a kilometre of slices: 3136 million voxels
    segmentation.save_as(path)
    monkeypatch.setattr("gliocast.imaging.segmentations._stacked", lambda *_: pytest.fail("memory was taken"))
    assert codes(site) == ["implausible_size"]


def test_a_segmentation_without_a_distance_between_its_pixels_is_refused(tmp_path):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    mask = ellipsoid(grid, LESION_MM, RADII_MM)
    file = write_segmentation(site.root / "P1" / "lesion_mask.dcm", a_series(site.root, grid), [mask])
    header = pydicom.dcmread(file)
    header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing = [0.0, 0.0]
    header.save_as(file)
    assert codes(site) == ["implausible_spacing"]


def test_a_segment_that_is_not_there_is_told_with_the_numbers_of_those_that_are(tmp_path):
    site, grid = Site(tmp_path), a_grid("LPS", (56, 56, 40))
    files = a_series(site.root, grid)
    lesion = ellipsoid(grid, LESION_MM, RADII_MM)
    write_segmentation(site.root / "P1" / "lesion_mask.dcm", files, [lesion, lesion])
    source = replace(site.source, lesion_labels=("Tumor", 3))
    refused = extract_stack(source, "P1", None, site.parameters)
    assert [(finding.code, finding.found, finding.expected) for finding in refused.findings] == [
        ("segment_not_found", "segments 1, 2", "one that lesion_labels names (Tumor, 3)")
    ]
