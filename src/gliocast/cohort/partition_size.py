"""Whether there are enough patients for a partition: told before any training, with the counts."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from gliocast.cohort.parameters import PartitionParameters
from gliocast.errors import NOT_APPLICABLE, Problem
from gliocast.types import LONG_TERM, SHORT_TERM


def size_problems(cohort: pd.DataFrame, params: PartitionParameters) -> Iterator[Problem]:
    """Everything that makes the scheme impossible for these patients."""
    counts = outcome_counts(cohort["outcome"])
    yield from undetermined_problems(cohort)
    if params.scheme == "leave_one_centre_out":
        yield from centre_problems(cohort, params.inner_folds)
        return
    needed = smallest_class(params)
    if min(counts.values()) < needed:
        yield too_few("number of patients", counts, f"at least {needed} of each outcome", params.scheme)


def outcome_counts(outcome: pd.Series) -> dict[str, int]:
    """How many patients each of the two outcomes has; 0 where it has none."""
    return {name: int((outcome == name).sum()) for name in (LONG_TERM, SHORT_TERM)}


def smallest_class(params: PartitionParameters) -> int:
    """Patients that an outcome needs so that every fold, and the test, has one of them."""
    n_class = params.inner_folds
    while training_patients(n_class, params) < params.inner_folds:
        n_class += 1
    return max(n_class, params.outer_folds) if params.scheme == "nested_cv" else n_class


def training_patients(n_class: int, params: PartitionParameters) -> int:
    """The fewest training patients among `n_class` patients of one outcome."""
    if params.scheme == "nested_cv":
        return n_class - -(-n_class // params.outer_folds)
    return int(params.fractions.train * n_class) + int(params.fractions.validation * n_class)


def centre_problems(cohort: pd.DataFrame, inner_folds: int) -> Iterator[Problem]:
    """Patients without a centre, a single centre, and centres without which too few patients train."""
    nowhere = cohort.loc[cohort["centre"].isna(), "patient_id"]
    if len(nowhere):
        remedy = "Complete the column `centre`, or choose another `partition.scheme`."
        yield Problem(NOT_APPLICABLE, "centre", f"missing for {len(nowhere)} patients", "a centre for each", remedy)
        return
    for centre in sorted(cohort["centre"].unique()):
        counts = outcome_counts(cohort.loc[cohort["centre"] != centre, "outcome"])
        if min(counts.values()) < inner_folds:
            where = f"number of training patients without centre {centre}"
            yield too_few(where, counts, f"at least {inner_folds} of each outcome", "leave_one_centre_out")


def undetermined_problems(cohort: pd.DataFrame) -> Iterator[Problem]:
    """Patients without an outcome cannot be dealt by outcome."""
    for patient in cohort.loc[cohort["outcome"].isna(), "patient_id"]:
        yield Problem(str(patient), "outcome", "undetermined", "long_term or short_term", "Leave the patient out.")


def too_few(where: str, counts: dict[str, int], expected: str, scheme: str) -> Problem:
    """The problem of an outcome with too few patients."""
    found = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    remedy = (
        f"Add patients, lower `partition.inner_folds`, or choose another `cohort.survival_threshold_days` "
        f"(scheme {scheme})."
    )
    return Problem(NOT_APPLICABLE, where, found, expected, remedy)
