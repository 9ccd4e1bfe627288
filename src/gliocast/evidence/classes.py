"""More than two classes of survival, as the outlook of Moreau et al. (section 4) asks: three, four, any number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from gliocast.evidence.bootstrap import bootstrap
from gliocast.evidence.intervals import wilson
from gliocast.evidence.metrics import PerResample, Weights, ratio

UNDETERMINED = -1


def observed_classes(
    survival_days: Float[np.ndarray, " patients"],
    event_observed: Bool[np.ndarray, " patients"],
    thresholds_days: Sequence[float],
) -> Int[np.ndarray, " patients"]:
    """The class of each patient: 0 below the first threshold, 1 from it on, and so on.

    A patient who was alive when last seen has a class only beyond the last threshold; else `UNDETERMINED`.
    """
    reached = np.searchsorted(np.asarray(thresholds_days, dtype=float), survival_days, side="right")
    known = event_observed | (reached == len(thresholds_days))
    return np.where(known, reached, UNDETERMINED)


def predicted_classes(
    times_days: Float[np.ndarray, " times"],
    survival: Float[np.ndarray, "patients times"],
    thresholds_days: Sequence[float],
) -> Int[np.ndarray, " patients"]:
    """The likeliest class by a patient's survival curve, whose differences between thresholds are its probabilities."""
    moments = np.r_[0.0, times_days]
    alive = np.array([np.interp(thresholds_days, moments, np.r_[1.0, curve]) for curve in survival])
    edges = np.column_stack([np.ones(len(survival)), alive, np.zeros(len(survival))])
    return np.asarray((edges[:, :-1] - edges[:, 1:]).argmax(axis=1))


def class_performance(
    observed: Int[np.ndarray, " patients"],
    predicted: Int[np.ndarray, " patients"],
    majority: Int[np.ndarray, " patients"],
    n_classes: int,
    n_bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    """Accuracy (Wilson), balanced accuracy and quadratic weighted kappa (BCa) on patients whose class is known.

    Cohen's weighted kappa: doi:10.1037/h0026256.

    Args:
        observed: class of each patient, or `UNDETERMINED`.
        predicted: the model's answer.
        majority: the likeliest class among the patients that the model has learnt from; its accuracy stands beside.
        n_classes: how many there are.
        n_bootstrap: number of bootstrap resamples.
        seed: of the resamples.
    """
    known = observed != UNDETERMINED
    truth, answer, n = observed[known], predicted[known], int(known.sum())
    cells = np.eye(n_classes**2)[truth * n_classes + answer] if n else np.empty((0, n_classes**2))

    def table(weights: Weights) -> Float[np.ndarray, "resamples truth answer"]:
        return (weights @ cells).reshape(-1, n_classes, n_classes)

    patients = np.arange(n)
    return {
        "n": n,
        "n_undetermined": int((~known).sum()),
        "accuracy": wilson(int((truth == answer).sum()), n),
        "majority_accuracy": wilson(int((truth == majority[known]).sum()), n),
        "balanced_accuracy": bootstrap(lambda weights: _balanced(table(weights)), patients, n_bootstrap, seed),
        "weighted_kappa": bootstrap(lambda weights: _kappa(table(weights)), patients, n_bootstrap, seed),
    }


def _balanced(table: Float[np.ndarray, "resamples truth answer"]) -> PerResample:
    """Mean recall of the classes; NaN where a resample lacks one."""
    recalls = [ratio(table[:, place, place], table[:, place].sum(axis=1)) for place in range(table.shape[1])]
    return np.mean(recalls, axis=0)


def _kappa(table: Float[np.ndarray, "resamples truth answer"]) -> PerResample:
    places = np.arange(table.shape[1])
    distance = (places[:, None] - places) ** 2
    chance = table.sum(axis=2)[:, :, None] * table.sum(axis=1)[:, None] / table.sum(axis=(1, 2))[:, None, None]
    return 1 - ratio((distance * table).sum(axis=(1, 2)), (distance * chance).sum(axis=(1, 2)))
