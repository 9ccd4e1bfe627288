"""The same performance in every subgroup, and an honest "too few" where it cannot be told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from gliocast.evidence.classification import area_within_splits, shares
from gliocast.evidence.describe import with_shared_texts
from gliocast.evidence.intervals import as_columns
from gliocast.types import SURGERIES

SUBGROUPS = ("sex", "age_band_years", "surgery", "who_status", "scanner_field_t", "centre")
MEASURES = ("accuracy", "sensitivity", "specificity", "auc")
UNKNOWN = "unknown"
WITHHELD = "withheld: the rest would tell of a smaller group"
LIMITS = [f"{measure}{side}" for measure in MEASURES for side in ("", "_lower", "_upper")]
COLUMNS = ("characteristic", "level", "n", "n_long_term", *LIMITS, "note")


def by_subgroup(
    tested: pd.DataFrame,
    outcome: Bool[np.ndarray, " observations"],
    probability: Float[np.ndarray, " observations"],
    predicted: Bool[np.ndarray, " observations"],
    minimum: int,
    age_bands_years: Sequence[int],
    n_bootstrap: int,
    seed: int,
) -> pd.DataFrame:
    """Performance of one model by sex, age band, surgery, performance status, field strength and centre.

    Intervals as in `classification.performance`: an AUC counts the pairs of patients of one split.

    Args:
        tested: canonical columns and `split`, in the order of the arrays; a patient who is tested in several repeats
            has a row for each.
        outcome: True for long-term survivors.
        probability: of being one.
        predicted: the model's answer.
        minimum: of subgroups of fewer patients only their number is given, and "too few": one patient's outcome could
            be read from the others. So that what the others leave of the whole is not of fewer either, the next
            smallest may be withheld.
        age_bands_years: the ages at which a new band begins.
        n_bootstrap: resamples of patients, where a patient has several rows or there are several splits.
        seed: of the resamples.

    Returns:
        One row a subgroup, the first one being everyone, with the columns `COLUMNS`. Patients of whom a characteristic
        is unknown are counted and not judged.
    """
    shared = with_shared_texts(tested, tested)
    banded = shared.assign(age_band_years=age_bands(tested["age_years"], age_bands_years))
    groups = pd.DataFrame(_members(banded), columns=["characteristic", "level", "who"])
    groups["n"] = [tested["patient_id"][who].nunique() for who in groups["who"]]
    groups["is_hidden"] = groups.groupby("characteristic")["n"].transform(_hidden, minimum=minimum)
    rows = []
    for name, level, who, n, is_hidden in groups.itertuples(index=False):
        note = "not recorded" if level == UNKNOWN else "too few" if n < minimum else WITHHELD if is_hidden else None
        arrays = (outcome[who], probability[who], predicted[who])
        found = {"note": note} if note else _measures(tested[who], *arrays, n_bootstrap, seed)
        outcomes = {} if is_hidden else {"n_long_term": tested["patient_id"][who & outcome].nunique()}
        rows.append({"characteristic": name, "level": level, "n": n, **outcomes, **found})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _hidden(n: pd.Series, minimum: int) -> pd.Series:
    """Which groups of one characteristic are not told: those of too few, and the next if they are too few together."""
    ascending = n.sort_values(kind="stable")
    smaller = ascending.cumsum() - ascending
    return (ascending.min() < minimum) & ((ascending < minimum) | (smaller < minimum)).sort_index()


def age_bands(age_years: pd.Series, starts: Sequence[int]) -> pd.Series:
    """The band of each age, as text: `<60`, `60–69`, `≥70`, or `60` of one year; missing where the age is."""
    edges = [-np.inf, *starts, np.inf]
    between = [f"{start}–{end - 1}" if end - start > 1 else str(start) for start, end in pairwise(starts)]
    names = [f"<{starts[0]}", *between, f"≥{starts[-1]}"]
    return pd.cut(age_years.astype(float), edges, right=False, labels=names).astype("string")


def _members(patients: pd.DataFrame) -> Iterator[tuple[str, str, Bool[np.ndarray, " observations"]]]:
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
    members: pd.DataFrame,
    outcome: Bool[np.ndarray, " members"],
    probability: Float[np.ndarray, " members"],
    predicted: Bool[np.ndarray, " members"],
    n_bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    patients, splits = (members[name].to_numpy(dtype=str) for name in ("patient_id", "split"))
    estimates = {
        **shares(outcome, predicted, n_bootstrap, seed, patients),
        "auc": area_within_splits(outcome, probability, n_bootstrap, seed, patients, splits),
    }
    kept = {name: estimates[name] for name in MEASURES}
    return as_columns(kept) | {"note": kept["auc"].get("reason", "")}
