"""How much a result hangs on the draw, on a predictor, and on the number of patients.

Everything happens inside training patients, with one quick classifier (ridge logistic regression) in many random splits
at once; the test patients are not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from gliocast.evidence import metrics
from gliocast.evidence.audit_classifiers import logistic_regression, standardised

COLUMNS = ("question", "what", "n_training", "auc_mean", "auc_sd", "auc_5_percent", "auc_95_percent", "gain_lost")
HELD_OUT_SHARE = 0.2
INVERSE_PENALTY = 1.0


@dataclass(frozen=True)
class Resplits:
    """Many random splits of the same patients: who trains in each, stratified by outcome."""

    training: Float[np.ndarray, "splits patients"]
    order: Float[
        np.ndarray, "splits patients"
    ]  # the same random order for every question, so that differences are paired

    @classmethod
    def draw(cls, outcome: Bool[np.ndarray, " patients"], n_splits: int, seed: int) -> Resplits:
        """Splits that hold out a fifth of each class."""
        order = np.random.default_rng(seed).random((n_splits, len(outcome)))
        training = np.ones_like(order)
        for members in (np.flatnonzero(outcome), np.flatnonzero(~outcome)):
            held_out = round(HELD_OUT_SHARE * len(members))
            ranked = np.argsort(order[:, members], axis=1)[:, :held_out]
            np.put_along_axis(training, members[ranked], 0.0, axis=1)
        return cls(training, order)

    def smaller(self, share: float) -> Resplits:
        """The same held-out patients, with a share of each split's training patients."""
        rank = np.argsort(np.argsort(np.where(self.training > 0, self.order, np.inf), axis=1), axis=1)
        return Resplits((rank < share * self.training.sum(axis=1, keepdims=True)).astype(float), self.order)


def robustness(
    outcome: Bool[np.ndarray, " patients"],
    predictors: Mapping[str, Float[np.ndarray, "patients _"]],
    n_splits: int,
    shares: Sequence[float],
    seed: int,
) -> pd.DataFrame:
    """Spread over splits, what each predictor adds, and the learning curve.

    Args:
        outcome: True for long-term survivors; training patients.
        predictors: the columns of each predictor; NaN where missing, which becomes the training patients' mean.
        n_splits: random splits; each holds out a fifth.
        shares: shares of the training patients, for the learning curve.
        seed: of the splits.

    Returns:
        One row a question with the columns `COLUMNS`; `gain_lost` is the mean loss of AUC against all predictors.
    """
    splits = Resplits.draw(outcome, n_splits, seed)
    held_out = splits.training == 0
    reference = _areas(outcome, list(predictors.values()), splits.training, held_out)
    rows = [_row("spread over splits", "all predictors", splits.training, reference, reference)]
    for name in predictors if len(predictors) > 1 else ():
        others = [columns for other, columns in predictors.items() if other != name]
        areas = _areas(outcome, others, splits.training, held_out)
        rows.append(_row("without one predictor", f"without {name}", splits.training, areas, reference))
    for share in shares:
        training = splits.smaller(share).training
        areas = _areas(outcome, list(predictors.values()), training, held_out)
        rows.append(_row("learning curve", f"{share:.0%} of the training patients", training, areas, reference))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _areas(
    outcome: Bool[np.ndarray, " patients"],
    columns: Sequence[Float[np.ndarray, "patients _"]],
    training: Float[np.ndarray, "splits patients"],
    held_out: Bool[np.ndarray, "splits patients"],
) -> Float[np.ndarray, " splits"]:
    """AUC among the held-out patients of each split; NaN where a class is missing."""
    (features,) = standardised(_filled(np.column_stack(columns), training), training)
    truth = np.broadcast_to(outcome, training.shape)
    scores = logistic_regression(features, truth, training, features, INVERSE_PENALTY)
    ones = [np.ones((1, int(who.sum()))) for who in held_out]
    return np.array([metrics.auc(outcome[w], s[w], o)[0] for w, s, o in zip(held_out, scores, ones, strict=True)])


def _filled(
    features: Float[np.ndarray, "patients p"], training: Float[np.ndarray, "splits patients"]
) -> Float[np.ndarray, "splits patients p"]:
    """Each split's copy of the features, with the mean of its training patients where one is missing."""
    known = np.isfinite(features)
    counted = np.maximum(training @ known, 1e-12)
    mean = (training @ np.where(known, features, 0.0)) / counted
    return np.where(known, features, mean[:, None])


def _row(question: str, what: str, training: np.ndarray, areas: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    low, high = np.nanquantile(areas, [0.05, 0.95])
    spread = {"auc_mean": np.nanmean(areas), "auc_sd": np.nanstd(areas, ddof=1)}
    spread |= {"auc_5_percent": low, "auc_95_percent": high, "gain_lost": np.nanmean(reference - areas)}
    known = {name: float(value) for name, value in spread.items()}
    return {"question": question, "what": what, "n_training": round(float(training.sum(axis=1).mean())), **known}
