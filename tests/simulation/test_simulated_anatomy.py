"""What a simulated head, tumour and scanner are made of, by hand: a refactored phantom shows the same patients."""

from __future__ import annotations

import math
from dataclasses import astuple, replace

import numpy as np
import pytest

from gliocast.cohort.simulation.head import (
    AIR,
    BONE,
    CHOROID,
    CSF,
    DEEP_GREY,
    FAT,
    GREY,
    MARROW,
    MUSCLE,
    SKIN,
    VESSEL,
    WHITE,
    Head,
    below_the_brain,
    brain,
    bright_vessels,
    choroid,
    drawn_head,
    ellipsoid,
    in_brain,
    midline_distance,
    nuclei,
    rotation,
    ventricles,
    wrapping,
)
from gliocast.cohort.simulation.lesion import Lesion, appearance, drawn_center, with_lesion
from gliocast.cohort.simulation.parameters import VolumeGeometry
from gliocast.cohort.simulation.phantom import Scene, axis_mm, drawn_scene, measured, slice_positions_mm
from gliocast.cohort.simulation.texture import SmoothField, blend, drawn_field

SHARP = 0.001  # width of a border, mm
REACH = (80.0, 108.0, 88.0)
GEOMETRY = VolumeGeometry(size_px=48, slices=20, spacing_mm=256 / 48, slice_spacing_mm=8)


def grid(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None, None]


def points(*places: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places given as right, forward and up, mm."""
    x, y, z = (grid(*part) for part in zip(*places, strict=True))
    return x, y, z


def a_head() -> Head:
    return replace(
        drawn_head(np.random.default_rng(0), REACH),
        half_width=(70.0, 80.0),
        half_length=(90.0, 100.0),
        half_height=(120.0, 85.0),
        scalp=5.0,
        skull=10.0,
        csf_gap=2.0,
        ventricle_scale=(1.0, 2.0),
    )


def a_lesion(score: float = 0.0) -> Lesion:
    field = SmoothField(np.zeros((2, 2, 2), dtype=np.float32), 1.0, 0.0)
    return Lesion(np.array([10.0, 20.0, 30.0]), 20.0, np.array([1.0, 1.2, 0.5]), field, field, appearance(score))


def flat(values: np.ndarray) -> list[float]:
    return values.ravel().tolist()


@pytest.mark.parametrize(
    ("score", "look"),
    [(-40, (0.6, 1.25, 0.16, 14)), (0, (0.38, 1.1, 0.39, 9)), (40, (0.16, 0.95, 0.62, 4))],
)
def test_a_tumours_look_goes_from_the_most_to_the_least_aggressive(score, look):
    assert astuple(appearance(score)) == pytest.approx(look)


def test_a_tumour_is_a_core_in_a_ring_of_its_share_of_the_radius_in_fading_oedema():
    inside = grid(-9.1, -4.5, 1, 7.5, 7.7)  # a ring of 0.38 · 20 = 7.6 mm; 9 mm of oedema, 0.8 of it 0.5
    shown = with_lesion(np.full_like(inside, 0.75), a_lesion(), inside, grid(*[1] * 5), grid(*[0] * 5), SHARP)
    assert flat(shown) == pytest.approx([0.75, 0.65, 1.1, 1.1, 0.39])
    on_a_wide_border = with_lesion(grid(0.75), a_lesion(), grid(1), grid(1), grid(0), 4.0)
    assert flat(on_a_wide_border) == pytest.approx([0.55 + 0.75 * (1.1 - 0.55)])  # a quarter of it still oedema


def test_its_grain_brightens_ring_and_core_by_six_hundredths_and_moves_the_border_between_them_by_a_quarter():
    inside = grid(9.4, 9.6)
    shown = with_lesion(np.full_like(inside, 0.75), a_lesion(), inside, grid(1, 1), grid(1, 1), SHARP)
    assert flat(shown) == pytest.approx([1.1 * 1.06, 0.39 * 1.06])


def test_a_tumour_is_seen_only_where_there_is_brain():
    assert flat(with_lesion(grid(0.75), a_lesion(), grid(5), grid(0), grid(0), SHARP)) == [0.75]


def test_depth_in_a_tumour_is_its_stretched_distance_from_the_border_which_is_uneven():
    at = points((10, 20, 30), (30, 20, 30), (10, 30, 30), (10, 20, 50))
    assert flat(a_lesion().inside(at, grid(0, 0, 0, 0))) == pytest.approx([20, 0, 8, 10])
    assert flat(a_lesion().inside(points((30, 20, 30)), grid(1))) == pytest.approx([3.2])  # 0.16 of the radius


def test_a_tumour_pushes_the_brain_aside_by_a_third_of_its_radius_and_less_farther_out():
    x, y, z = a_lesion().pushed_aside(points((30, 20, 30), (46, 20, 30)), grid(0, -16))
    assert flat(x) == pytest.approx([30 - 6.4, 46 - 6.4 / math.e], abs=1e-4)  # 0.32 · 20; e-fold in 16 mm
    assert flat(y) == [20, 20]
    assert flat(z) == [30, 30]


def test_a_centre_lies_off_the_midline_and_deep_enough_in_the_brain():
    head = a_head()
    centers = [drawn_center(np.random.default_rng(seed), head, 20.0) for seed in range(300)]
    at = points(*map(tuple, centers))
    assert in_brain(at, head.depth(at), head).min() == pytest.approx(16.5, abs=0.5)  # half the radius, and 6 mm
    assert abs(at[0]).min() == pytest.approx(12.5, abs=0.5)  # 0.6 of the radius


def test_tissues_shine_as_after_gadolinium():
    assert (AIR, CSF, GREY, DEEP_GREY, WHITE) == (0.02, 0.2, 0.55, 0.6, 0.75)
    assert (BONE, MARROW, MUSCLE, SKIN, FAT) == (0.12, 0.34, 0.42, 0.6, 1.0)
    assert (CHOROID, VESSEL) == (1.1, 1.35)


def test_depth_below_the_skin_is_82_mm_in_the_middle_and_none_at_the_ends_of_each_half_axis():
    ends = [(0, 0, 0), (-70, 0, 0), (80, 0, 0), (0, -90, 0), (0, 100, 0), (0, 0, -120), (0, 0, 85), (160, 0, 0)]
    assert flat(a_head().depth(points(*ends))) == pytest.approx([82, 0, 0, 0, 0, 0, 0, -82], abs=1e-4)


def test_the_forehead_is_narrower_than_the_back_of_the_head():
    front, back = flat(a_head().depth(points((40, 50, 0), (40, -45, 0))))
    assert front == pytest.approx(82 * (1 - math.hypot(0.5 * 1.045, 0.5)), abs=1e-4)
    assert back == pytest.approx(82 * (1 - math.hypot(0.5 * 0.955, 0.5)), abs=1e-4)


def test_a_head_nods_leans_and_turns_in_this_order():
    x, y, z = np.eye(3)
    assert rotation(np.array([90.0, 0, 0])) @ y == pytest.approx(z)
    assert rotation(np.array([0, 90.0, 0])) @ z == pytest.approx(x)
    assert rotation(np.array([0, 0, 90.0])) @ x == pytest.approx(y)
    assert rotation(np.array([90.0, 90, 0])) @ y == pytest.approx(x)
    assert rotation(np.array([0, 90.0, 90])) @ z == pytest.approx(y)


def spread(values: object) -> object:
    """The least and the greatest of many draws, which come within a twentieth of their bounds' distance."""
    drawn = np.asarray(values)
    return np.column_stack([drawn.min(axis=0), drawn.max(axis=0)]).tolist()


def ranges(*bounds: tuple[float, float]) -> list[object]:
    return [pytest.approx([low, high], abs=(high - low) / 20) for low, high in bounds]


def test_heads_differ_within_their_ranges():
    heads = [drawn_head(np.random.default_rng(seed), (1.0, 1.0, 1.0)) for seed in range(400)]
    layers = [(head.scalp, head.skull, head.csf_gap) for head in heads]
    assert spread(layers) == ranges((4.5, 8), (5, 8), (1.5, 4))
    sizes = [(sum(head.half_width) / 2, sum(head.half_length) / 2, *head.half_height) for head in heads]
    assert spread(sizes) == ranges((70, 77), (87, 96), (120, 140), (80, 87))
    uneven = [[(one - other) / (one + other) for one, other in (head.half_width, head.half_length)] for head in heads]
    assert spread(uneven) == ranges((-0.03, 0.03), (-0.03, 0.03))
    assert spread([head.shift for head in heads]) == ranges((-6, 6), (-6, 6), (-4, 4))
    turns = [head.rotation for head in heads]
    angles = [(math.atan2(r[2, 1], r[2, 2]), math.asin(-r[2, 0]), math.atan2(r[1, 0], r[0, 0])) for r in turns]
    assert spread(np.rad2deg(angles)) == ranges((-8, 8), (-6, 6), (-8, 8))
    wide = np.array([head.ventricle_scale for head in heads])
    assert 0.75 * 0.9 <= wide.min() < 0.72 < 1.42 < wide.max() <= 1.35 * 1.1
    assert 0.9 / 1.1 <= (wide[:, 0] / wide[:, 1]).min() < 0.84


def test_fields_of_a_head_and_a_tumour_have_structures_of_their_own_width():
    scene = drawn_scene(np.random.default_rng(0), GEOMETRY, 0.0, 3.0)
    head, lesion = scene.head, scene.lesion
    fields = (head.cortex, head.vessels, head.mottling, head.coil, lesion.border, lesion.grain)
    assert [field.step_mm for field in fields] == [9, 13, 5, 110, 12, 4]


def test_tumours_and_scanners_differ_within_their_ranges():
    scenes = [drawn_scene(np.random.default_rng(seed), GEOMETRY, 0.0, 3.0) for seed in range(150)]
    assert spread([[scene.lesion.radius_mm] for scene in scenes]) == ranges((14, 24))
    assert spread([scene.lesion.stretch for scene in scenes]) == ranges(*[(0.85, 1.2)] * 3)
    assert spread([scene.table_mm for scene in scenes]) == ranges((-10, 10), (-20, 20), (-60, 60))
    assert spread([[scene.gain] for scene in scenes]) == ranges((450, 1200))


def test_coordinates_of_a_head_are_those_of_the_scanner_shifted_and_turned():
    turned = replace(a_head(), rotation=rotation(np.array([0, 0, 90.0])), shift=np.array([1.0, 2.0, 3.0]))
    x, y, z = turned.coordinates(np.array([13.0]), np.array([22.0]), np.array([31.0]))
    assert [x.item(), y.item(), z.item()] == pytest.approx([-20, 30, 10], abs=1e-4)


def test_the_brain_begins_below_scalp_skull_and_fluid_and_above_a_slanting_base():
    head = a_head()
    assert head.brain_depth == 17
    at = points((0, 0, 50), (0, 0, -40), (0, 50, -40))
    assert flat(in_brain(at, grid(20, 60, 60), head)) == pytest.approx([3, 2, -12])


def test_from_the_skin_inwards_lie_fat_bone_marrow_bone_and_fluid():
    depth = grid(-1, 0.7, 3, 6, 10, 14, 16)  # skin to 1.5, fat to 5, bone of 10 with marrow from 8 to 12, fluid
    shown = wrapping(points(*[(0, 0, 80)] * 7), depth, a_head(), grid(*[0] * 7), SHARP)
    assert flat(shown) == pytest.approx([AIR, SKIN, FAT, BONE, MARROW, BONE, CSF])


def test_below_the_base_lie_muscle_bone_and_air_and_in_front_two_eyes_in_fat():
    at = points((0, 0, -60), (0, 0, -60), (0, 0, -60), (0, 0, -40), (32, 76, -30), (-32, 76, -16))
    vessels = grid(0, 1, -1, 0, 0, 0)
    shown = below_the_brain(grid(*[WHITE] * 6), at, grid(*[30] * 6), a_head(), vessels, SHARP)
    assert flat(shown) == pytest.approx([MUSCLE, BONE, AIR, WHITE, CSF, FAT])


def test_under_the_brains_surface_lie_fluid_four_millimetres_of_grey_matter_and_white_matter():
    inside = grid(0.8, 1, 4.8, 5)  # 0.9 mm of fluid
    at, folds = points(*[(40, -60, 40)] * 4), grid(1, 1, 1, 1)
    shown = brain(at, inside, folds, grid(0, 0, 0, 0), a_head(), SHARP)
    assert flat(shown) == pytest.approx([CSF, GREY, GREY, WHITE])
    mottled = brain(at, inside, folds, grid(1, 1, 1, 1), a_head(), SHARP)
    assert flat(mottled) == pytest.approx([1.05 * level for level in (CSF, GREY, GREY, WHITE)])


def test_a_fold_of_the_cortex_reaches_18_mm_deep():
    shown = brain(points(*[(40, -60, 40)] * 3), grid(17, 20, 25), grid(0, 0, 0), grid(0, 0, 0), a_head(), SHARP)
    assert flat(shown) == pytest.approx([CSF, GREY, WHITE])  # 0, 2 and 7 mm below where the fold ends


def test_a_cleft_parts_the_hemispheres_but_for_the_bridge_between_them():
    at = points((0, 0, 6), (0, 24, 6), (0, 48, 6), (0, 0, 21), (-5, 0, 36))
    assert flat(midline_distance(at)) == [40, 30, 0, 30, 5]
    shown = brain(points((0, -60, 40), (-5, -60, 40)), *[grid(30, 30)] * 2, grid(0, 0), a_head(), SHARP)
    assert flat(shown) == pytest.approx([CSF, WHITE])


def test_an_ellipsoid_is_as_deep_as_its_shortest_half_axis():
    at = points((1, 2, 3), (11, 2, 3), (1, 22, 3), (1, 2, 33), (21, 2, 3))
    assert flat(ellipsoid(at, (1, 2, 3), (10, 20, 30))) == pytest.approx([10, 0, 0, 0, -10])


def test_nuclei_ventricles_and_choroid_plexus_lie_in_both_hemispheres():
    thalamus, putamen, plexus = (-11, -9, 4), (-26, 6, 2), (-13, -18, 13)
    both = [(side * x, y, z) for x, y, z in (thalamus, putamen) for side in (1, -1)]
    assert flat(nuclei(points(*both))) == pytest.approx([8, 8, 6, 6])
    ends = [(19, -9, 4), (11, 5, 4), (11, -9, 13), (32, 6, 2), (26, 23, 2), (26, 6, 12)]
    assert flat(nuclei(points(*ends))) == pytest.approx([0] * 6, abs=1e-5)
    ends = [(16.5, -18, 13), (13, -8, 13), (13, -18, 17)]
    assert flat(choroid(points(plexus, *ends))) == pytest.approx([3.5, 0, 0, 0], abs=1e-5)
    shown = brain(points(thalamus, putamen, plexus), *[grid(30, 30, 30)] * 2, grid(0, 0, 0), a_head(), SHARP)
    assert flat(shown) == pytest.approx([DEEP_GREY, DEEP_GREY, CHOROID])


def test_the_ventricles_bend_outwards_at_the_back_and_each_has_its_own_width():
    middle = (8 + 0.0045 * 10**2, 2, 15 - 0.002 * 3**2)
    at = points(middle, (middle[0] + 5, *middle[1:]), (-middle[0] - 5, *middle[1:]), (0, -6, 0), (2.2, -6, 0))
    assert flat(ventricles(at, a_head())) == pytest.approx([5, 2.5, 0, 2.2, 0], abs=1e-4)
    front, top = (-8 - 0.0045 * 28**2, 40, 15 - 0.002 * 35**2), (-middle[0], 2, middle[2] + 9)
    assert flat(ventricles(points(front, top, (0, 7, 0), (0, -6, 10)), a_head())) == pytest.approx([0] * 4, abs=1e-4)


def test_the_great_sinus_runs_along_the_midline_and_arteries_where_two_sheets_cross():
    along = points((0, 0, 50), (5, 0, 50), (0, 0, -16), (0, 0, -20))
    assert flat(bright_vessels(along, grid(0, 0, 0, 0), grid(1, 1, 1, 1), grid(1, 1, 1, 1), SHARP)) == [1, 0, 1, 0]
    inside, cortex, vessels = grid(8, 8, 20), grid(0.1, 0.2, 0.1), grid(0.09, 0.05, 0.09)
    assert flat(bright_vessels(points(*[(40, 0, 50)] * 3), inside, cortex, vessels, SHARP)) == [1, 0, 0]


def test_a_field_joins_its_lattice_points_smoothly():
    field = SmoothField(np.arange(8, dtype=np.float32).reshape(2, 2, 2), 10.0, -5.0)
    shown = field.at(np.array([-5.0, -2.5, 0.0]), np.array([-5.0]), np.array([-5.0]))
    assert flat(shown) == [0, 4 * 0.15625, 2]  # t² (3 - 2t) at one quarter and one half
    assert flat(field.at(*[np.array([-5.0])] * 2, np.array([0.0]))) == [0.5]
    assert flat(field.at(np.array([-5.0]), np.array([0.0]), np.array([-5.0]))) == [1]


def test_a_field_covers_its_reach_along_every_axis():
    field = drawn_field(np.random.default_rng(1), (10.0, 50.0, 20.0), 5.0)
    assert field.origin_mm <= -50
    assert field.at(*(np.array([-reach, reach]) for reach in (10.0, 50.0, 20.0))).shape == (2, 2, 2)


def test_a_blend_is_the_image_where_the_share_is_none_and_the_level_where_it_is_one():
    assert flat(blend(grid(2, 2, 2), 10, grid(0, 0.25, 1))) == [2, 4, 10]


def test_voxels_lie_around_the_middle_and_slices_eight_millimetres_higher():
    assert axis_mm(4, 2.0).tolist() == [-3, -1, 1, 3]
    assert slice_positions_mm(GEOMETRY)[[0, -1]].tolist() == [-68, 84]


@pytest.mark.parametrize(("tesla", "noise"), [(1.5, 0.035), (3.0, 0.0175)])
def test_noise_halves_where_the_field_doubles(tesla, noise):
    assert drawn_scene(np.random.default_rng(0), GEOMETRY, 0.0, tesla).noise == pytest.approx(noise)


def test_a_voxel_is_the_magnitude_of_signal_and_complex_noise_in_units_of_the_gain():
    scene = Scene(a_head(), a_lesion(), (0.0, 0.0, 0.0), gain=1000.0, noise=0.1)
    air, tissue = (np.full((8, 100, 100), level, dtype=np.float32) for level in (0, 1))
    generator = np.random.default_rng(0)
    assert measured(air, scene, generator).mean() == pytest.approx(100 * math.sqrt(math.pi / 2), abs=1)  # Rayleigh's
    seen = measured(tissue, scene, generator)
    assert seen.mean() == pytest.approx(1005, abs=2)  # Rice's, about 1 + 0.1² / 2
    assert seen.std() == pytest.approx(100, abs=2)
