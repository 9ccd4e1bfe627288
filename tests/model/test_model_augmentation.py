"""Augmentation: nothing where nothing is asked, known movements where they are, the same for the same seed."""

from __future__ import annotations

import pytest
import torch

from gliocast.model.augmentation import augment
from gliocast.model.parameters import AugmentationParameters

NONE = {"flip": False, "rotation_degrees": 0, "shift_fraction": 0, "intensity_fraction": 0}


def augmented(batch, seed=1, **changes):
    params = AugmentationParameters.model_validate(NONE | changes)
    return augment(batch, params, torch.Generator().manual_seed(seed))


def a_batch(count=16, channels=1):
    return torch.rand(count, channels, 16, 16, generator=torch.Generator().manual_seed(2))


def test_without_augmentation_the_batch_itself_is_trained_on():
    batch = a_batch()
    assert augmented(batch) is batch


def test_a_flip_mirrors_left_and_right_or_leaves_the_slice_alone():
    batch = a_batch()
    flipped = augmented(batch, flip=True)
    kept = torch.tensor([torch.allclose(one, other, atol=1e-5) for one, other in zip(batch, flipped, strict=True)])
    mirrored = torch.tensor(
        [torch.allclose(one.flip(-1), other, atol=1e-5) for one, other in zip(batch, flipped, strict=True)]
    )
    assert (kept ^ mirrored).all()
    assert kept.any()
    assert mirrored.any()


@pytest.mark.parametrize("moved", [{"rotation_degrees": 15}, {"shift_fraction": 0.1}])
def test_movements_keep_the_shape_and_the_range(moved):
    changed = augmented(a_batch(), **moved)
    assert changed.shape == (16, 1, 16, 16)
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert not torch.equal(changed, a_batch())


def a_square_after(**changes):
    """Where a square that lies 8 px right of the middle lies after each of 400 draws: right and down, px."""
    batch, place = torch.zeros(400, 1, 32, 32), torch.arange(32) - 15.5
    batch[:, :, 14:18, 22:26] = 1
    share = (moved := augmented(batch, **changes)) / moved.sum((2, 3), keepdim=True)
    return (share * place).sum((1, 2, 3)), (share * place[:, None]).sum((1, 2, 3))


def test_shifts_reach_their_share_of_the_side_either_way_and_go_no_further():
    right, down = a_square_after(shift_fraction=0.125)  # of 32 px: 4
    for shift in (right - 8, down):
        assert [shift.min().item(), shift.max().item()] == pytest.approx([-4, 4], abs=0.1)


def test_turns_reach_their_degrees_either_way_about_the_middle_and_go_no_further():
    right, down = a_square_after(rotation_degrees=30)
    turned = torch.rad2deg(torch.atan2(down, right))
    assert [turned.min().item(), turned.max().item()] == pytest.approx([-30, 30], abs=0.7)
    assert torch.hypot(right, down).numpy() == pytest.approx(8, abs=0.1)


def test_intensity_changes_by_one_factor_a_slice_within_its_bounds():
    factor = augmented(torch.ones(400, 1, 4, 4), intensity_fraction=0.1).flatten(1)
    assert torch.allclose(factor, factor[:, :1].expand_as(factor), atol=1e-4)
    assert [factor.min().item(), factor.max().item()] == pytest.approx([0.9, 1.1], abs=0.005)


def test_the_slices_of_one_patient_move_together():
    same = a_batch(4, channels=1).expand(-1, 9, -1, -1)
    moved = augmented(same, rotation_degrees=15, flip=True)
    assert torch.equal(moved[:, 0], moved[:, 8])


def test_the_same_seed_gives_the_same_changes():
    assert torch.equal(augmented(a_batch(), flip=True), augmented(a_batch(), flip=True))
