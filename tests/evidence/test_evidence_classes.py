"""More than two classes of survival, by hand and against scikit-learn."""

import numpy as np
import pytest

from gliocast.evidence.classes import class_performance, observed_classes, predicted_classes

rng = np.random.default_rng(6)


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
    found = class_performance(observed, predicted, observed, 3, 300, seed=1)
    assert found["balanced_accuracy"]["value"] == pytest.approx(balanced_accuracy_score(observed, predicted))
    kappa = cohen_kappa_score(observed, predicted, weights="quadratic")
    assert found["weighted_kappa"]["value"] == pytest.approx(kappa)
    assert found["accuracy"]["value"] == pytest.approx((observed == predicted).mean())


def test_the_majority_is_that_of_those_who_are_learnt_from_whoever_is_tested():
    observed = np.array([0, 1, 1, 1, 2, -1])  # three of five belong to class 1, but one is told to say 0 of everyone
    found = class_performance(observed, observed, np.zeros(6, dtype=int), 3, 200, seed=1)
    assert (found["accuracy"]["value"], found["majority_accuracy"]["value"]) == (1, pytest.approx(1 / 5))


def test_a_threshold_before_the_first_asked_day_is_read_on_the_way_from_everyone_alive():
    survival = np.array([[0.0], [0.3]])  # of day 100; on day 60 1 - 0.6 · 1 = 0.4 and 1 - 0.6 · 0.7 = 0.58 are alive
    assert predicted_classes(np.array([100.0]), survival, (60,)).tolist() == [0, 1]


def test_undetermined_patients_are_counted_and_left_out():
    found = class_performance(np.array([0, -1, 1]), np.array([0, 1, 1]), np.array([0, 0, 0]), 2, 200, seed=1)
    assert (found["n"], found["n_undetermined"], found["accuracy"]["value"]) == (2, 1, 1.0)
