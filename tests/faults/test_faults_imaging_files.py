"""Faults 13 to 19 and 24 to 26: what is wrong with volumes and lesion masks in files."""

from __future__ import annotations

import gzip
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from closed_paths import close
from gliocast.errors import ImagingError, InputError
from gliocast.imaging.findings import RefusedPatient
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.study import extract_stack
from imaging_phantoms import Site, a_grid, ellipsoid, grey_voxels, positions, slice_parameters, write_file

GRID = a_grid("LPS", (32, 32, 40))
LESION_MM = (3.5, -7.5, 20.5)


@pytest.fixture
def site(tmp_path) -> Site:
    site = Site(tmp_path)
    site.add("P1", GRID)
    site.add_mask("P1", GRID, ellipsoid(GRID, LESION_MM, (5.0, 5.0, 5.0)))
    return site


def codes(site: Site, centre_mm: float | None = None) -> list[str]:
    refused = extract_stack(site.source, "P1", centre_mm, site.parameters)
    assert isinstance(refused, RefusedPatient), "the patient was accepted"
    assert all(finding.where and finding.found and finding.expected and finding.remedy for finding in refused.findings)
    return [finding.code for finding in refused.findings]


def stack_of(site: Site, centre_mm: float | None = None) -> SliceStack:
    stack = extract_stack(site.source, "P1", centre_mm, site.parameters)
    assert isinstance(stack, SliceStack), stack
    return stack


def volume(site: Site, suffix: str = "nii.gz") -> Path:
    return site.root / "P1" / f"t1gd.{suffix}"


def edit_header(path: Path, offset: int, form: str, *values: float) -> None:
    """Overwrite fields of a NIfTI header (offsets of the NIfTI-1 standard)."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into("<" + form, content, offset, *values)
    path.write_bytes(gzip.compress(bytes(content), 1))


def test_13_a_patient_without_an_image_is_refused(site):
    volume(site).unlink()
    assert codes(site) == ["image_missing"]


@pytest.mark.parametrize(
    "content", [b"", b"this is a letter, not a volume", gzip.compress(b"short")], ids=["empty", "text", "short"]
)
def test_14_files_that_are_no_volumes_are_refused(site, content):
    volume(site).write_bytes(content)
    assert codes(site) == ["unreadable"]


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_14_a_truncated_volume_is_refused_even_where_its_slices_are_whole(site, kept):
    content = volume(site).read_bytes()
    volume(site).write_bytes(content[: int(len(content) * kept)])
    assert codes(site) == ["unreadable"]


@pytest.mark.parametrize("suffix", ["nii", "nrrd", "mha"])
def test_14_truncation_is_noticed_in_every_format(tmp_path, suffix):
    site = Site(tmp_path)
    path = site.add("P1", GRID, suffix=suffix)
    path.write_bytes(path.read_bytes()[:-2000])
    assert codes(site, 20.5)[0] in ("unreadable", "header_lies")


def test_15_a_header_that_claims_the_memory_away_is_refused_at_once(site):
    edit_header(volume(site), 42, "3h", 32000, 32000, 32000)
    started = time.perf_counter()
    assert codes(site) == ["implausible_size", "header_lies"]
    assert time.perf_counter() - started < 1


def test_15_a_header_may_not_claim_more_than_its_file_can_hold(site):
    edit_header(volume(site), 42, "3h", 600, 600, 600)
    assert codes(site) == ["header_lies"]


def test_15_a_compression_bomb_is_never_unpacked(site):
    header = gzip.decompress(volume(site).read_bytes())[:352]
    volume(site).write_bytes(gzip.compress(header + bytes(200 << 20), 9))  # 200 MB in 0.2 MB
    started = time.perf_counter()
    assert codes(site) == ["header_lies"]
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("suffix", ["nii.gz", "nii"])
def test_15_a_file_that_holds_much_more_than_its_header_says_is_refused(tmp_path, suffix):
    site, grid = Site(tmp_path), a_grid("LPS", (128, 128, 40))
    file = site.add("P1", grid, suffix="nii")
    content = bytearray(file.read_bytes())
    struct.pack_into("<h", content, 46, 20)  # 20 slices of 40: 1.3 MB are over
    file.unlink()
    volume(site, suffix).write_bytes(gzip.compress(bytes(content), 1) if suffix == "nii.gz" else bytes(content))
    assert codes(site, 10.0) == ["header_lies"]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_16_values_that_are_no_numbers_are_counted_and_refused(tmp_path, wrong):
    site, voxels = Site(tmp_path), grey_voxels(GRID)
    voxels[3, 4, 5] = wrong  # far from the slices
    site.add("P1", GRID, voxels)
    refused = extract_stack(site.source, "P1", 20.5, site.parameters)
    assert [(finding.code, finding.found) for finding in refused.findings] == [
        ("not_finite", "1 voxels that are no numbers")
    ]


@pytest.mark.parametrize(("grey", "code"), [(0.0, "constant"), (7.0, "constant")])
def test_16_a_constant_volume_is_refused(tmp_path, grey, code):
    site = Site(tmp_path)
    site.add("P1", GRID, np.full(GRID.shape, grey, dtype=np.float32))
    assert codes(site, 20.5) == [code]


@pytest.mark.parametrize("method", ["maximum", "percentile", "z_score"])
def test_16_normalising_never_divides_by_zero(tmp_path, method):
    site = Site(tmp_path, slice_parameters(intensity__method=method))
    voxels = np.zeros(GRID.shape, dtype=np.float32)
    voxels[16, 16, 20] = -5.0
    site.add("P1", GRID, voxels)
    result = extract_stack(site.source, "P1", 20.5, site.parameters)
    assert isinstance(result, RefusedPatient) or np.isfinite(result.pixels).all()


def test_16_a_bad_scale_in_the_header_is_refused(site):
    edit_header(volume(site), 112, "f", np.nan)
    assert codes(site) == ["bad_scale"]


@pytest.mark.parametrize("spacing", [0.0, 0.001, 300.0])
def test_17_an_implausible_spacing_is_refused_and_not_repaired(site, spacing):
    edit_header(volume(site), 88, "f", spacing)
    edit_header(volume(site), 320, "f", spacing)
    assert codes(site) == ["implausible_spacing"]


@pytest.mark.parametrize("spacing", [0.0, -1.0, np.nan])
@pytest.mark.parametrize(("qform", "sform"), [(1, 0), (0, 1), (1, 1)])
def test_17_a_size_of_voxels_that_none_has_is_refused_beside_either_transform(site, spacing, qform, sform):
    edit_header(volume(site), 80, "f", spacing)
    edit_header(volume(site), 252, "2h", qform, sform)
    assert codes(site) == ["implausible_spacing"]


def test_17_voxels_of_another_size_than_their_only_transform_says_are_refused_unless_it_is_trusted(site):
    edit_header(volume(site), 88, "f", 5.0)
    edit_header(volume(site), 252, "h", 0)
    (finding,) = extract_stack(site.source, "P1", None, site.parameters).findings
    assert (finding.where, finding.found) == ("pixdim and sform in t1gd.nii.gz", "156.00 mm apart")  # 39 steps of 4 mm
    site.parameters = slice_parameters(geometry__affine="sform")
    assert stack_of(site).record["spacing_k_mm"] == 1.0


def test_17_known_wrong_headers_can_be_overruled(site):
    from dataclasses import replace

    source = replace(site.source, spacing_mm=(1.0, 1.0, 2.0))
    stack = extract_stack(source, "P1", None, site.parameters)
    assert isinstance(stack, SliceStack)
    assert stack.record["spacing_k_mm"] == 2.0


def test_18_a_volume_without_any_orientation_is_refused(site):
    edit_header(volume(site), 252, "2h", 0, 0)
    assert codes(site) == ["no_orientation"]


def test_18_transforms_that_differ_are_refused_unless_one_is_trusted(site):
    edit_header(volume(site), 292, "f", -40.0)  # the s-form's shift towards R
    assert codes(site) == ["transforms_differ"]
    site.parameters = slice_parameters(geometry__affine="qform")
    assert stack_of(site).record["center_slice_mm"] == 20.5


@pytest.mark.parametrize("missing", ["space directions", "space:", "space origin"])
def test_18_an_nrrd_file_without_orientation_is_refused(tmp_path, missing):
    site = Site(tmp_path)
    path = site.add("P1", GRID, suffix="nrrd")
    head, _, pixels = path.read_bytes().partition(b"\n\n")
    lines = [line for line in head.split(b"\n") if not line.startswith(missing.encode())]
    path.write_bytes(b"\n".join(lines) + b"\n\n" + pixels)
    assert codes(site, 20.5)[0] in ("no_orientation", "unreadable")


@pytest.mark.parametrize("line", [b" " * 2000 + b"Z", b"sizes: " + b"Z" * 2000 + b":=", b"# so\r" + b"Z" * 2000])
def test_14_an_nrrd_line_that_would_end_the_process_is_refused_before_it_is_parsed(tmp_path, monkeypatch, line):
    site = Site(tmp_path)
    path = site.add("P1", GRID, suffix="nrrd")
    head, end, pixels = path.read_bytes().partition(b"\n\n")
    path.write_bytes(head + b"\n" + line + end + pixels)
    monkeypatch.setattr("SimpleITK.ImageFileReader", lambda: pytest.fail("it was parsed"))
    assert codes(site) == ["unreadable"]


def test_a_long_note_in_an_nrrd_header_is_no_fault(tmp_path):
    site = Site(tmp_path)
    path = site.add("P1", GRID, suffix="nrrd")
    site.add_mask("P1", GRID, ellipsoid(GRID, LESION_MM, (5.0, 5.0, 5.0)))
    head, end, pixels = path.read_bytes().partition(b"\n\n")
    path.write_bytes(head + b"\n# " + b"Z" * 2000 + b"\nnote:=" + b"a: " * 1000 + end + pixels)
    assert stack_of(site).record["format"] == "nrrd"


LONG_HEADER = {"nrrd": b"# of which nobody reads more than the beginning\n", "mha": b"Comment = as above\n"}


@pytest.mark.parametrize("n_lines", [0, 60_000])
@pytest.mark.parametrize(
    ("suffix", "pointer"),
    [
        ("nrrd", b"data file: "),
        ("nrrd", b"# so\rdata file: "),
        ("nrrd", b"# so\r\rdata file: "),
        ("mha", b"ElementDataFile = "),
        ("mha", b"ElementDataFile : "),
    ],
    ids=["nrrd", "nrrd of a Mac", "nrrd with a gap", "mha", "mha with a colon"],
)
def test_18_pixels_in_another_file_are_refused(tmp_path, suffix, pointer, n_lines):
    site = Site(tmp_path)
    path, elsewhere = site.add("P1", GRID, suffix=suffix), tmp_path / "of another patient.raw"
    head, _, pixels = path.read_bytes().partition({"nrrd": b"\n\n", "mha": b"\nElementDataFile = LOCAL\n"}[suffix])
    elsewhere.write_bytes(pixels)
    path.write_bytes(head + b"\n" + LONG_HEADER[suffix] * n_lines + pointer + str(elsewhere).encode() + b"\n\n")
    assert codes(site, 20.5)[0] in ("external_pixels", "unreadable")


@pytest.mark.parametrize(("offset", "form", "values", "code"), [
    (40, "8h", (4, 32, 32, 10, 4, 1, 1, 1), "not_three_dimensional"),
    (40, "8h", (2, 32, 1280, 1, 1, 1, 1, 1), "not_three_dimensional"),
    (70, "h", (128,), "not_scalar"),
])  # fmt: skip
def test_19_volumes_of_other_shapes_are_refused(site, offset, form, values, code):
    edit_header(volume(site), offset, form, *values)
    assert codes(site)[0] == code


def test_23_two_volumes_of_one_patient_are_refused(site):
    site.add("P1", GRID, suffix="nrrd")
    assert codes(site) == ["several_volumes"]


def test_24_an_empty_mask_is_refused(site):
    site.add_mask("P1", GRID, np.zeros(GRID.shape))
    assert codes(site) == ["empty_lesion_mask"]


CUBE = a_grid("LPS", (100, 100, 100))  # a litre


@pytest.mark.parametrize(("n_slices", "volume_ml"), [(100, 1000), (51, 510)])
def test_24_a_mask_that_is_larger_than_any_lesion_is_refused(tmp_path, n_slices, volume_ml):
    site, mask = Site(tmp_path), np.zeros(CUBE.shape)
    mask[:, :, :n_slices] = 1
    site.add("P1", CUBE)
    site.add_mask("P1", CUBE, mask)
    refused = extract_stack(site.source, "P1", None, site.parameters)
    (finding,) = refused.findings
    assert (finding.code, finding.where) == ("lesion_mask_too_large", "lesion_mask.nii.gz")
    assert (finding.found, finding.expected) == (f"{volume_ml} ml of lesion", "at most 500 ml")
    assert "lesion_labels" in finding.remedy


def test_24_a_mask_as_large_as_the_limit_is_kept(tmp_path):
    site, mask = Site(tmp_path), np.zeros(CUBE.shape)
    mask[:, :, 25:75] = 1
    site.add("P1", CUBE)
    site.add_mask("P1", CUBE, mask)
    assert stack_of(site).record["lesion_volume_mm3"] == 500_000


def test_24_a_mask_without_the_chosen_label_is_refused(site):
    from dataclasses import replace

    refused = extract_stack(replace(site.source, lesion_labels=(4,)), "P1", None, site.parameters)
    assert [finding.code for finding in refused.findings] == ["empty_lesion_mask"]


def test_24_a_mask_of_the_same_shape_at_another_place_is_refused(site):
    moved = a_grid("LPS", (32, 32, 40), centre_mm=(3.0, -7.0, 20.1))
    site.add_mask("P1", moved, ellipsoid(GRID, LESION_MM, (5.0, 5.0, 5.0)))
    assert codes(site) == ["lesion_mask_elsewhere"]


def test_24_a_mask_of_the_same_voxels_stored_flipped_is_right(site):
    flipped = a_grid("RAI", (32, 32, 40))
    before = stack_of(site)
    site.add_mask("P1", flipped, ellipsoid(flipped, LESION_MM, (5.0, 5.0, 5.0)))
    after = stack_of(site)
    assert after.record["center_slice_mm"] == before.record["center_slice_mm"]
    assert np.array_equal(after.lesion, before.lesion)


def test_24_a_lesion_outside_the_volume_is_refused(site):
    elsewhere = a_grid("LPS", (20, 20, 20), centre_mm=(3.0, -7.0, 60.0))
    site.add_mask("P1", elsewhere, np.ones(elsewhere.shape))
    assert codes(site) == ["lesion_mask_elsewhere"]


def test_24_a_lesion_in_the_air_beside_the_head_is_refused(site):
    air = (positions(GRID) - LESION_MM)[..., 0] > 5.0
    site.add("P1", GRID, np.where(air, 1.0, grey_voxels(GRID)))
    assert stack_of(site).record["source"] == "mask"
    site.add_mask("P1", GRID, ellipsoid(GRID, (15.0, -7.5, 20.5), (3.0, 3.0, 3.0)))
    assert codes(site) == ["lesion_mask_elsewhere"]


def test_24_a_dark_lesion_of_centred_grey_values_is_not_taken_for_air(site):
    lesion = ellipsoid(GRID, LESION_MM, (3.0, 3.0, 3.0))
    site.add("P1", GRID, np.where(lesion, -200.0, grey_voxels(GRID) - grey_voxels(GRID).mean()))
    site.add_mask("P1", GRID, lesion)
    assert stack_of(site).record["source"] == "mask"


def test_24_a_label_below_zero_is_no_lesion(site):
    ball = ellipsoid(GRID, LESION_MM, (3.0, 3.0, 3.0))
    unknown = ellipsoid(GRID, (3.5, -7.5, 8.5), (5.0, 5.0, 5.0))
    write_file(site.root / "P1" / "lesion_mask.nii.gz", ball.astype(np.int8) - unknown.astype(np.int8), GRID)
    assert stack_of(site).record["lesion_volume_mm3"] == ball.sum()
    write_file(site.root / "P1" / "lesion_mask.nii.gz", -ball.astype(np.int8), GRID)
    assert codes(site) == ["empty_lesion_mask"]


def test_24_another_grid_can_be_forbidden(site):
    finer = a_grid("LPS", (20, 20, 20), (0.5, 0.5, 0.5), centre_mm=LESION_MM)
    site.add_mask("P1", finer, np.ones(finer.shape))
    assert stack_of(site).record["source"] == "mask"
    site.parameters = slice_parameters(geometry__lesion_mask_grid="same")
    assert codes(site) == ["lesion_mask_elsewhere"]


def test_24_of_several_lesions_the_largest_cross_section_decides(site):
    large, small = (
        ellipsoid(GRID, (3.5, -7.5, 28.5), (6.0, 6.0, 4.0)),
        ellipsoid(GRID, (3.5, -7.5, 10.5), (3.0, 3.0, 3.0)),
    )
    site.add_mask("P1", GRID, large | small)
    record = stack_of(site).record
    assert (record["center_slice_mm"], record["lesion_parts"]) == (28.5, 2)


@pytest.mark.parametrize(("at_mm", "first_mm", "last_mm"), [(2.5, 0.5, 8.5), (38.5, 31.5, 39.5), (20.5, 16.5, 24.5)])
def test_25_at_the_volumes_end_the_block_of_slices_is_shifted_and_none_repeated(site, at_mm, first_mm, last_mm):
    site.add_mask("P1", GRID, ellipsoid(GRID, (3.5, -7.5, at_mm), (5.0, 5.0, 1.2)))
    stack = stack_of(site)
    record = stack.record
    assert (record["center_slice_mm"], record["first_slice_mm"], record["last_slice_mm"]) == (at_mm, first_mm, last_mm)
    assert record["shifted"] == (at_mm != 20.5)
    assert len({picture.tobytes() for picture in stack.pixels}) == 9


def test_25_a_volume_with_fewer_than_nine_slices_is_refused(tmp_path):
    site = Site(tmp_path)
    site.add("P1", a_grid("LPS", (32, 32, 8), (1.0, 1.0, 5.0)))
    assert codes(site, 20.0) == ["too_few_slices"]


def test_25_a_chosen_slice_outside_the_volume_is_refused(site):
    assert codes(site, 500.0) == ["centre_outside_volume"]
    assert stack_of(site, 30.25).record["source"] == "column"


def test_s4_a_link_out_of_the_imaging_folder_is_refused(tmp_path):
    site = Site(tmp_path / "site")
    outside = write_file(tmp_path / "elsewhere.nii.gz", grey_voxels(GRID), GRID)
    (site.root / "P1").mkdir(parents=True)
    volume(site).symlink_to(outside)
    assert codes(site, 20.5) == ["outside_the_folder"]


@pytest.mark.parametrize("patient_id", ["../P1", "/etc/passwd", "P1/../../x", "a" * 65, ""])
def test_s4_hostile_patient_ids_never_become_paths(site, patient_id):
    refused = extract_stack(site.source, patient_id, 20.5, site.parameters)
    assert [finding.code for finding in refused.findings] == ["unsafe_patient_id"]


@pytest.mark.parametrize("pattern", ["/etc/<patient_id>", "../<patient_id>", "t1gd.nii.gz"])
def test_s4_patterns_stay_below_the_imaging_folder(pattern):
    from gliocast.imaging.patterns import PathPattern

    with pytest.raises(InputError):
        PathPattern(pattern)


def inaccessible(site: Site) -> list[tuple[str, str]]:
    """Where, and what was found, of a patient of whom something cannot be opened."""
    refused = extract_stack(site.source, "P1", None, site.parameters)
    assert isinstance(refused, RefusedPatient), "the patient was accepted"
    assert {finding.code for finding in refused.findings} == {"inaccessible"}
    return [(finding.where, finding.found) for finding in refused.findings]


CLOSED = "not readable (Permission denied)"


@pytest.mark.parametrize("suffix", ["nii.gz", "nii", "nrrd", "mha"])
def test_41_a_volume_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch, suffix):
    site = Site(tmp_path)
    close(monkeypatch, site.add("P1", GRID, suffix=suffix))
    assert inaccessible(site) == [(f"t1gd.{suffix}", CLOSED)]


def test_41_a_lesion_mask_that_may_not_be_read_is_named(site, monkeypatch):
    close(monkeypatch, site.root / "P1/lesion_mask.nii.gz")
    assert inaccessible(site) == [("lesion_mask.nii.gz", CLOSED)]


@pytest.mark.parametrize("pattern", ["<patient_id>/t1gd.nii.gz", "<patient_id>/*.nii.gz"])
def test_41_a_patients_folder_that_may_not_be_looked_into_is_no_absent_image(site, monkeypatch, pattern):
    from dataclasses import replace

    close(monkeypatch, site.root / "P1")
    refused = extract_stack(replace(site.source, volumes=(pattern,)), "P1", None, site.parameters)
    where = pattern
    assert [(finding.code, finding.where, finding.found) for finding in refused.findings] == [
        ("inaccessible", where, CLOSED)
    ]


def test_41_an_imaging_folder_that_may_not_be_looked_into_ends_the_run_in_a_sentence(site, monkeypatch):
    close(monkeypatch, site.root)
    with pytest.raises(ImagingError, match="the imaging folder: not readable") as raised:
        site.source.patient_ids()
    assert str(site.root) not in str(raised.value)


@pytest.mark.parametrize("name", ["t1gd.nii.gz", "lesion_mask.nii.gz"])
def test_41_a_link_to_nothing_is_told_and_not_passed_over(site, name):
    (site.root / "P1" / name).unlink()
    (site.root / "P1" / name).symlink_to(site.root / "nowhere")
    assert inaccessible(site) == [(name, "gone, or a link to nothing")]


def test_41_a_link_to_nothing_in_the_place_of_a_folder_of_lesion_masks_is_told(site):
    (site.root / "P1/lesion_mask.nii.gz").unlink()
    (site.root / "P1/lesion_mask").symlink_to(site.root / "nowhere")
    assert inaccessible(site) == [("lesion_mask", "gone, or a link to nothing")]
