from __future__ import annotations

import numpy as np
import pytest

from gliocast.imaging.findings import Refused
from gliocast.imaging.grid import Grid
from gliocast.imaging.planes import slice_planes, slice_positions_mm
from gliocast.imaging.sampling import _general, _refinement, _weights, sample_mask
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.study import extract_stack
from imaging_phantoms import GREY, Site, a_grid, ellipsoid, grey_at, grey_voxels, positions, slice_parameters

LESION_MM = (8.0, -12.0, 24.0)
RADII_MM = (6.0, 7.0, 5.0)
ORIENTATIONS = ["LPS", "RAS", "LAS", "RPI", "PSR", "AIL", "SRA", "PIR"]
TENTH_MM = 0.1 * GREY.min()  # what a slice's mean changes by when it lies 0.1 mm off, along whichever axis
TURNS = [(1.0, 0.0, 0.0), (0.0, 0.0, 12.0), (9.0, 0.0, 0.0), (5.0, -7.0, 11.0), (0.0, 25.0, 0.0)]


def extracted(site: Site, patient_id: str = "P1") -> SliceStack:
    stack = extract_stack(site.source, patient_id, None, site.parameters)
    assert isinstance(stack, SliceStack), stack
    return stack


def expected_grey(stack: SliceStack, grid: Grid, site: Site) -> np.ndarray:
    """The phantom's grey value at every pixel of the slices, by the position that the manifest claims."""
    first, count = stack.record["first_slice_mm"], site.parameters.count
    planes = slice_planes(first + np.arange(count) * site.parameters.distance_mm, grid.centre_mm, site.parameters)
    return grey_at(positions(planes)).transpose(2, 1, 0)


def assert_grey_is_where_it_should_be(stack: SliceStack, grid: Grid, site: Site) -> None:
    expected = expected_grey(stack, grid, site)
    grey = stack.pixels.astype(np.float32) * stack.record["intensity_scale"]
    middle = np.s_[:, 6:-6, 6:-6]  # a turned volume does not fill the corners of the picture
    apart = (grey - expected)[middle]
    assert np.abs(apart).max() < 0.3  # one pixel: half precision alone rounds by up to 0.25 at 500
    assert np.abs(apart.mean(axis=(1, 2))).max() < TENTH_MM  # a slice: rounding cancels out, a displacement does not


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("suffix", ["nii.gz", "nii", "nrrd", "mha"])
def test_the_same_nine_slices_come_out_of_every_format_and_orientation(tmp_path, orientation, suffix):
    site, grid = Site(tmp_path), a_grid(orientation, shape=(56, 56, 56))
    site.add("P1", grid, suffix=suffix)
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM), suffix=suffix)
    stack = extracted(site)
    assert abs(stack.record["center_slice_mm"] - 24.0) <= 0.5  # voxel centres lie half a millimetre apart from it
    assert_grey_is_where_it_should_be(stack, grid, site)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("orientation", ["LPS", "PSR"])
def test_oblique_acquisitions_are_cut_along_scanner_axes(tmp_path, orientation, turn):
    site, grid = Site(tmp_path), a_grid(orientation, shape=(64, 64, 64), turned_degrees=turn)
    site.add("P1", grid)
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    stack = extracted(site)
    assert abs(stack.record["center_slice_mm"] - 24.0) < 0.6
    assert_grey_is_where_it_should_be(stack, grid, site)


def test_anisotropic_voxels_and_a_mask_on_another_grid(tmp_path):
    site = Site(tmp_path)
    grid = a_grid("LPS", (110, 56, 30), (0.5, 1.0, 2.5))
    finer = a_grid("RAS", (40, 40, 40), (0.8, 0.8, 0.8), centre_mm=LESION_MM)
    site.add("P1", grid)
    site.add_mask("P1", finer, ellipsoid(finer, LESION_MM, RADII_MM))
    stack = extracted(site)
    assert abs(stack.record["center_slice_mm"] - 24.0) <= 0.41  # half a voxel of the mask
    assert_grey_is_where_it_should_be(stack, grid, site)


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_slices_may_be_cut_along_any_axis(tmp_path, axis):
    site, grid = Site(tmp_path, slice_parameters(axis=axis)), a_grid("PSR", (56, 56, 56))
    site.add("P1", grid)
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    stack = extracted(site)
    assert abs(stack.record["center_slice_mm"] - LESION_MM[("sagittal", "coronal", "axial").index(axis)]) <= 0.5
    assert_grey_is_where_it_should_be(stack, grid, site)


@pytest.mark.parametrize(("axis", "along"), [("axial", 2), ("coronal", 1), ("sagittal", 0)])
def test_pictures_show_the_patient_as_a_radiologist_looks_at_them(tmp_path, axis, along):
    """Anterior, or superior, is above; the patient's right, in sagittal slices anterior, is on the left."""
    site, grid = Site(tmp_path, slice_parameters(axis=axis)), a_grid("RAS")
    place, radii = np.array([20.0, 10.0, 36.0]), np.full(3, 4.0)
    place[along], radii[along] = LESION_MM[along], 20.0
    site.add("P1", grid, grey_voxels(grid) + 300 * ellipsoid(grid, tuple(place), tuple(radii)))
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    row, column = np.unravel_index(extracted(site).pixels[4].argmax(), (32, 32))
    assert (row < 16, column < 16) == (True, True)


def test_slices_are_cut_where_they_are_said_to_lie_however_far_apart():
    parameters = slice_parameters(count=3, distance_mm=2.5)
    planes = slice_planes(np.array([10.0, 12.5, 15.0]), np.zeros(3), parameters)
    assert planes.to_mm(np.array([[0.0, 0.0, place] for place in range(3)]))[:, 2].tolist() == [10.0, 12.5, 15.0]


@pytest.mark.parametrize("axis", range(3))
def test_a_displacement_of_a_tenth_of_a_millimetre_is_noticed(tmp_path, axis):
    site, grid = Site(tmp_path), a_grid(shape=(56, 56, 56))
    site.add("P1", grid, grey_at(positions(grid) + 0.11 * np.eye(3)[axis]).astype(np.float32))
    site.add_mask("P1", grid, ellipsoid(grid, LESION_MM, RADII_MM))
    with pytest.raises(AssertionError):
        assert_grey_is_where_it_should_be(extracted(site), grid, site)


def test_orientation_names_the_stored_axes():
    assert a_grid("LPS").orientation == "LPS"
    assert a_grid("SRA", turned_degrees=(5.0, 5.0, 5.0)).orientation == "SRA"


@pytest.mark.parametrize("turn", TURNS)
def test_the_slices_of_a_turned_volume_reach_as_far_below_its_centre_as_above_it(turn):
    grid = a_grid("LPS", (60, 56, 50), turned_degrees=turn)
    assert np.mean([grid.span_mm(axis) for axis in range(3)], axis=1) == pytest.approx(grid.centre_mm)


def test_each_stored_axis_stands_for_one_anatomical_axis_though_two_may_be_nearest_to_it():
    grid = a_grid("RAS", turned_degrees=(40.0, 40.0, 0.0))
    assert [int(np.abs(grid.affine[axis, :3]).argmax()) for axis in range(3)] == [0, 1, 0]
    assert [grid.stored_axis(axis) for axis in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("distance_mm", [0.0, np.nan, np.inf])
def test_axes_that_point_nowhere_are_given_no_distance(distance_mm):
    grid = Grid((2, 2, 2), np.diag([1.0, 1.0, distance_mm, 1.0]))
    assert grid.with_spacing_mm((1.0, 1.0, 5.0)) is grid


def test_slices_lie_a_distance_apart_around_the_centre_and_move_as_a_block_into_the_volume():
    three = slice_parameters(count=3, distance_mm=4.0)
    assert slice_positions_mm(110.0, (100.0, 120.0), three).tolist() == [106, 110, 114]
    assert slice_positions_mm(101.0, (100.0, 120.0), three).tolist() == [100, 104, 108]
    assert slice_positions_mm(119.0, (100.0, 120.0), three).tolist() == [112, 116, 120]


@pytest.mark.parametrize("low", [-120.0, -3.0, 0.2, 100.0])  # in floating point, 0.2 + 8 - 0.2 is below 8
def test_a_volume_shorter_than_the_block_of_slices_is_refused_wherever_it_lies(low):
    with pytest.raises(Refused, match="volume"):
        slice_positions_mm(low + 3.0, (low, low + 7.0), slice_parameters(count=3, distance_mm=4.0))
    assert len(slice_positions_mm(low + 3.0, (low, low + 8.0), slice_parameters(count=3, distance_mm=4.0))) == 3


@pytest.mark.parametrize(("orientation", "spacing_mm"), [("LPS", (0.4, 1.0, 0.1)), ("SRA", (0.1, 1.0, 0.4))])
def test_a_pixel_is_the_mean_of_as_many_points_as_the_finest_voxels_within_the_slice_call_for(orientation, spacing_mm):
    assert slice_parameters().pixel_mm == 1.5
    assert _refinement(a_grid(orientation, (10, 10, 10), spacing_mm), slice_parameters()) == 4  # 1.5 / 0.4 = 3.75


def test_the_outermost_voxels_reach_one_step_further_where_slices_are_oblique_too():
    step = np.eye(4)
    step[0, 3] = -0.5
    assert _general(np.ones((2, 2, 2), np.float32), step, (3, 1, 1), 1).ravel().tolist() == [1.0, 1.0, 1.0]


def test_linear_weights_by_hand():
    """Between two voxels their share of the way; half a voxel beyond the last one its value; a whole one, air."""
    found = _weights(np.array([-1.0, -0.5, 0.25, 2.0, 2.5, 3.0]), n_voxels=3, averaged=1).toarray()
    assert found.tolist() == [[0, 0, 0], [1, 0, 0], [0.75, 0.25, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]
    averaged = _weights(np.array([0.0, 0.5, 1.0, 2.0]), n_voxels=3, averaged=2).toarray()
    assert averaged.tolist() == [[0.75, 0.25, 0], [0, 0.5, 0.5]]


def test_a_pixel_is_the_mean_of_the_finer_voxels_beneath_it(tmp_path):
    """Voxels of half a millimetre, every fourth one white, under pixels of two millimetres: a quarter of the white."""
    grid = a_grid("RAS", shape=(80, 80, 9), spacing_mm=(0.5, 0.5, 1.0))
    bars = np.zeros(grid.shape, dtype=np.float32)
    bars[::4] = 40.0 * np.arange(1, 10)  # each of the nine slices has a white of its own
    site = Site(tmp_path, slice_parameters(size_px=16, field_of_view_mm=32.0))
    site.add("P1", grid, voxels=bars)
    stack = extracted(site)
    grey = stack.pixels.astype(np.float32) * stack.record["intensity_scale"]
    assert grey == pytest.approx(np.broadcast_to(10.0 * np.arange(1, 10)[:, None, None], (9, 16, 16)), abs=0.1)


EIGHT_PIXELS = slice_parameters(count=1, size_px=8, field_of_view_mm=8.0)


@pytest.mark.parametrize(("share", "is_lesion"), [(0.4, False), (0.6, True)])
def test_a_pixel_is_lesion_where_more_than_half_of_its_neighbourhood_is(share, is_lesion):
    grid, lesion = Grid((9, 8, 2), np.eye(4)), np.zeros((9, 8, 2), dtype=bool)
    lesion[4:] = True  # the pixels lie at 7, 6, … 0 mm and that share of a millimetre: of the one beyond 3 so much is
    planes = slice_planes(np.array([0.0]), np.array([3.5 + share, 3.5, 0.0]), EIGHT_PIXELS)
    assert sample_mask(lesion, grid, planes).tolist() == [[[True] * 4 + [is_lesion] + [False] * 3] * 8]


def test_slices_beside_the_lesion_hold_none_of_it():
    planes = slice_planes(np.array([0.0]), np.array([50.0, 0.0, 0.0]), EIGHT_PIXELS)
    assert not sample_mask(np.ones((2, 2, 2), dtype=bool), Grid((2, 2, 2), np.eye(4)), planes).any()


def test_the_centre_of_a_grid_lies_between_its_first_and_last_voxel():
    assert Grid((3, 4, 5), np.diag([1.0, 1.0, 2.0, 1.0])).centre_mm.tolist() == [1.0, 1.5, 4.0]


def test_a_grid_covers_its_own_box_and_none_that_lies_a_hundredth_of_a_voxel_off():
    grid = a_grid("LPS", spacing_mm=(0.5, 0.5, 2.0))
    assert grid.covers_the_same_box(a_grid("LPS", spacing_mm=(0.5, 0.5, 2.0)))
    assert not grid.covers_the_same_box(a_grid("LPS", spacing_mm=(0.5, 0.5, 2.0), centre_mm=(3.0, -7.0, 20.005)))
