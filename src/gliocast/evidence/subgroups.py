"""The same performance in every subgroup, and an honest "too few" where it cannot be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from gliocast.evidence.auc import delong
from gliocast.evidence.intervals import as_columns, wilson
from gliocast.types import SURGERIES

SUBGROUPS = ("sex", "age_band_years", "surgery", "who_status", "scanner_field_t", "centre")
MEASURES = ("accuracy", "sensitivity", "specificity", "auc")
UNKNOWN = "unknown"
LIMITS = [f"{measure}{side}" for measure in MEASURES for side in ("", "_lower", "_upper")]
COLUMNS = ("characteristic", "level", "n", "n_long_term", *LIMITS, "note")


def by_subgroup(
    patients: pd.DataFrame,
    outcome: Bool[np.ndarray, " patients"],
    probability: Float[np.ndarray, " patients"],
    predicted: Bool[np.ndarray, " patients"],
    minimum: int,
    age_bands_years: Sequence[float],
) -> pd.DataFrame:
    """Performance of one model by sex, age band, surgery, performance status, field strength and centre.

    Args:
        patients: canonical columns, one row a patient, in the order of the arrays.
        outcome: True for long-term survivors.
        probability: of being one.
        predicted: the model's answer.
        minimum: subgroups of fewer patients are only counted: "too few".
        age_bands_years: the ages at which a new band begins.

    Returns:
        One row a subgroup, the first one being everyone, with the columns `COLUMNS`. Patients of whom a characteristic
        is unknown are counted and not judged.
    """
    banded = patients.assign(age_band_years=age_bands(patients["age_years"], age_bands_years))
    rows = [
        {
            "characteristic": name,
            "level": level,
            **_measures(outcome[who], probability[who], predicted[who], minimum, is_known=level != UNKNOWN),
        }
        for name, level, who in _members(banded)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def age_bands(age_years: pd.Series, starts: Sequence[float]) -> pd.Series:
    """The band of each age, as text: `<60`, `60–69`, `≥70`; missing where the age is."""
    edges = [-np.inf, *starts, np.inf]
    between = [f"{start:g}–{end - 1:g}" for start, end in pairwise(starts)]
    names = [f"<{starts[0]:g}", *between, f"≥{starts[-1]:g}"]
    return pd.cut(age_years.astype(float), edges, right=False, labels=names).astype("string")


def _members(patients: pd.DataFrame) -> Iterator[tuple[str, str, Bool[np.ndarray, " patients"]]]:
    yield "all", "all", np.ones(len(patients), dtype=bool)
    for name in SUBGROUPS:
        values = patients.get(name, pd.Series(pd.NA, index=patients.index))
        for level in sorted(values.dropna().unique(), key=_place):
            yield name, str(level), (values == level).fillna(False).to_numpy(dtype=bool)
        if values.isna().any():
            yield name, UNKNOWN, values.isna().to_numpy(dtype=bool)


def _place(level: Any) -> tuple[int, Any]:
    """Surgeries by extent, age bands with the youngest first, everything else by itself."""
    if level in SURGERIES:
        return SURGERIES.index(level), ""
    return (-1 if str(level).startswith("<") else 0), level


def _measures(
    outcome: Bool[np.ndarray, " members"],
    probability: Float[np.ndarray, " members"],
    predicted: Bool[np.ndarray, " members"],
    minimum: int,
    is_known: bool,
) -> dict[str, Any]:
    counted = {"n": len(outcome), "n_long_term": int(outcome.sum())}
    if len(outcome) < minimum or not is_known:
        return counted | {"note": "too few" if is_known else "not recorded"}
    estimates = {
        "accuracy": wilson(int((outcome == predicted).sum()), len(outcome)),
        "sensitivity": wilson(int((outcome & predicted).sum()), int(outcome.sum())),
        "specificity": wilson(int((~outcome & ~predicted).sum()), int((~outcome).sum())),
        "auc": delong(outcome, probability),
    }
    return counted | as_columns(estimates) | {"note": estimates["auc"].get("reason", "")}
