from __future__ import annotations

import numpy as np
import pytest

from gliocast.imaging.findings import RefusedPatient
from gliocast.imaging.grid import Grid
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.study import extract_stack
from imaging_phantoms import Site, a_grid, ellipsoid, slice_parameters

CENTRE_MM = (0.0, 0.0, 0.0)
LESION_MM = (28.0, 15.0, 25.0)


def a_head(grid: Grid, *lesions_mm: tuple[float, float, float], radius_mm: float = 12.0) -> np.ndarray:
    """Scalp, skull, brain, and bright spheres in it."""
    rng = np.random.default_rng(4)
    voxels = rng.rayleigh(2.0, grid.shape)
    for radii, grey in (((75, 92, 95), 900), ((70, 87, 90), 60), ((64, 81, 84), 400)):
        voxels[ellipsoid(grid, CENTRE_MM, radii)] = grey
    for lesion in lesions_mm:
        voxels[ellipsoid(grid, lesion, (radius_mm,) * 3)] = 650
    return (voxels + rng.normal(0, 20, grid.shape)).astype(np.float32)


def extracted(root, grid: Grid, voxels: np.ndarray, **changes) -> SliceStack | RefusedPatient:
    site = Site(root, slice_parameters(field_of_view_mm=256.0, **changes))
    site.add("P1", grid, voxels)
    return extract_stack(site.source, "P1", None, site.parameters)


@pytest.mark.parametrize("orientation", ["LPS", "RAI", "PSR"])
def test_a_bright_lesion_on_one_side_is_found(tmp_path, orientation):
    sides = {letter: size for size, letters in ((84, "RL"), (100, "AP"), (100, "SI")) for letter in letters}
    grid = a_grid(orientation, tuple(sides[letter] for letter in orientation), (2.0, 2.0, 2.0), CENTRE_MM)
    stack = extracted(tmp_path, grid, a_head(grid, LESION_MM))
    assert isinstance(stack, SliceStack)
    assert stack.record["source"] == "localiser"
    assert abs(stack.record["center_slice_mm"] - 25.0) < 2.0
    assert stack.record["confidence"] > 0.8
    assert stack.lesion[4].any()


def test_without_a_lesion_the_confidence_says_so(tmp_path):
    grid = a_grid("LPS", (84, 100, 100), (2.0, 2.0, 2.0), CENTRE_MM)
    stack = extracted(tmp_path, grid, a_head(grid))
    assert isinstance(stack, SliceStack)
    assert stack.record["confidence"] < 0.5
    assert [doubt.code for doubt in stack.doubts] == ["lesion_uncertain"]


def test_without_a_lesion_the_slices_lie_where_most_lesions_do_and_that_is_said(tmp_path):
    grid = a_grid("LPS", (84, 100, 100), (2.0, 2.0, 2.0), CENTRE_MM)
    stack = extracted(tmp_path, grid, a_head(grid), localiser__doubt_below=0.0)
    assert isinstance(stack, SliceStack)
    assert stack.record["center_slice_mm"] == pytest.approx(95.0 - 74.0, abs=5.0)  # the vertex is at 95 mm
    assert not stack.lesion.any()
    assert [doubt.found for doubt in stack.doubts] == ["confidence 0.00, so that the slices lie where most lesions do"]


def test_of_two_candidates_the_one_at_the_usual_height_is_taken_though_it_is_smaller(tmp_path):
    grid = a_grid("LPS", (84, 100, 100), (2.0, 2.0, 2.0), CENTRE_MM)
    voxels = a_head(grid, (20.0, 10.0, 60.0))
    voxels[ellipsoid(grid, (-28.0, -20.0, 20.0), (10.0,) * 3)] = 650
    stack = extracted(tmp_path, grid, voxels)
    assert isinstance(stack, SliceStack)
    assert abs(stack.record["center_slice_mm"] - 20.0) < 2.0


def test_two_equal_candidates_lower_the_confidence_and_can_exclude(tmp_path):
    grid = a_grid("LPS", (84, 100, 100), (2.0, 2.0, 2.0), CENTRE_MM)
    voxels = a_head(grid, (28.0, 20.0, 20.0), (-28.0, -20.0, 20.0))
    refused = extracted(tmp_path, grid, voxels, localiser__min_confidence=0.6)
    assert isinstance(refused, RefusedPatient)
    assert [finding.code for finding in refused.findings] == ["lesion_not_found"]


def test_patients_without_a_mask_can_be_excluded(tmp_path):
    grid = a_grid("LPS", (84, 100, 100), (2.0, 2.0, 2.0), CENTRE_MM)
    refused = extracted(tmp_path, grid, a_head(grid, LESION_MM), localiser__without_mask="exclude")
    assert isinstance(refused, RefusedPatient)
    assert [finding.code for finding in refused.findings] == ["lesion_mask_missing"]
