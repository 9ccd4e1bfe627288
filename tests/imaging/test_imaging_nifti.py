"""Packed volumes of which only a part is kept."""

from __future__ import annotations

import numpy as np
import pytest

from gliocast.imaging.files import open_file
from gliocast.imaging.lesion import cut_out
from gliocast.imaging.nifti_volume import NiftiVolume
from imaging_phantoms import a_grid, slice_parameters, write_file

RULES = slice_parameters().geometry


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A packed volume of several pieces, its voxels all above 0, and a mask of a few slices."""
    folder, grid = tmp_path_factory.mktemp("large"), a_grid("LPS", (200, 200, 160))
    voxels = np.random.default_rng(0).integers(1, 900, grid.shape).astype(np.int16)
    mask = np.zeros(grid.shape, np.uint8)
    mask[80:90, 70:90, 60:64] = 1
    volume = open_file(write_file(folder / "t1gd.nii.gz", voxels, grid), RULES)
    return volume, voxels, open_file(write_file(folder / "mask.nii.gz", mask, grid), RULES)


@pytest.mark.parametrize(
    "asked", [[(10, 12)], [(10, 12), (140, 145), (79, 81)], [(140, 160), (0, 160)], [(0, 160), (5, 6)]]
)
def test_slices_read_in_any_order_are_those_of_the_whole(large, asked):
    volume, voxels, _ = large
    anew = NiftiVolume(volume.path, RULES)
    for start, stop in asked:
        assert np.array_equal(
            anew.read((slice(3, 190), slice(0, 200), slice(start, stop))), voxels[3:190, :, start:stop]
        )


def test_a_mask_is_searched_where_it_holds_anything_and_nowhere_else(large):
    *_, mask = large
    lesion = cut_out(mask.voxels[mask.filled], mask.grid.cropped(mask.filled), (), "mask")
    whole = cut_out(mask.voxels, mask.grid, (), "mask")
    assert 40 < mask.filled[2].start <= 60 < 64 <= mask.filled[2].stop < 110
    assert lesion.voxels.shape == whole.voxels.shape == (10, 20, 4)
    assert np.allclose(lesion.grid.corners_mm(), whole.grid.corners_mm(), rtol=0, atol=1e-6)
