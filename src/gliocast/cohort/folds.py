"""Dealing patients into groups, each outcome in the same proportion. The order of the rows never matters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gliocast.types import Fold

ROUNDING = 1e-9  # 0.6 × 5 is a little below 3 in binary


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
