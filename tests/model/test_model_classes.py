"""Classes, losses and the logit of long-term survival; pooling of nine slices."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from model_fakes import a_cohort, tiny
from pydantic import ValidationError

from gliocast.model.backbone import build_network
from gliocast.model.classes import auc, binary_classes, classes_of, long_term_logit, loss_of, survival_classes
from gliocast.model.material import FoldIndices
from gliocast.model.pooling import long_term_logits, pooled, probability, stack_logits
from gliocast.model.training import train_fold

CUTS = (180, 332)


def test_binary_classes_are_one_for_long_term_and_minus_one_for_undetermined():
    assert binary_classes(pd.Series(["long_term", "short_term", None], dtype="string")).tolist() == [1, 0, -1]


def test_survival_at_a_cut_point_has_reached_it():
    days = pd.Series([179, 180, 331, 332], dtype="Int64")
    assert survival_classes(days, pd.Series([True] * 4), CUTS).tolist() == [0, 1, 1, 2]


def test_a_patient_censored_between_cut_points_has_no_class_and_one_beyond_the_last_has():
    assert survival_classes(pd.Series([200, 400]), pd.Series([False, False]), CUTS).tolist() == [-1, 2]


def test_classes_follow_the_number_of_classes():
    cohort = pd.DataFrame({"outcome": ["long_term"], "survival_days": [200], "event_observed": [True]})
    three = tiny(classes=3, loss="ordinal", survival_cut_points_days=CUTS)
    assert classes_of(cohort, tiny()).tolist() == [1]
    assert classes_of(cohort, three).tolist() == [1]


def test_the_auc_is_the_share_of_pairs_in_order_and_a_tie_is_half():
    long_term = np.array([True, True, False, False])
    assert auc(long_term, np.array([0.9, 0.4, 0.4, 0.1])) == 0.875  # 3 pairs in order, one tie, of 4
    assert auc(np.array([True, True]), np.array([0.1, 0.9])) == 0.5


def test_the_binary_loss_is_the_cross_entropy_of_one_sigmoid():
    logits = torch.tensor([[0.0], [math.log(3)]])  # probabilities 1/2 and 3/4
    expected = -(math.log(1 / 2) + math.log(3 / 4)) / 2
    assert float(loss_of(logits, torch.tensor([0, 1]), "binary")) == pytest.approx(expected)


def test_the_ordinal_loss_asks_at_every_cut_point():
    logits = torch.tensor([[math.log(3), 0.0]])  # beyond the first cut with 3/4, beyond the second with 1/2
    expected = -(math.log(3 / 4) + math.log(1 / 2)) / 2
    assert float(loss_of(logits, torch.tensor([1]), "ordinal")) == pytest.approx(expected)


def test_the_softmax_loss_is_the_cross_entropy_of_the_class():
    logits = torch.log(torch.tensor([[0.2, 0.3, 0.5]]))
    assert float(loss_of(logits, torch.tensor([2]), "softmax")) == pytest.approx(-math.log(0.5))


def test_long_term_is_every_class_from_the_first_long_term_one_on():
    of_classes = torch.log(torch.tensor([[0.2, 0.3, 0.5]], dtype=torch.float64))
    assert long_term_logit(of_classes, "softmax", 1) == pytest.approx(math.log(0.8 / 0.2))
    assert long_term_logit(of_classes, "softmax", 2) == pytest.approx(0.0)
    assert long_term_logit(torch.tensor([[1.0, -1.0]], dtype=torch.float64), "ordinal", 2).tolist() == [-1.0]
    assert long_term_logit(torch.tensor([[0.7]], dtype=torch.float64), "binary", 1).tolist() == [0.7]


def test_pooling_takes_the_mean_logit_or_the_mean_probability():
    slice_logit = np.array([[0.0, math.log(3)]])  # probabilities 1/2 and 3/4
    assert pooled(slice_logit, "mean_logit").tolist() == [math.log(3) / 2]
    assert pooled(slice_logit, "mean_probability") == pytest.approx(math.log(0.625 / 0.375))


def test_pooling_of_certain_slices_stays_finite():
    assert np.isfinite(pooled(np.array([[800.0, 800.0], [-800.0, -800.0]]), "mean_probability")).all()


def test_a_patient_is_scored_by_the_pooling_that_is_asked_for():
    logits = torch.tensor([[[0.0], [math.log(3.0)]]])  # probabilities of 0.5 and 0.75, whose mean is 0.625
    assert long_term_logits(logits, None, tiny())[1] == pytest.approx([math.log(3.0) / 2])
    assert long_term_logits(logits, None, tiny(pooling="mean_probability"))[1] == pytest.approx([math.log(5 / 3)])


def test_with_attention_slices_and_patients_are_long_term_from_the_same_class_on():
    params = tiny(
        classes=3, survival_cut_points_days=CUTS, loss="softmax", first_long_term_class=2, pooling="attention"
    )
    half = torch.log(torch.tensor([1.0, 1.0, 2.0]))  # two patients in four are of the last class
    of_slices, of_patients = long_term_logits(half.expand(1, 2, 3), half.expand(1, 3), params)
    assert of_slices == pytest.approx(np.zeros((1, 2)), abs=1e-7)
    assert of_patients == pytest.approx([0.0], abs=1e-7)


def test_with_attention_a_patients_logit_is_the_networks_own_and_no_mean_of_the_slices_logits():
    params = tiny(pooling="attention")
    network, stacks = (
        build_network(params, dropout=0.0).eval(),
        torch.rand(33, 3, 16, 16),
    )  # more than are scored at once
    of_slices, of_patients = stack_logits(network, stacks, params)
    torch.testing.assert_close(of_slices, network.logits(stacks)[0])
    torch.testing.assert_close(of_patients, network(stacks))
    assert long_term_logits(of_slices, of_patients, params)[1] == pytest.approx(of_patients[:, 0].numpy())


def test_whoever_scores_rests_dropout_and_leaves_the_statistics_of_batches_alone():
    params = tiny()
    network, stacks = build_network(params, dropout=0.9).train(), torch.rand(2, 3, 16, 16)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    first, again = (stack_logits(network, stacks, params)[0] for _ in range(2))
    assert torch.equal(first, again)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_one_sigmoid_is_applied_once():
    logits = torch.full((1, 3, 1), math.log(9))
    assert probability(logits, None, tiny()).tolist() == pytest.approx([0.9])


@pytest.mark.parametrize(("loss", "outputs"), [("ordinal", 3), ("softmax", 4)])
def test_four_classes_train(loss, outputs):
    params = tiny(classes=4, loss=loss, survival_cut_points_days=(100, 200, 300), first_long_term_class=2, epochs=1)
    stacks, _ = a_cohort(16)
    classes = np.arange(16) % 4
    fold, reports = FoldIndices(np.arange(12), np.arange(12, 16)), []
    trained = train_fold(stacks, classes, fold, params.hyperparameters, params, 1, on_epoch=reports.append)
    assert trained.weights["head.fc.weight"].shape[0] == outputs
    assert ((reports[0].stop_probability > 0) & (reports[0].stop_probability < 1)).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": 3}, "ordinal"),
        ({"classes": 3, "loss": "ordinal"}, "need 2 survival_cut_points_days"),
        ({"classes": 3, "loss": "ordinal", "survival_cut_points_days": (332, 180)}, "must ascend"),
        ({"first_long_term_class": 2}, "must be below 2"),
        ({"weights_sha256": "not hexadecimal"}, "should match pattern"),
        ({"devices": ()}, "at least 1 item"),
        ({"bacbone": "resnet51q"}, "Extra inputs are not permitted"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(changes, said):
    with pytest.raises(ValidationError, match=said):
        tiny(**changes)
