"""One model's performance on one set of patients: every measure, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from gliocast.evidence import metrics
from gliocast.evidence.auc import delong
from gliocast.evidence.bootstrap import Clusters, Statistic, as_clusters, as_splits, bootstrap
from gliocast.evidence.calibration import calibration_error
from gliocast.evidence.intervals import Estimate, estimate, wilson

N_BINS = 10
NO_PROBABILITY = "the rule answers yes or no, without a probability"
NO_SLOPE = "everyone of a split is told the same or lives alike, or the probabilities separate the classes"
NO_PAIR = "no long-term and short-term survivor in one split"
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

    Intervals: Wilson for proportions, DeLong for the AUC, none for the ECE, BCa bootstrap for the rest. Where a
    patient has several observations (slices, repeats), these are all BCa bootstraps over whole patients. Where several
    splits scored, each by a model of its own, AUC and PR-AUC rank the patients of one split alone, the calibration
    slope has an intercept for each, and the AUC's interval is bootstrapped too.

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
    boot = partial(bootstrap, clusters=as_clusters(patients, len(outcome)), n_resamples=n_bootstrap, seed=seed)
    score = predicted.astype(float) if probability is None else probability
    return {
        **confusion(outcome, predicted),
        **shares(outcome, predicted, n_bootstrap, seed, patients),
        **{name: boot(_counted(measure, outcome, predicted)) for name, measure in COUNT_MEASURES.items()},
        "auc": area_within_splits(outcome, score, n_bootstrap, seed, patients, splits),
        **_of_probabilities(outcome, probability, boot, n_bins, as_splits(splits, len(outcome))),
    }


def shares(
    outcome: Bool[np.ndarray, " observations"],
    predicted: Bool[np.ndarray, " observations"],
    n_bootstrap: int,
    seed: int,
    patients: Sequence[str] | np.ndarray | None = None,
) -> dict[str, Estimate]:
    """Accuracy, sensitivity, specificity, PPV and NPV: Wilson's intervals, or by patient where one has several."""
    clusters = as_clusters(patients, len(outcome))
    if not _several_a_patient(clusters):
        return proportions(confusion(outcome, predicted))
    return {
        name: bootstrap(_counted(measure, outcome, predicted), clusters, n_bootstrap, seed)
        for name, measure in PROPORTIONS.items()
    }


def area_within_splits(
    outcome: Bool[np.ndarray, " observations"],
    score: Float[np.ndarray, " observations"],
    n_bootstrap: int,
    seed: int,
    patients: Sequence[str] | np.ndarray | None = None,
    splits: Sequence[str] | np.ndarray | None = None,
) -> Estimate:
    """AUC over the pairs of one split; DeLong's interval, or by patient where there are several splits or repeats."""
    clusters, places = as_clusters(patients, len(outcome)), as_splits(splits, len(outcome))
    if not _several_a_patient(clusters) and not places.any():
        return delong(outcome, score)
    found = bootstrap(partial(metrics.auc_within(places), outcome, score), clusters, n_bootstrap, seed)
    return found if found["value"] is not None else estimate(None, reason=NO_PAIR)


def confusion(
    outcome: Bool[np.ndarray, " observations"], predicted: Bool[np.ndarray, " observations"]
) -> dict[str, int]:
    """`n`, `tp`, `fp`, `fn` and `tn`; long-term survivors are the positives."""
    cells = metrics.counts(outcome, predicted, np.ones((1, len(outcome))))
    return {"n": len(outcome)} | {name: int(getattr(cells, name)[0]) for name in metrics.CELLS}


def proportions(cells: Mapping[str, int]) -> dict[str, Estimate]:
    """Accuracy, sensitivity, specificity, PPV and NPV of counts (`tp`, `fp`, `fn`, `tn`), with Wilson's intervals."""
    tp, fp, fn, tn = (cells[name] for name in metrics.CELLS)
    return {
        "accuracy": wilson(tp + tn, tp + fp + fn + tn),
        "sensitivity": wilson(tp, tp + fn),
        "specificity": wilson(tn, tn + fp),
        "ppv": wilson(tp, tp + fp),
        "npv": wilson(tn, tn + fn),
    }


def _several_a_patient(clusters: Clusters) -> bool:
    return len(clusters) > int(clusters.max(initial=-1)) + 1


def _counted(
    measure: Callable[[metrics.Counts], metrics.PerResample], outcome: metrics.Outcome, predicted: metrics.Outcome
) -> Statistic:
    return lambda weights: measure(metrics.counts(outcome, predicted, weights))


def _of_probabilities(
    outcome: metrics.Outcome,
    probability: metrics.Probability | None,
    boot: Callable[..., Estimate],
    n_bins: int,
    splits: Clusters,
) -> dict[str, Estimate]:
    if probability is None:
        return {name: estimate(None, reason=NO_PROBABILITY) for name in PROBABILITY_MEASURES}
    measures = (
        metrics.pr_auc_within(splits),
        metrics.brier,
        metrics.log_loss,
        metrics.calibration_slope_within(splits),
        metrics.calibration_intercept,
    )
    found = [boot(partial(measure, outcome, probability)) for measure in measures]
    error = calibration_error(outcome, probability, n_bins)
    estimates = dict(zip(PROBABILITY_MEASURES, [*found, error], strict=True))
    for name, reason in (("pr_auc", NO_PAIR), ("calibration_slope", NO_SLOPE)):
        if len(outcome) and estimates[name]["value"] is None:
            estimates[name] = estimate(None, reason=reason)
    return estimates
