from dataclasses import replace

import numpy as np
import pytest

from gliocast.cohort.simulation.clinical import separation
from gliocast.cohort.simulation.lesion import Lesion, appearance
from gliocast.cohort.simulation.parameters import VolumeGeometry
from gliocast.cohort.simulation.phantom import drawn_scene, head_signal, rendered
from gliocast.cohort.simulation.texture import SmoothField, drawn_field, ramp
from gliocast.cohort.simulation.truth import rank_auc

SMALL = VolumeGeometry(size_px=48, slices=20, spacing_mm=256 / 48, slice_spacing_mm=8)
READABLE = VolumeGeometry(size_px=64, slices=24, spacing_mm=4, slice_spacing_mm=6)


def a_volume(image_score=0.0, geometry=SMALL, field_strength_t=3.0, seed=0, index=0):
    return rendered(geometry, image_score, field_strength_t, seed, index)


def darkest_part(volume):
    """What a reader sees of the necrosis: the dark end of the lesion's largest section against its middle."""
    section = int(volume.lesion_mask.sum(axis=(1, 2)).argmax())
    inside = volume.voxels[section][volume.lesion_mask[section] > 0]
    return np.percentile(inside, 5) / np.median(inside)


def test_same_patient_is_the_same_to_the_bit_and_another_is_not():
    first, again, other = a_volume(index=3), a_volume(index=3), a_volume(index=4)
    assert first.voxels.tobytes() == again.voxels.tobytes() != other.voxels.tobytes()
    assert first.lesion_mask.tobytes() == again.lesion_mask.tobytes()
    assert first.origin_mm == again.origin_mm != other.origin_mm


def test_noise_of_a_patient_does_not_hang_on_the_global_random_state():
    np.random.seed(1)  # noqa: NPY002
    first = a_volume().voxels.tobytes()
    np.random.seed(2)  # noqa: NPY002
    assert a_volume().voxels.tobytes() == first


def test_noise_differs_from_slab_to_slab():
    air = a_volume().voxels[:, :3]  # more than 108 mm from the middle: no head reaches there
    assert not np.array_equal(air[:8], air[8:16])


def a_scene():
    return drawn_scene(np.random.default_rng(1), SMALL, 0.0, 3.0)


def signal_and_mask(scene):
    """On two slices through the brain, from its middle to before the forehead."""
    axes = (np.array([0.0, 20.0]), np.array([0.0, 30.0, 105.0]), np.array([5.0, 30.0]))
    return head_signal(scene, tuple(axis.astype(np.float32) for axis in axes), 1.0)


def test_the_coil_brightens_and_darkens_everything_by_fourteen_hundredths():
    dark, bright = (
        signal_and_mask(replace(a_scene(), head=replace(a_scene().head, coil=constant_field(value))))[0]
        for value in (0.0, 1.0)
    )
    assert bright == pytest.approx(dark * np.exp(0.14), rel=1e-5)


def test_a_tumour_pushes_the_healthy_brain_aside(monkeypatch):
    before = signal_and_mask(a_scene())[0]
    monkeypatch.setattr(Lesion, "pushed_aside", lambda self, point, inside: tuple(part + 500 for part in point))
    assert not np.array_equal(signal_and_mask(a_scene())[0], before)


def test_a_lesion_mask_ends_where_the_brain_does():
    mask = signal_and_mask(replace(a_scene(), lesion=replace(a_scene().lesion, radius_mm=300.0)))[1]
    assert mask[:, :2].all()
    assert not mask[:, 2].any()


def constant_field(value):
    return SmoothField(np.full((2, 2, 2), value, dtype=np.float32), 1000.0, -500.0)


@pytest.mark.parametrize("index", range(12))
def test_every_patient_has_one_lesion_of_a_plausible_size_inside_the_head(index):
    volume = a_volume(geometry=READABLE, index=index)
    volume_ml = volume.lesion_mask.sum() * np.prod(volume.spacing_mm) / 1000
    assert 4 < volume_ml < 120
    assert np.ptp(np.flatnonzero(volume.lesion_mask.any(axis=(1, 2)))) * volume.spacing_mm[2] >= 9
    head = volume.voxels > 0.15 * np.percentile(volume.voxels, 99)
    assert head[volume.lesion_mask > 0].mean() > 0.7  # what is not may be dark necrosis
    assert volume.voxels.dtype == np.int16
    assert set(np.unique(volume.lesion_mask)) == {0, 1}


def test_largest_section_lies_where_the_mask_is_widest():
    volume = a_volume(geometry=READABLE)
    area = volume.lesion_mask.sum(axis=(1, 2))
    place = (volume.largest_section_mm - volume.origin_mm[2]) / volume.spacing_mm[2]
    assert area[round(place)] == area.max()
    assert place == pytest.approx(round(place))


def test_every_visible_feature_follows_the_score_monotonically():
    looks = [appearance(score) for score in np.linspace(-3, 3, 13)]
    assert (np.diff([look.core_level for look in looks]) > 0).all()
    for name in ("ring_share", "ring_level", "oedema_mm"):
        assert (np.diff([getattr(look, name) for look in looks]) < 0).all()


def test_only_the_lesion_and_its_oedema_change_with_the_score():
    one, two = a_volume(-1, READABLE), a_volume(1, READABLE)
    assert (one.lesion_mask == two.lesion_mask).all()
    changed = np.argwhere(one.voxels != two.voxels) * np.array(one.spacing_mm)[::-1]
    center = np.argwhere(one.lesion_mask).mean(axis=0) * np.array(one.spacing_mm)[::-1]
    assert np.linalg.norm(changed - center, axis=1).max() < 60  # the largest radius, its border, and 14 mm of oedema


def test_simple_reader_recovers_nine_tenths_of_the_planted_image_signal():
    outcome = np.arange(200) // 2 % 2 == 1
    scores = separation(0.8) * (outcome - 0.5) + np.random.default_rng(0).standard_normal(200)
    seen = np.array([darkest_part(a_volume(score, READABLE, index=index)) for index, score in enumerate(scores)])
    recovered = (rank_auc(seen, outcome) - 0.5) / (rank_auc(scores, outcome) - 0.5)
    assert recovered > 0.9


def test_higher_field_has_less_noise():
    corner = {field: a_volume(field_strength_t=field).voxels[:, :4, :4].mean() for field in (1.5, 3.0)}
    assert corner[1.5] == pytest.approx(2 * corner[3.0], rel=0.35)  # the air's own faint signal adds to both


def test_field_is_the_same_wherever_it_is_asked_and_smooth():
    field = drawn_field(np.random.default_rng(0), (50.0, 60.0, 70.0), 10.0)
    positions = np.linspace(-50, 50, 201, dtype=np.float32)
    whole = field.at(positions, positions[:5], positions[:3])
    part = field.at(positions[100:110], positions[:5], positions[:3])
    assert (whole[100:110] == part).all()
    assert np.abs(np.diff(whole, axis=0)).max() < 0.5  # half a millimetre on a lattice of ten


def test_ramp_is_half_on_the_border():
    assert ramp(np.array([-2.0, 0.0, 0.5, 2.0]), 2.0).tolist() == [0, 0.5, 0.75, 1]
