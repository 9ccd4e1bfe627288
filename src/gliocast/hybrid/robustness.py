"""How much a result owes to single predictors, to the number of patients, and to chance; training patients only.

Every question is asked of the whole procedure, selection included, on the same outer folds, so that differences are
paired: the only thing that changes between two rows is what the question changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeAlias

import numpy as np
import pandas as pd

from gliocast.hybrid.features import outcome_codes
from gliocast.hybrid.fitted import Facts
from gliocast.hybrid.nested import by_repeat, nested_selection
from gliocast.hybrid.parameters import HybridParameters

NOTHING = "nothing"
Answered: TypeAlias = Callable[[str, Callable[[], pd.DataFrame]], pd.DataFrame]
LOST = ("auc_lost", "auc_lost_sd")


@dataclass(frozen=True)
class Robustness:
    """One table a question.

    Attributes:
        ablation: `left_out` (first: nothing), `auc`, `auc_sd`, `accuracy`, and what is lost, `auc_lost`, `auc_lost_sd`.
        learning_curve: `n_fitted` (mean patients that a model learns from), `auc`, `auc_sd`, `accuracy`.
        spread: `measure` (`auc`, `accuracy`), its `mean`, `sd`, `lowest` and `highest` over `n_repeats`.
        chosen: `classifier`, and the `share` of the outer folds that chose it.
    """

    ablation: pd.DataFrame
    learning_curve: pd.DataFrame
    spread: pd.DataFrame
    chosen: pd.DataFrame


def probe(
    patients: pd.DataFrame,
    facts: Facts,
    hybrid: HybridParameters,
    seed: int,
    answered: Answered = lambda question, answer: answer(),
) -> Robustness | None:
    """Ask everything; None where there are too few patients of a class for the folds.

    Args:
        patients: training patients: `patient_id`, `outcome` and a column for each of `facts`.
        facts: what the classifiers read.
        hybrid: classifiers, grids, folds, and `robustness`.
        seed: of the first repeat.
        answered: gives the answer of each of the `n_questions`, told what is asked and how the answer is found; one who
            remembers it need not look for it.
    """
    if not enough(outcome_codes(patients), 1.0, hybrid):
        return None

    def ask(question: str, kept: Facts, share: float = 1.0) -> pd.DataFrame:
        folds, repeats = hybrid.robustness.outer_folds, hybrid.robustness.repeats
        return answered(question, lambda: nested_selection(patients, kept, hybrid, folds, repeats, seed, share))

    whole = ask("with all predictors", facts)
    without = {name: ask(f"without {name}", rest) for name, rest in without_each(facts).items()}
    smaller = [ask(f"on {share:.0%} of the patients", facts, share) for share in shares(patients, hybrid)]
    return Robustness(
        ablation(whole, without), learning_curve([*smaller, whole]), spread(whole), chosen_classifiers(whole)
    )


def n_questions(patients: pd.DataFrame, facts: Facts, hybrid: HybridParameters) -> int:
    """How many times `probe` lets the whole procedure run its repeats."""
    return 1 + len(without_each(facts)) + len(shares(patients, hybrid))


def without_each(facts: Facts) -> dict[str, Facts]:
    """The facts without each in turn; a single one cannot be left out."""
    if len(facts) < 2:
        return {}
    return {left_out: {name: fact for name, fact in facts.items() if name != left_out} for left_out in facts}


def shares(patients: pd.DataFrame, hybrid: HybridParameters) -> list[float]:
    """The configured shares of the patients, but those with too few of a class for the inner folds."""
    return [share for share in hybrid.robustness.shares if enough(outcome_codes(patients), share, hybrid)]


def ablation(whole: pd.DataFrame, without: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The procedure without each predictor in turn, against `whole`, which is the one with all of them."""
    rows = [{"left_out": NOTHING, **_summary(whole), **dict.fromkeys(LOST, 0.0)}]
    for left_out, table in without.items():
        lost = by_repeat(whole)["auc"] - by_repeat(table)["auc"]
        rows.append({"left_out": left_out, **_summary(table), "auc_lost": lost.mean(), "auc_lost_sd": lost.std()})
    return pd.DataFrame(rows)


def learning_curve(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The procedure fitted on shares of each fold's patients, and tested on the same held-out ones."""
    return pd.DataFrame([{"n_fitted": round(table["n_fitted"].mean()), **_summary(table)} for table in tables])


def spread(whole: pd.DataFrame) -> pd.DataFrame:
    """How results scatter over repeats that differ in all that is drawn: folds and seeds."""
    scores = by_repeat(whole)[["auc", "accuracy"]]
    table = scores.agg(["mean", "std", "min", "max"]).T.set_axis(["mean", "sd", "lowest", "highest"], axis=1)
    return table.assign(n_repeats=len(scores)).rename_axis("measure").reset_index()


def chosen_classifiers(whole: pd.DataFrame) -> pd.DataFrame:
    """Which classifiers are chosen, and in what share of the outer folds."""
    chosen = whole.drop_duplicates(["repeat", "fold"])["classifier"].value_counts(normalize=True)
    return chosen.rename("share").rename_axis("classifier").reset_index()


def enough(outcome: np.ndarray, share: float, hybrid: HybridParameters) -> bool:
    """Whether that share of each outer fold's patients still has a patient of each class for every inner fold."""
    n_fewest, n_folds = int(min(outcome.sum(), (1 - outcome).sum())), hybrid.robustness.outer_folds
    n_fitted = n_fewest - ceil(n_fewest / n_folds)
    return n_fewest >= n_folds and round(share * n_fitted) >= hybrid.inner_folds


def _summary(nested: pd.DataFrame) -> dict[str, float]:
    scores = by_repeat(nested)
    return {"auc": scores["auc"].mean(), "auc_sd": scores["auc"].std(), "accuracy": scores["accuracy"].mean()}
