"""The operating threshold, on numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliocast.hybrid.parameters import ThresholdParameters
from gliocast.hybrid.threshold import operating_threshold

OUTCOME = np.array([False, False, False, True, True, True])
PROBABILITY = np.array([0.1, 0.2, 0.6, 0.3, 0.7, 0.9])


def rule(name: str, required_specificity: float = 0.9) -> ThresholdParameters:
    return ThresholdParameters(rule=name, required_specificity=required_specificity, fixed=0.4)


def test_youden_cuts_where_sensitivity_plus_specificity_is_highest():
    # 0.25: 3/3 + 2/3; 0.65: 2/3 + 3/3; the nearer to 0.5 is 0.65
    assert operating_threshold(OUTCOME, PROBABILITY, rule("youden")) == pytest.approx(0.65)


@pytest.mark.parametrize(
    ("probability", "nearest"), [([0.2, 0.4, 0.5, 0.6], 0.55), ([0.4, 0.5, 0.6, 0.8], 0.45)], ids=["upper", "lower"]
)
def test_of_two_equally_good_thresholds_the_nearer_to_one_half_is_taken(probability, nearest):
    # short, long, short, long: between the first two patients 2/2 + 1/2, between the last two 1/2 + 2/2
    outcome = np.array([False, True, False, True])
    assert operating_threshold(outcome, np.array(probability), rule("youden")) == pytest.approx(nearest)


def test_a_specificity_that_is_just_kept_is_kept():
    # at 0.25 two of three short-term survivors are below the threshold
    assert operating_threshold(OUTCOME, PROBABILITY, rule("required_specificity", 2 / 3)) == pytest.approx(0.25)


def test_a_required_specificity_takes_the_lowest_threshold_that_keeps_it():
    assert operating_threshold(OUTCOME, PROBABILITY, rule("required_specificity", 0.6)) == pytest.approx(0.25)
    assert operating_threshold(OUTCOME, PROBABILITY, rule("required_specificity", 0.9)) == pytest.approx(0.65)


def test_no_point_of_scikit_learns_roc_curve_is_better_than_the_threshold():
    from sklearn.metrics import roc_curve

    generator = np.random.default_rng(2)
    outcome = generator.random(300) < 0.5
    probability = 1 / (1 + np.exp(-generator.normal(outcome, 1)))
    false_alarms, hits, _ = roc_curve(outcome, probability, drop_intermediate=False)

    def rates(threshold: float) -> tuple[float, float]:
        called = probability >= threshold
        return called[~outcome].mean(), called[outcome].mean()

    found = rates(operating_threshold(outcome, probability, rule("youden")))
    assert found[1] - found[0] == pytest.approx((hits - false_alarms).max())
    found = rates(operating_threshold(outcome, probability, rule("required_specificity", 0.9)))
    assert found[1] == pytest.approx(hits[1 - false_alarms >= 0.9].max())


def test_a_fixed_threshold_does_not_look():
    assert operating_threshold(OUTCOME, PROBABILITY, rule("fixed")) == 0.4


def test_equal_probabilities_give_a_threshold_all_the_same():
    assert 0 < operating_threshold(OUTCOME, np.full(6, 0.5), rule("youden")) < 1


@given(st.lists(st.integers(0, 1000), min_size=6, max_size=6))
def test_no_patient_sits_on_the_threshold(thousandths):
    probability = np.array(thousandths) / 1000
    threshold = operating_threshold(OUTCOME, probability, rule("youden"))
    assert 0 <= threshold <= 1
    assert not (probability == threshold).any()


def test_where_no_threshold_keeps_the_required_specificity_nobody_is_called():
    certain = np.ones(6)  # three short-term survivors among them
    assert not (certain >= operating_threshold(OUTCOME, certain, rule("required_specificity"))).any()
