"""Grad-CAM: it has the slices' shape, it finds what decides, and it changes when the weights are randomised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from model_fakes import tiny

from gliocast.model.backbone import build_network
from gliocast.model.device import resident
from gliocast.model.ensemble import Ensemble, Member
from gliocast.model.material import FoldIndices
from gliocast.model.pictures import slice_picture
from gliocast.model.saliency import (
    NoFeatureMapError,
    ensemble_saliency,
    randomised,
    saliency,
    spatial_stage,
)
from gliocast.model.training import train_fold

CPU = torch.device("cpu")


SQUARE_PX = 16


def a_cohort_with_a_decoy(patients: int, side_px: int = 64) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every slice bears two equally bright squares: the stripes of one decide, lying for class 1; the other is plain.

    Returns the stacks, the classes, and where the deciding squares and the decoys are (row, column).
    """
    generator = np.random.default_rng(0)
    classes = np.arange(patients, dtype=np.int64) % 2
    stacks = generator.random((patients, 3, side_px, side_px))
    corners = np.array([(8, 8), (8, 40), (40, 8), (40, 40)])
    places = np.stack([corners[generator.permutation(4)[:2]] for _ in range(patients)])
    lying = np.repeat(np.tile([0.0, 0.0, 2.0, 2.0], SQUARE_PX // 4)[:, None], SQUARE_PX, axis=1)
    for stack, long_term, (decides, decoy) in zip(stacks, classes, places, strict=True):
        square(stack, decides)[...] += lying if long_term else lying.T
        square(stack, decoy)[...] += lying.mean()
    return stacks.astype(np.float16), classes, places[:, 0], places[:, 1]


def square(stack: np.ndarray, place: np.ndarray) -> np.ndarray:
    row, column = place
    return stack[:, row : row + SQUARE_PX, column : column + SQUARE_PX]


def preference(maps: np.ndarray, decides: np.ndarray, decoys: np.ndarray) -> float:
    """Mean share of the deciding square in what both squares get: one half is none."""
    got = np.array([[square(stack, place).sum() for stack, place in zip(maps, places, strict=True)]
                    for places in (decides, decoys)])  # fmt: skip
    return float(np.divide(got[0], got.sum(axis=0), out=np.full(len(maps), 0.5), where=got.sum(axis=0) > 0).mean())


@pytest.fixture(scope="module")
def trained():
    stacks, classes, *places = a_cohort_with_a_decoy(60)
    params = tiny(epochs=15, batch_size=12)
    fold = FoldIndices(np.arange(40), np.arange(40, 60))
    weights = train_fold(stacks, classes, fold, params.hyperparameters, params, 1).weights
    network = build_network(params, 0.2)
    network.load_state_dict(weights)
    unseen_long_term = np.flatnonzero(classes == 1)[20:]
    return network.eval(), weights, params, stacks[unseen_long_term], *(place[unseen_long_term] for place in places)


def test_maps_have_the_shape_of_the_slices_and_are_not_negative(trained):
    network, _, params, stacks, *_ = trained
    maps = saliency(network, resident(stacks[:4], CPU), params)
    assert maps.shape == stacks[:4].shape
    assert (maps >= 0).all()
    assert maps.any()


def test_maps_show_what_decides_and_not_an_equally_bright_decoy(trained):
    network, _, params, stacks, *places = trained
    assert preference(saliency(network, resident(stacks, CPU), params), *places) > 0.9


def test_maps_no_longer_resemble_the_learnt_ones_when_the_weights_are_randomised(trained):
    network, _, params, stacks, *places = trained
    slices = resident(stacks, CPU)
    learnt = saliency(network, slices, params)
    others = [saliency(randomised(network, seed), slices, params) for seed in range(10)]
    shown = [other for other in others if other.any()]  # a map that vanishes resembles nothing
    assert len(shown) >= 5
    assert max(np.corrcoef(learnt.ravel(), other.ravel())[0, 1] for other in shown) < 0.9
    assert np.mean([preference(other, *places) for other in others]) < 0.75


def test_maps_have_seven_places_a_side_where_the_network_has_such_a_stage():
    network = build_network(tiny(backbone="test_resnet"), 0.0)
    strides = {stage["module"]: stage["reduction"] for stage in network.feature_info}
    named = {module: name for name, module in network.named_modules()}
    examples = [torch.rand(1, 1, side_px, side_px) for side_px in (224, 128, 64, 8)]
    assert [strides[named[spatial_stage(network.eval(), example).module]] for example in examples] == [32, 16, 8, 2]


def test_a_network_of_tokens_has_no_map_to_look_at():
    with pytest.raises(NoFeatureMapError):
        saliency(build_network(tiny(backbone="test_vit"), 0.0), torch.rand(1, 1, 160, 160), tiny())


class TwoChannels(torch.nn.Module):
    """Its one stage gives a slice and its negative; the logit is 3 times the mean of the one and the other's."""

    feature_info = ({"module": "stage", "num_chs": 2},)

    def __init__(self, channels_last: bool) -> None:
        super().__init__()
        self.stage = torch.nn.Identity()
        self.channel_axis = 3 if channels_last else 1

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        channels = self.stage(torch.cat([slices, -slices], 1).movedim(1, self.channel_axis))
        one, other = channels.movedim(self.channel_axis, 1).mean((2, 3)).T
        return (3 * one + other)[:, None]


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_map_is_the_channels_weighted_by_their_mean_gradients_wherever_the_channels_lie(channels_last):
    slices = torch.tensor([[[[-9.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 9.0, 18.0]]]])
    maps = saliency(TwoChannels(channels_last), slices, tiny())
    assert maps[0, 0] == pytest.approx(np.array([[0, 0, 0], [0, 0, 0], [0, 2, 4]]))  # (3 - 1) / 9, none below zero


def test_a_network_whose_channels_come_last_is_explained_and_changes_when_its_weights_are_randomised():
    torch.manual_seed(0)
    network, slices = build_network(tiny(backbone="swin_tiny_patch4_window7_224"), 0.0), torch.rand(1, 1, 224, 224)
    maps = [saliency(one, slices, tiny()) for one in (network, randomised(network, 0))]
    assert spatial_stage(network, slices).side == 7
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] < 0.5


def test_a_stage_that_gives_no_map_is_passed_over():
    network = build_network(tiny(backbone="efficientformer_l1"), 0.0).eval()  # its last stage gives tokens
    assert spatial_stage(network, torch.rand(1, 1, 224, 224)).module is network.stages[2]


def test_looking_for_maps_leaves_no_hook_behind():
    network = build_network(tiny(), 0.0).eval()
    spatial_stage(network, torch.rand(1, 1, 32, 32))
    assert not any(module._forward_hooks for module in network.modules())


def test_maps_depend_on_the_weights_at_all(trained):
    network, _, params, stacks, *_ = trained
    slices = resident(stacks[:4], CPU)
    learnt = saliency(network, slices, params)
    for seed in range(5):
        change = np.linalg.norm(saliency(randomised(network, seed), slices, params) - learnt) / np.linalg.norm(learnt)
        assert change > 0.1


def test_randomising_leaves_the_network_itself_alone(trained):
    network, weights, *_ = trained
    randomised(network, 2)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())


def test_the_map_of_an_ensemble_reaches_one_in_each_patient(trained):
    _, weights, params, stacks, *_ = trained
    ensemble = Ensemble(params, (Member("holdout/fold0", "holdout", weights, (), 0.2),))
    maps = ensemble_saliency(ensemble, stacks[1:2], "holdout")
    assert maps.max() in (0.0, 1.0)


@pytest.mark.parametrize(
    "changes", [{"pooling": "attention"}, {"backbone": "test_resnet"}, {"backbone": "test_efficientnet"}]
)
def test_any_network_can_be_asked_where_it_looks(changes):
    params = tiny(**changes)
    torch.manual_seed(0)
    maps = saliency(build_network(params, 0.0), torch.rand(2, 3, 32, 32), params)
    assert maps.shape == (2, 3, 32, 32)


def test_with_four_classes_every_long_term_class_speaks_for_the_map():
    params = tiny(classes=4, loss="softmax", survival_cut_points_days=(100, 200, 300), first_long_term_class=2)
    torch.manual_seed(0)
    network, stacks = build_network(params, 0.0, None), torch.rand(2, 3, 64, 64)
    before = saliency(network, stacks, params)
    with torch.no_grad():
        network.get_classifier().weight[3] += torch.rand_like(network.get_classifier().weight[3])
    assert not np.array_equal(saliency(network, stacks, params), before)


def test_a_slice_of_centred_grey_values_looks_as_it_did_before():
    grey = np.linspace(0, 2, 64, dtype=np.float32).reshape(8, 8)
    assert slice_picture(grey - 1) == slice_picture(grey)
    assert slice_picture(grey + 1) != slice_picture(grey)  # what is above zero stays grey


def test_a_picture_is_a_png_and_an_empty_slice_is_black():
    picture = slice_picture(np.zeros((8, 8), dtype=np.float32), np.zeros((8, 8)))
    assert picture.startswith("data:image/png;base64,")
