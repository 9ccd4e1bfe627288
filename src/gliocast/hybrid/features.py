"""From patients to numbers: a fixed encoding that learns nothing, and a preprocessing that learns from its patients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from gliocast.errors import (
    CohortError,
    ConfigurationError,
    Problem,
    holds_date,
    listed,
    not_shown,
    problems_of_cells,
    raise_if_any,
    shown,
)
from gliocast.hybrid.parameters import PredictorFacts

IMAGE_SCORE = "image_score"
IMAGE_FACTS = PredictorFacts(kind="number", known_when="pre_operative", values=())


def encode(patients: pd.DataFrame, facts: dict[str, PredictorFacts]) -> Float[np.ndarray, "patients predictors"]:
    """Patients as numbers: a number as it is, another value as its place in the predictor's vocabulary, missing as NaN.

    Learns nothing from the patients, so that a value has the same code in every cohort.

    Args:
        patients: one row a patient, with `patient_id` and a column for each key of `facts`.
        facts: the predictors, in the order of the columns of the result.

    Raises:
        ConfigurationError: the table has no such column.
        CohortError: a value is outside the vocabulary, or no number.
    """
    raise_if_any([_absent(name) for name in facts if name not in patients.columns], ConfigurationError)
    raise_if_any([problem for name in facts for problem in _strangers(patients, name, facts[name])], CohortError)
    columns = [_codes(patients[name], fact) for name, fact in facts.items()]
    return np.column_stack(columns) if columns else np.empty((len(patients), 0))


def build_preprocessor(facts: Sequence[PredictorFacts]) -> Any:
    """An unfitted scikit-learn `ColumnTransformer` for the columns of `encode`.

    Numbers: the median where missing, scaled. Ordinals and two-valued categories: the most frequent value where
    missing, scaled. Wherever values were missing at fitting, a column says so. Other categories: one column a value; a
    patient without the value has zeros in all of them.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [place for place, fact in enumerate(facts) if fact.kind == "number"]
    many = [place for place, fact in enumerate(facts) if fact.kind == "category" and len(fact.values) > 2]
    levels = [place for place in range(len(facts)) if place not in {*numbers, *many}]
    codes = [np.arange(float(len(facts[place].values))) for place in many]
    steps = [
        ("numbers", make_pipeline(_imputer("median"), StandardScaler()), numbers),
        ("levels", make_pipeline(_imputer("most_frequent"), StandardScaler()), levels),
        ("categories", OneHotEncoder(categories=codes, handle_unknown="ignore", sparse_output=False), many),
    ]
    return ColumnTransformer([step for step in steps if step[2]])


def outcome_codes(patients: pd.DataFrame) -> np.ndarray:
    """1 for long-term, 0 for short-term survivors; the caller has left out undetermined outcomes."""
    return (patients["outcome"] == "long_term").to_numpy(dtype=np.int64)


def _imputer(strategy: str) -> Any:
    from sklearn.impute import SimpleImputer

    # keep_empty_features: a predictor that is missing in a whole fold must not change the number of columns
    return SimpleImputer(strategy=strategy, add_indicator=True, keep_empty_features=True)


def _codes(column: pd.Series, fact: PredictorFacts) -> Float[np.ndarray, " patients"]:
    if fact.kind == "number":
        return column.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    places = {value: float(place) for place, value in enumerate(fact.values)}
    return np.array([places.get(value, np.nan) if not pd.isna(value) else np.nan for value in column])


def _strangers(patients: pd.DataFrame, name: str, fact: PredictorFacts) -> Iterable[Problem]:
    """One problem for each value outside the vocabulary, but for names, perhaps, and dates, which are not told."""
    if fact.kind == "number":
        return _no_numbers(patients, name)
    strange = patients[patients[name].notna() & ~patients[name].isin(list(fact.values))]
    found = [not_shown([value]) if holds_date(value) else shown(value) for value in strange[name]]
    expected = ", ".join(map(str, fact.values))
    remedy = f"Map it in cohort.values.{name}, or add it to hybrid.predictor_facts.{name}.values."
    faults = ((value, expected, remedy) for value in found)
    return problems_of_cells(
        name, strange["patient_id"].astype(str), faults, int(patients[name].count()), lambda _: remedy
    )


def _no_numbers(patients: pd.DataFrame, name: str) -> list[Problem]:
    broken = patients[name].notna() & pd.to_numeric(patients[name], errors="coerce").isna()
    if not broken.any():
        return []
    who = listed([*patients.loc[broken, "patient_id"].astype(str)])
    remedy = f"Correct it, or say of it in hybrid.predictor_facts.{name} that it is a category or an ordinal."
    return [Problem(who, name, "no number", "a number", remedy)]


def _absent(name: str) -> Problem:
    remedy = "Map the site's column to it in cohort.columns, or remove it from hybrid.predictors."
    return Problem("–", f"hybrid.predictors: {name}", "no such column in the cohort", "a column", remedy)
