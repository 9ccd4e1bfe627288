"""Who trains, who stops the training, who is tested: drawn once, by patient, and shared by every stage."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from gliocast.cohort.folds import cut, dealt, rotated, shuffled_strata
from gliocast.cohort.parameters import Fractions, PartitionParameters
from gliocast.cohort.partition_size import size_problems
from gliocast.errors import PartitionError, raise_if_any
from gliocast.types import Fold, Partition, Split

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
