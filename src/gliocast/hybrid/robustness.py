"""How much a result owes to single predictors, to the number of patients, and to chance; training patients only."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gliocast.hybrid.features import outcome_codes
from gliocast.hybrid.fitted import Facts
from gliocast.hybrid.nested import by_repeat, nested_selection
from gliocast.hybrid.parameters import HybridParameters

ALL = "all predictors"


def ablation(patients: pd.DataFrame, facts: Facts, hybrid: HybridParameters, seed: int) -> pd.DataFrame:
    """The whole procedure without each predictor in turn.

    Returns:
        `left_out` (first: nothing), `auc` and `accuracy` (means over repeats), `auc_sd`, and `auc_lost`.
    """
    names = [ALL, *facts] if len(facts) > 1 else [ALL]
    rows = []
    for left_out in names:
        kept = {name: fact for name, fact in facts.items() if name != left_out}
        rows.append({"left_out": left_out, **_summary(patients, kept, hybrid, seed)})
    table = pd.DataFrame(rows)
    return table.assign(auc_lost=table["auc"].iloc[0] - table["auc"])


def learning_curve(patients: pd.DataFrame, facts: Facts, hybrid: HybridParameters, seed: int) -> pd.DataFrame:
    """The whole procedure on random parts of the training patients: would more of them help?

    Returns:
        `n_patients`, `auc` and `accuracy` (means over repeats), `auc_sd`. A part with too few patients of a class for
        the folds is left out.
    """
    rows = []
    for share in hybrid.robustness.shares:
        part = stratified_part(patients, share, seed)
        if outcome_codes(part).sum() >= _fewest(hybrid) and (1 - outcome_codes(part)).sum() >= _fewest(hybrid):
            rows.append({"n_patients": len(part), **_summary(part, facts, hybrid, seed)})
    return pd.DataFrame(rows, columns=["n_patients", "auc", "accuracy", "auc_sd"])


def spread(
    patients: pd.DataFrame, facts: Facts, hybrid: HybridParameters, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How results scatter over repeats that differ in their folds alone, and which classifiers are chosen.

    Returns:
        `repeat`, `accuracy`, `auc`; and `classifier`, `share` of the outer folds that chose it.
    """
    nested = nested_selection(patients, facts, hybrid, hybrid.robustness.outer_folds, hybrid.robustness.repeats, seed)
    chosen = nested.drop_duplicates(["repeat", "fold"])["classifier"].value_counts(normalize=True)
    return by_repeat(nested), chosen.rename("share").rename_axis("classifier").reset_index()


def stratified_part(patients: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """A random part of the patients, the same share of each class."""
    generator = np.random.default_rng(seed)
    outcome = outcome_codes(patients)
    kept = [
        generator.permutation(np.flatnonzero(outcome == code))[: round(share * int((outcome == code).sum()))]
        for code in (0, 1)
    ]
    return patients.iloc[np.sort(np.concatenate(kept))]


def _summary(patients: pd.DataFrame, facts: Facts, hybrid: HybridParameters, seed: int) -> dict[str, float]:
    folds, repeats = hybrid.robustness.outer_folds, hybrid.robustness.repeats
    scores = by_repeat(nested_selection(patients, facts, hybrid, folds, repeats, seed))
    auc_sd = float(scores["auc"].std(ddof=1)) if len(scores) > 1 else float("nan")
    return {"auc": float(scores["auc"].mean()), "accuracy": float(scores["accuracy"].mean()), "auc_sd": auc_sd}


def _fewest(hybrid: HybridParameters) -> int:
    """Patients of a class such that each inner fold of each outer fold holds one."""
    return int(np.ceil(hybrid.inner_folds * hybrid.robustness.outer_folds / (hybrid.robustness.outer_folds - 1)))
