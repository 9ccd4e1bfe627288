from __future__ import annotations

import pandas as pd

from gliocast.cohort.labels import outcomes


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
