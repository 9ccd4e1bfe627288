from __future__ import annotations

import pandas as pd
import pytest

from gliocast.cohort.labels import outcomes, survival_classes
from gliocast.errors import ConfigurationError


def days(*values: int | None) -> pd.Series:
    return pd.Series(values, dtype="Int64")


def died(*values: bool | None) -> pd.Series:
    return pd.Series(values, dtype="boolean")


def test_survival_of_exactly_the_threshold_is_long_term():
    outcome = outcomes(days(331, 332, 333), died(True, True, True), 332)
    assert outcome.tolist() == ["short_term", "long_term", "long_term"]


def test_patient_censored_before_the_threshold_has_no_outcome():
    outcome = outcomes(days(200, 200, 400), died(True, False, False), 332)
    assert outcome.isna().tolist() == [False, True, False]
    assert outcome.dropna().tolist() == ["short_term", "long_term"]


def test_patient_censored_on_the_threshold_is_long_term():
    assert outcomes(days(332), died(False), 332).tolist() == ["long_term"]


def test_patient_of_unknown_survival_or_fate_has_no_outcome():
    assert outcomes(days(None, 200), died(True, None), 332).isna().all()


def test_outcomes_keep_the_index_of_the_patients():
    survival = days(100, 400).set_axis([7, 3])
    assert outcomes(survival, died(True, True).set_axis([7, 3]), 332).index.tolist() == [7, 3]


def test_four_classes_are_counted_by_the_cuts_that_were_reached():
    survival = days(99, 100, 199, 200, 299, 300, 5000)
    classes = survival_classes(survival, died(*[True] * 7), (100, 200, 300))
    assert classes.tolist() == [0, 1, 1, 2, 2, 3, 3]


def test_a_censored_patient_has_a_class_only_beyond_the_last_cut():
    classes = survival_classes(days(50, 250, 300), died(False, False, False), (100, 300))
    assert classes.isna().tolist() == [True, True, False]
    assert classes[2] == 2


def test_two_classes_agree_with_the_outcomes():
    survival, event = days(10, 331, 332, 900, 20), died(True, True, False, True, False)
    classes, outcome = survival_classes(survival, event, (332,)), outcomes(survival, event, 332)
    assert classes.map({0: "short_term", 1: "long_term"}).astype("string").equals(outcome.rename("survival_class"))


@pytest.mark.parametrize("cuts", [(), (200, 100), (100, 100), (0, 100)])
def test_cuts_must_ascend_from_above_zero(cuts):
    with pytest.raises(ConfigurationError):
        survival_classes(days(10), died(True), cuts)
