"""Who trains, who stops the training, who is tested: drawn once, by patient, and shared by every stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from gliocast.cohort.parameters import Fractions, PartitionParameters
from gliocast.errors import NOT_APPLICABLE, PartitionError, Problem, raise_if_any
from gliocast.types import LONG_TERM, SHORT_TERM, Fold, Partition, Split

ROUNDING = 1e-9  # 0.6 × 5 is a little below 3 in binary
OUTER, INNER, PAPER = 1, 2, 3  # random streams of one seed that never meet
Test = tuple[str, str | None, tuple[str, ...]]  # name and stratum of a split, and its test patients


def partition_patients(cohort: pd.DataFrame, params: PartitionParameters, seed: int) -> Partition:
    """Draw the partition.

    Args:
        cohort: `patient_id`, `outcome` (determined for everyone) and, for `leave_one_centre_out`, `centre`.
        params: scheme, fractions and numbers of folds.
        seed: the same patients and the same seed give the same partition, in whatever order the rows stand.

    Returns:
        One split (`holdout`), one for each outer fold of each repeat (`nested_cv`), or one a centre; in each, the
        training patients' folds; and the paper's own 60/20/20 (Moreau et al., section 2.3) on the first split's test.

    Raises:
        PartitionError: one outcome only, or too few patients of one for the folds, with the counts.
    """
    raise_if_any([*size_problems(cohort, params)], PartitionError)
    tests = [*TESTS[params.scheme](cohort, params, seed)]
    splits = tuple(
        Split(name, tuple(sorted(test)), inner_folds(cohort, test, params.inner_folds, [seed, INNER, place]), stratum)
        for place, (name, stratum, test) in enumerate(tests)
    )
    return Partition(params.scheme, seed, splits, paper_fold(cohort, splits[0].test, params.fractions, seed))


def check_size(cohort: pd.DataFrame, params: PartitionParameters) -> None:
    """Refuse a cohort that is too small for the scheme even if nobody is left out of it, before its images are cut.

    Raises:
        PartitionError: as `partition_patients` would of all whose outcome is known.
    """
    known = cohort[cohort["outcome"].notna()]
    if params.scheme == "leave_one_centre_out" and known["centre"].notna().any():
        known = known[known["centre"].notna()]
    if len(known):  # where nobody is left, `select_patients` says why
        raise_if_any([*size_problems(known, params)], PartitionError)


def holdout(cohort: pd.DataFrame, params: PartitionParameters, seed: int) -> Iterator[Test]:
    """One test: those whom the fractions of training and validation leave."""
    strata = shuffled_strata(cohort["patient_id"], cohort["outcome"], np.random.default_rng([seed, OUTER]))
    *_, test = cut(strata, params.fractions.train, params.fractions.validation)
    yield "holdout", None, tuple(test)


def nested_cv(cohort: pd.DataFrame, params: PartitionParameters, seed: int) -> Iterator[Test]:
    """Every patient is tested once a repeat."""
    for repeat in range(params.repeats):
        generator = np.random.default_rng([seed, OUTER, repeat])
        strata = shuffled_strata(cohort["patient_id"], cohort["outcome"], generator)
        for place, test in enumerate(dealt(strata, params.outer_folds)):
            yield f"repeat{repeat + 1}_fold{place + 1}", f"repeat {repeat + 1}", tuple(test)


def leave_one_centre_out(cohort: pd.DataFrame, params: PartitionParameters, seed: int) -> Iterator[Test]:
    """Every centre is tested once; nothing is drawn."""
    for place, (centre, patients) in enumerate(cohort.groupby("centre", sort=True)["patient_id"], start=1):
        yield f"centre{place}", str(centre), tuple(map(str, patients))


TESTS = {"holdout": holdout, "nested_cv": nested_cv, "leave_one_centre_out": leave_one_centre_out}


def inner_folds(cohort: pd.DataFrame, test: tuple[str, ...], n_folds: int, seed: list[int]) -> tuple[Fold, ...]:
    """The folds inside the training patients."""
    training = cohort[~cohort["patient_id"].isin(test)]
    strata = shuffled_strata(training["patient_id"], training["outcome"], np.random.default_rng(seed))
    return rotated(dealt(strata, n_folds))


def paper_fold(cohort: pd.DataFrame, test: tuple[str, ...], fractions: Fractions, seed: int) -> Fold:
    """The paper's single training: validation patients stop it; the share of both is that of the fractions."""
    training = cohort[~cohort["patient_id"].isin(test)]
    strata = shuffled_strata(training["patient_id"], training["outcome"], np.random.default_rng([seed, PAPER]))
    stop, fit = cut(strata, fractions.validation / (fractions.train + fractions.validation))
    return Fold(fit=tuple(fit), stop=tuple(stop), held_out=test)


def shuffled_strata(patient_id: pd.Series, outcome: pd.Series, generator: np.random.Generator) -> list[list[str]]:
    """The patients of each outcome, in random order; outcomes and patients are sorted before they are shuffled."""
    strata = pd.DataFrame({"patient_id": patient_id, "outcome": outcome}).sort_values(["outcome", "patient_id"])
    return [
        [str(patient) for patient in generator.permutation(patients.to_numpy(dtype=object))]
        for _, patients in strata.groupby("outcome", sort=True)["patient_id"]
    ]


def dealt(strata: Sequence[Sequence[str]], n_groups: int) -> list[list[str]]:
    """The patients dealt into groups like cards, one outcome after the other.

    Sizes differ by one at most, over all patients and within each outcome.
    """
    deck = [patient for stratum in strata for patient in stratum]
    return [sorted(deck[group::n_groups]) for group in range(n_groups)]


def cut(strata: Sequence[Sequence[str]], *fractions: float) -> list[list[str]]:
    """The patients cut into one group a fraction and a last group of the others.

    Within each outcome the group has the whole part of its fraction: of 86 and 89 patients, fractions 0.6 and 0.2 give
    51 + 53, 17 + 17 and 18 + 19: the 104, 34 and 37 patients of Moreau et al., section 2.3.
    """
    groups: list[list[str]] = [[] for _ in range(len(fractions) + 1)]
    for stratum in strata:
        sizes = [int(fraction * len(stratum) + ROUNDING) for fraction in fractions]
        for group, part in zip(groups, np.split(np.array(stratum, dtype=object), np.cumsum(sizes)), strict=True):
            group.extend(map(str, part))
    return [sorted(group) for group in groups]


def rotated(groups: Sequence[Sequence[str]]) -> tuple[Fold, ...]:
    """One fold a group: the group is held out, the next one stops the training, all others are fitted on."""
    n_groups = len(groups)
    folds = []
    for place in range(n_groups):
        stop = (place + 1) % n_groups
        fit = (patient for other in range(n_groups) if other not in (place, stop) for patient in groups[other])
        folds.append(Fold(fit=tuple(sorted(fit)), stop=tuple(groups[stop]), held_out=tuple(groups[place])))
    return tuple(folds)


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
