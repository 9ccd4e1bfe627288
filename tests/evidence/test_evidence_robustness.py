"""Robustness and more than two classes, by hand and against scikit-learn."""

import numpy as np
import pytest

from gliocast.evidence.classes import class_performance, observed_classes, predicted_classes
from gliocast.evidence.robustness import Resplits, robustness

rng = np.random.default_rng(6)
OUTCOME = rng.random(150) < 0.5
SIGNAL = (OUTCOME * 1.5 + rng.normal(size=150))[:, None]
NOISE = rng.normal(size=(150, 1))
TABLE = robustness(OUTCOME, {"signal": SIGNAL, "noise": NOISE}, 60, (0.25, 0.5), seed=1).set_index("what")


def test_the_predictor_that_carries_the_signal_is_missed_and_noise_is_not():
    assert TABLE.loc["without signal", "gain_lost"] > 0.2
    assert abs(TABLE.loc["without noise", "gain_lost"]) < 0.03


def test_shuffled_outcomes_leave_nothing_to_tell():
    shuffled = np.random.default_rng(1).permutation(OUTCOME)
    table = robustness(shuffled, {"signal": SIGNAL, "noise": NOISE}, 100, (), seed=1)
    assert table.loc[0, "auc_mean"] == pytest.approx(0.5, abs=0.1)


def test_splits_are_stratified_and_each_holds_out_a_fifth():
    held_out = Resplits.draw(OUTCOME, 20, seed=1).training == 0
    assert (held_out[:, OUTCOME].sum(axis=1) == round(0.2 * OUTCOME.sum())).all()
    assert (held_out[:, ~OUTCOME].sum(axis=1) == round(0.2 * (~OUTCOME).sum())).all()


def test_a_smaller_training_set_is_part_of_the_larger_one():
    splits = Resplits.draw(OUTCOME, 20, seed=1)
    half = splits.smaller(0.5).training
    assert (half <= splits.training).all()
    assert half.sum(axis=1) == pytest.approx(splits.training.sum(axis=1) / 2, abs=1)


def test_missing_values_become_the_training_mean_of_their_split():
    holed = SIGNAL.copy()
    holed[::10] = np.nan
    table = robustness(OUTCOME, {"signal": holed, "noise": NOISE}, 30, (), seed=1)
    assert 0.7 < table.loc[0, "auc_mean"] < 0.95


def test_classes_by_hand_at_the_thresholds_themselves():
    days, died = np.array([182.0, 183.0, 548.0, 200.0, 600.0]), np.array([True, True, True, False, False])
    assert observed_classes(days, died, (183, 548)).tolist() == [0, 1, 2, -1, 2]


def test_likeliest_class_of_a_survival_curve():
    times = np.array([183.0, 548.0])
    survival = np.array([[0.4, 0.1], [0.8, 0.2], [0.9, 0.8]])  # class probabilities .6 .3 .1, .2 .6 .2, .1 .1 .8
    assert predicted_classes(times, survival, (183, 548)).tolist() == [0, 1, 2]


def test_measures_of_classes_are_those_of_scikit_learn():
    from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score

    observed = rng.integers(0, 3, 80)
    predicted = np.where(rng.random(80) < 0.5, observed, rng.integers(0, 3, 80))
    found = class_performance(observed, predicted, 3, 300, seed=1)
    assert found["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(observed, predicted))
    kappa = cohen_kappa_score(observed, predicted, weights="quadratic")
    assert found["weighted_kappa"]["value"] == pytest.approx(kappa)
    assert found["accuracy"]["value"] == pytest.approx((observed == predicted).mean())


def test_undetermined_patients_are_counted_and_left_out():
    found = class_performance(np.array([0, -1, 1]), np.array([0, 1, 1]), 2, 200, seed=1)
    assert (found["n"], found["n_undetermined"], found["accuracy"]["value"]) == (2, 1, 1.0)
