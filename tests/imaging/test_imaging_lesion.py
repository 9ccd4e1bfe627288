from __future__ import annotations

import numpy as np
import pytest

from gliocast.imaging.lesion import Lesion, area_profile, cut_out, largest_section_mm
from imaging_phantoms import a_grid

SIDES = (0, 0, 10, 20, 14, 18, 8, 0, 0)  # the lesion's squares, voxels of 1 mm, slice by slice: the fourth is 400 mm²
TILTS = [0.0, 0.0005, 0.01, 0.1, 0.3, 1.0]  # degrees; the first of them a rounded header


def squares(sides=SIDES, thickness_mm: float = 5.0, turned_degrees=(0.0, 0.0, 0.0)) -> Lesion:
    """A lesion of one square a slice; the middle of the fifth slice lies at 20 mm."""
    grid = a_grid("RAS", (40, 40, 9), (1.0, 1.0, thickness_mm), turned_degrees=turned_degrees)
    voxels = np.zeros(grid.shape, dtype=bool)
    for place, side in enumerate(sides):
        voxels[20 - side // 2 : 20 + side // 2, 20 - side // 2 : 20 + side // 2, place] = True
    return cut_out(voxels, grid, (), "the phantom")


@pytest.mark.parametrize("thickness_mm", [5.0, 1.0])
@pytest.mark.parametrize("turn", [(tilt, 0.0, 0.0) for tilt in TILTS] + [(0.1, -0.1, 3.0), (0.0, 0.0, 12.0)])
def test_a_slight_tilt_neither_moves_nor_enlarges_the_largest_section(turn, thickness_mm):
    lesion = squares(thickness_mm=thickness_mm, turned_degrees=turn)
    position, area = largest_section_mm(lesion, 2, lesion.grid)
    assert position == pytest.approx(20.0 - thickness_mm, abs=0.01)
    assert area == pytest.approx(400.0, rel=2e-3)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "RPI", "SPR", "IPR"])
def test_the_largest_of_uneven_sections_is_found_whichever_way_the_slices_are_stored(orientation):
    """Two, four and six voxels at 18, 19 and 20 mm: a pear, whose profile is another one when it is turned over."""
    grid = a_grid(orientation, (21, 21, 21), centre_mm=(0.0, 0.0, 15.0))
    places = np.moveaxis(np.indices(grid.shape), 0, -1).astype(float)
    x, y, z = np.moveaxis(grid.to_mm(places).round(6), -1, 0)
    voxels = (y == 0) & (x >= 0) & (((z == 18) & (x < 2)) | ((z == 19) & (x < 4)) | ((z == 20) & (x < 6)))
    positions, areas = area_profile(cut_out(voxels, grid, (), "the phantom"), 2)
    assert positions == pytest.approx([18, 19, 20])
    assert areas == pytest.approx([2, 4, 6])
    assert largest_section_mm(cut_out(voxels, grid, (), "the phantom"), 2, grid) == pytest.approx((20, 6))


def test_a_tilted_slice_is_as_large_as_a_horizontal_cut_through_it():
    lesion = squares((0, 0, 0, 0, 20, 0, 0, 0, 0), 10.0, (5.0, 0.0, 0.0))
    area = largest_section_mm(lesion, 2, lesion.grid)[1]
    assert area == pytest.approx(400.0 / np.cos(np.radians(5.0)), rel=1e-3)


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.1, 0.0, 0.0), (5.0, -7.0, 11.0), (0.0, 25.0, 0.0)])
def test_the_areas_of_all_planes_add_up_to_the_volume(turn):
    lesion = squares(turned_degrees=turn)
    positions, areas = area_profile(lesion, 2)
    assert np.trapezoid(areas, positions) + 5.0 * (areas[0] + areas[-1]) / 2 == pytest.approx(lesion.volume_mm3)


def test_of_equally_large_slices_a_stacked_mask_gives_the_one_nearest_to_the_centre_of_gravity():
    lesion = squares((0, 0, 20, 20, 20, 10, 10, 0, 0))
    assert largest_section_mm(lesion, 2, lesion.grid)[0] == 15.0  # 10, 15 or 20 mm; it lies at 16.8 mm


@pytest.mark.parametrize("thickness_mm", [5.0, 0.7, 0.3, 1.1])
def test_of_two_slices_equally_near_to_the_centre_of_gravity_the_lower_counts(thickness_mm):
    lesion = squares((0, 0, 20, 10, 20, 0, 0, 0, 0), thickness_mm)
    assert largest_section_mm(lesion, 2, lesion.grid)[0] == pytest.approx(20.0 - 2 * thickness_mm)


def test_a_largest_section_half_a_slice_beyond_the_volume_counts_at_its_last_slice():
    lesion, volume = squares(thickness_mm=1.0), a_grid("RAS", (40, 40, 10), centre_mm=(3.0, -7.0, 24.0))
    assert largest_section_mm(lesion, 2, volume)[0] == 19.5  # of 19.0; the volume begins at 19.5 mm


def test_voxels_that_touch_at_a_corner_are_one_part():
    voxels = np.zeros((9, 9, 9), dtype=bool)
    voxels[[1, 2, 5], [1, 2, 5], [1, 2, 5]] = True
    assert cut_out(voxels, a_grid("RAS", (9, 9, 9)), (), "the phantom").n_parts == 2


def test_of_equally_large_planes_an_oblique_mask_gives_the_middle_one():
    lesion = squares((0, 0, 20, 20, 20, 0, 0, 0, 0), turned_degrees=(1.0, 0.0, 0.0))
    assert largest_section_mm(lesion, 2, lesion.grid)[0] == pytest.approx(15.0, abs=0.02)


def test_a_voxel_that_the_lesion_fills_in_part_counts_from_one_half_on():
    grid = a_grid("RAS", (9, 1, 1))
    fractions = np.array([0.0, 0.1, 0.49, 0.5, 1.0, 0.6, 0.4, 0.2, 0.0]).reshape(grid.shape)
    assert cut_out(fractions, grid, (), "the phantom").volume_mm3 == pytest.approx(3.0)
