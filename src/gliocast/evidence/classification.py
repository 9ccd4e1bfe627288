"""One model's performance on one set of patients: every measure, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from gliocast.evidence import metrics
from gliocast.evidence.auc import delong
from gliocast.evidence.bootstrap import Clusters, as_clusters, as_splits, bootstrap
from gliocast.evidence.intervals import Estimate, estimate, wilson

N_BINS = 10
NO_PROBABILITY = "the rule answers yes or no, without a probability"
PROPORTIONS: dict[str, Callable[[metrics.Counts], metrics.PerResample]] = {
    "accuracy": metrics.accuracy,
    "sensitivity": metrics.sensitivity,
    "specificity": metrics.specificity,
    "ppv": metrics.ppv,
    "npv": metrics.npv,
}
COUNT_MEASURES: dict[str, Callable[[metrics.Counts], metrics.PerResample]] = {
    "balanced_accuracy": metrics.balanced_accuracy,
    "f1": metrics.f1,
    "mcc": metrics.mcc,
}
PROBABILITY_MEASURES = ("pr_auc", "brier", "log_loss", "calibration_slope", "calibration_intercept", "ece")


def performance(
    outcome: Bool[np.ndarray, " observations"],
    probability: Float[np.ndarray, " observations"] | None,
    predicted: Bool[np.ndarray, " observations"],
    n_bootstrap: int,
    seed: int,
    patients: Sequence[str] | np.ndarray | None = None,
    n_bins: int = N_BINS,
    splits: Sequence[str] | np.ndarray | None = None,
) -> dict[str, Any]:
    """Counts and measures of one model, as they stand in `metrics.json`.

    Intervals: Wilson for proportions, DeLong for the AUC, BCa bootstrap for the rest. Where a patient has several
    observations (slices, repeats), all intervals are BCa bootstraps over whole patients. Where several splits scored,
    each by a model of its own, the AUC counts the pairs of patients of one split, and its interval is bootstrapped too.

    Args:
        outcome: True for long-term survivors.
        probability: of being one, 0 to 1; None for a rule that only answers yes or no (its AUC is
            that of its answers).
        predicted: the model's answer, True for long-term.
        n_bootstrap: number of bootstrap resamples.
        seed: of the resamples.
        patients: the patient of each observation; None where every observation is a patient of its own.
        n_bins: bins of the expected calibration error.
        splits: the split of each observation; None where one model scored them all.

    Returns:
        `n`, `tp`, `fp`, `fn`, `tn`, and each measure as `{"value", "ci95"[, "reason"]}`.
    """
    clusters = as_clusters(patients, len(outcome))
    boot = partial(bootstrap, clusters=clusters, n_resamples=n_bootstrap, seed=seed)
    return {
        **confusion(outcome, predicted),
        **_of_answers(outcome, predicted, boot, clusters),
        "auc": _auc(outcome, predicted.astype(float) if probability is None else probability, boot, clusters, splits),
        **_of_probabilities(outcome, probability, boot, n_bins),
    }


def confusion(
    outcome: Bool[np.ndarray, " observations"], predicted: Bool[np.ndarray, " observations"]
) -> dict[str, int]:
    """`n`, `tp`, `fp`, `fn` and `tn`; long-term survivors are the positives."""
    cells = {
        "tp": outcome & predicted,
        "fp": ~outcome & predicted,
        "fn": outcome & ~predicted,
        "tn": ~outcome & ~predicted,
    }
    return {"n": len(outcome)} | {name: int(cell.sum()) for name, cell in cells.items()}


def _several_a_patient(clusters: Clusters) -> bool:
    return len(clusters) > int(clusters.max(initial=-1)) + 1


def _of_answers(
    outcome: metrics.Outcome, predicted: metrics.Outcome, boot: Callable[..., Estimate], clusters: Clusters
) -> dict[str, Estimate]:
    def booted(measure: Callable[[metrics.Counts], metrics.PerResample]) -> Estimate:
        return boot(lambda weights: measure(metrics.counts(outcome, predicted, weights)))

    if _several_a_patient(clusters):
        return {name: booted(measure) for name, measure in (PROPORTIONS | COUNT_MEASURES).items()}
    cells = confusion(outcome, predicted)
    return _wilson_proportions(cells) | {name: booted(measure) for name, measure in COUNT_MEASURES.items()}


def _wilson_proportions(cells: dict[str, int]) -> dict[str, Estimate]:
    tp, fp, fn, tn = (cells[name] for name in ("tp", "fp", "fn", "tn"))
    return {
        "accuracy": wilson(tp + tn, cells["n"]),
        "sensitivity": wilson(tp, tp + fn),
        "specificity": wilson(tn, tn + fp),
        "ppv": wilson(tp, tp + fp),
        "npv": wilson(tn, tn + fn),
    }


def _auc(
    outcome: metrics.Outcome,
    score: metrics.Probability,
    boot: Callable[..., Estimate],
    clusters: Clusters,
    splits: Sequence[str] | np.ndarray | None,
) -> Estimate:
    places = as_splits(splits, len(outcome))
    if _several_a_patient(clusters) or places.any():
        return boot(partial(metrics.auc_within(places), outcome, score))
    return delong(outcome, score)


def _of_probabilities(
    outcome: metrics.Outcome, probability: metrics.Probability | None, boot: Callable[..., Estimate], n_bins: int
) -> dict[str, Estimate]:
    if probability is None:
        return {name: estimate(None, reason=NO_PROBABILITY) for name in PROBABILITY_MEASURES}
    measures = (
        metrics.pr_auc,
        metrics.brier,
        metrics.log_loss,
        metrics.calibration_slope,
        metrics.calibration_intercept,
        metrics.expected_calibration_error(n_bins),
    )
    return {
        name: boot(partial(measure, outcome, probability))
        for name, measure in zip(PROBABILITY_MEASURES, measures, strict=True)
    }
