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


def test_a_required_specificity_takes_the_lowest_threshold_that_keeps_it():
    assert operating_threshold(OUTCOME, PROBABILITY, rule("required_specificity", 0.6)) == pytest.approx(0.25)
    assert operating_threshold(OUTCOME, PROBABILITY, rule("required_specificity", 0.9)) == pytest.approx(0.65)


def test_a_fixed_threshold_does_not_look():
    assert operating_threshold(OUTCOME, PROBABILITY, rule("fixed")) == 0.4


def test_equal_probabilities_give_a_threshold_all_the_same():
    assert 0 < operating_threshold(OUTCOME, np.full(6, 0.5), rule("youden")) < 1


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_no_patient_sits_on_the_threshold(probabilities):
    threshold = operating_threshold(OUTCOME, np.array(probabilities), rule("youden"))
    assert 0 <= threshold <= 1
