"""Repeated nested selection: how well does choosing a classifier, as a whole, predict patients it has not seen?

Everything happens inside the patients given, who are training patients: the test patients are scored once, elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gliocast.evidence import metrics
from gliocast.hybrid.features import encode, outcome_codes
from gliocast.hybrid.fitted import Facts
from gliocast.hybrid.parameters import HybridParameters
from gliocast.hybrid.selection import fit_candidate, select, stratified
from gliocast.processes import Answer, Job, in_processes


@dataclass(frozen=True)
class OuterFold:
    """One fold of one repeat, with places among the patients."""

    repeat: int
    number: int
    fit: np.ndarray
    held_out: np.ndarray


def nested_selection(
    patients: pd.DataFrame,
    facts: Facts,
    hybrid: HybridParameters,
    n_folds: int,
    n_repeats: int,
    seed: int,
    share: float = 1.0,
) -> pd.DataFrame:
    """Select and fit inside each outer fold, and score its held-out patients.

    Args:
        patients: one row a patient: `patient_id`, `outcome` and a column for each of `facts`.
        facts: what the classifiers read.
        hybrid: classifiers, grids, inner folds and the number of processes.
        n_folds: outer folds.
        n_repeats: how often everything that is drawn is drawn anew: outer folds, inner folds, classifiers.
        seed: of the first repeat; the others follow.
        share: of the patients outside a fold, the part that is fitted on; the held-out patients stay the same.

    Returns:
        one row a repeat and patient: `repeat`, `fold`, `n_fitted`, `patient_id`, `classifier`, `probability`,
        `long_term`.
    """
    outcome = outcome_codes(patients)
    folds = [
        OuterFold(repeat, number, thinned(fit, outcome, share, seed + repeat), held_out)
        for repeat in range(n_repeats)
        for number, (fit, held_out) in enumerate(stratified(outcome, n_folds, seed + repeat))
    ]
    parts = shared_among(hybrid.workers, lambda fold: _held_out(patients, facts, hybrid, seed, fold), folds)
    return pd.concat(parts, ignore_index=True)


def thinned(places: np.ndarray, outcome: np.ndarray, share: float, seed: int) -> np.ndarray:
    """A random share of each class among these places; a larger share holds the smaller one."""
    drawn = np.random.default_rng(seed).permutation(places)
    classes = [drawn[outcome[drawn] == code] for code in (0, 1)]
    return np.sort(np.concatenate([members[: round(share * len(members))] for members in classes]))


def by_repeat(nested: pd.DataFrame) -> pd.DataFrame:
    """Accuracy at 0.5 and AUC within the folds of each repeat: `repeat`, `accuracy`, `auc`."""
    rows = [
        {
            "repeat": repeat,
            "accuracy": float(((one["probability"] >= 0.5) == one["long_term"]).mean()),
            "auc": metrics.area_within(*(one[name].to_numpy() for name in ("fold", "long_term", "probability"))),
        }
        for repeat, one in nested.groupby("repeat")
    ]
    return pd.DataFrame(rows)


def shared_among(workers: int, function: Callable[[Job], Answer], jobs: Iterable[Job]) -> list[Answer]:
    """`function` of every job, in order, by so many processes; 0 uses every core, 1 starts none."""
    return list(in_processes(workers or -1, function, jobs))


def _held_out(
    patients: pd.DataFrame, facts: Facts, hybrid: HybridParameters, seed: int, fold: OuterFold
) -> pd.DataFrame:
    encoded, outcome, kinds = encode(patients, facts), outcome_codes(patients), list(facts.values())
    chosen = select(encoded[fold.fit], outcome[fold.fit], kinds, hybrid, seed + fold.repeat).chosen
    pair = fit_candidate(chosen, encoded[fold.fit], outcome[fold.fit], kinds, seed + fold.repeat)
    answers: dict[str, Any] = {
        "repeat": fold.repeat,
        "fold": fold.number,
        "n_fitted": len(fold.fit),
        "patient_id": patients["patient_id"].to_numpy()[fold.held_out],
        "classifier": chosen.classifier,
        "probability": pair.probability(encoded[fold.held_out]),
        "long_term": outcome[fold.held_out] == 1,
    }
    return pd.DataFrame(answers)
