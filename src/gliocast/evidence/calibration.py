"""Do probabilities mean what they say? Reliability, and recalibration learnt from training patients."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from gliocast.evidence import metrics
from gliocast.evidence.bootstrap import as_clusters, as_splits, bootstrap
from gliocast.evidence.guard import check_not_fitted_on
from gliocast.evidence.intervals import NOBODY, Estimate, as_columns, estimate, wilson
from gliocast.evidence.metrics import PROBABILITY_FLOOR, logit

Method: TypeAlias = Literal["none", "platt", "isotonic", "beta"]
RELIABILITY_COLUMNS = ("model", "predicted", "observed", "lower", "upper", "n")


def reliability(
    outcome: Bool[np.ndarray, " observations"],
    probability: Float[np.ndarray, " observations"],
    model: str,
    n_bins: int = 5,
    patients: Sequence[str] | np.ndarray | None = None,
) -> pd.DataFrame:
    """Predicted and observed share of long-term survivors, in bins of equally many predictions; a tie is never cut.

    Args:
        outcome: True for long-term survivors.
        probability: of being one.
        model: its name.
        n_bins: at most.
        patients: the patient of each prediction, where several repeats test one; who then stands once in each bin.
            The mean of the repeats would be another model, less sure of itself than any of them.

    Returns:
        One row a bin: `model`, mean `predicted`, `observed` with Wilson's `lower` and `upper`, and `n` (patients).
    """
    from scipy.stats import rankdata

    bins = ((rankdata(probability) - 0.5) / len(probability) * n_bins).astype(int)  # equals share a rank, so a bin
    said = pd.DataFrame({"patient": as_clusters(patients, len(outcome)), "outcome": outcome, "predicted": probability})
    rows = []
    for number in np.unique(bins):
        part = said[bins == number].groupby("patient").mean()
        share = wilson(int(part["outcome"].sum()), len(part))
        low, high = share["ci95"]
        rows.append((model, float(part["predicted"].mean()), share["value"], low, high, len(part)))
    return pd.DataFrame(rows, columns=list(RELIABILITY_COLUMNS))


NO_INTERVAL = "an error in bins is raised by chance, and a resample's by more: a bootstrap interval misses the truth"
MEASURES = ("brier", "calibration_slope", "calibration_intercept", "ece")


def calibration_row(
    outcome: Bool[np.ndarray, " observations"],
    probability: Float[np.ndarray, " observations"],
    patients: Sequence[str] | np.ndarray,
    splits: Sequence[str] | np.ndarray,
    n_bins: int,
    n_bootstrap: int,
    seed: int,
) -> dict[str, float | None]:
    """Brier score, calibration slope and intercept with bootstrap intervals by patient, and ECE without one, flat."""
    slope = metrics.calibration_slope_within(as_splits(splits, len(outcome)))
    measures = (metrics.brier, slope, metrics.calibration_intercept)
    clusters = as_clusters(patients, len(outcome))
    found = [bootstrap(partial(measure, outcome, probability), clusters, n_bootstrap, seed) for measure in measures]
    return as_columns(dict(zip(MEASURES, [*found, calibration_error(outcome, probability, n_bins)], strict=True)))


def calibration_error(
    outcome: Bool[np.ndarray, " observations"], probability: Float[np.ndarray, " observations"], n_bins: int
) -> Estimate:
    """Expected calibration error, without an interval.

    Chance alone keeps observed shares off the predicted ones, the more so the fewer patients a bin has: 35 patients
    whose probabilities are right show an error of 0.17 on average. A resample adds its own chance to theirs, so that
    a bootstrap interval of right probabilities never holds the truth, which is 0.
    """
    value = metrics.expected_calibration_error(n_bins)(outcome, probability, np.ones((1, len(outcome))))[0]
    return estimate(value, reason=NO_INTERVAL if len(outcome) else NOBODY)


@dataclass(frozen=True)
class Recalibration:
    """A monotone map from probability to probability, and the patients it was learnt from.

    Attributes:
        method: `none`, `platt`, `isotonic` or `beta`.
        numbers: intercept and slope (Platt); intercept, weight of log p and of -log(1 - p) (beta);
            probabilities and their images, one half after the other (isotonic).
        fitted_on: the training patients.
    """

    method: Method
    numbers: tuple[float, ...]
    fitted_on: tuple[str, ...]

    def apply(
        self, probability: Float[np.ndarray, " patients"], patients: Collection[str]
    ) -> Float[np.ndarray, " patients"]:
        """Recalibrated probabilities of patients that it was not learnt from.

        Raises:
            LeakageError: one of `patients` taught it.
        """
        check_not_fitted_on(f"recalibration ({self.method})", self.fitted_on, patients)
        if self.method == "none":
            return probability
        numbers = np.array(self.numbers)
        if self.method == "isotonic":
            levels, images = np.split(numbers, 2)
            return np.interp(probability, levels, images)
        return 1 / (1 + np.exp(-(numbers[0] + _features(self.method, probability) @ numbers[1:])))


def recalibrate(
    outcome: Bool[np.ndarray, " patients"],
    probability: Float[np.ndarray, " patients"],
    patients: Sequence[str],
    method: Method,
) -> Recalibration:
    """Learn a recalibration from training patients' out-of-fold probabilities.

    Sources: Platt 1999 (with his smoothed targets, which keep it finite); Zadrozny and Elkan 2002,
    doi:10.1145/775047.775151 (isotonic); Kull et al. 2017, PMLR 54 (beta).
    """
    numbers: tuple[float, ...] = ()
    if method == "isotonic":
        numbers = _isotonic(outcome, probability)
    elif method != "none":
        numbers = _logistic(outcome, _features(method, probability))
    return Recalibration(method, numbers, tuple(sorted(set(patients))) if method != "none" else ())


def _features(method: Method, probability: Float[np.ndarray, " patients"]) -> Float[np.ndarray, "patients features"]:
    if method == "platt":
        return logit(probability)[:, None]
    kept = np.clip(probability, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return np.column_stack([np.log(kept), -np.log(1 - kept)])


def _logistic(
    outcome: Bool[np.ndarray, " patients"], features: Float[np.ndarray, "patients features"]
) -> tuple[float, ...]:
    """Intercept and weights, weights kept from below zero: more is never made less."""
    from scipy.optimize import minimize

    n_long, n_short = int(outcome.sum()), int((~outcome).sum())
    target = np.where(outcome, (n_long + 1) / (n_long + 2), 1 / (n_short + 2))
    design = np.column_stack([np.ones(len(outcome)), features])

    def loss(weights: Float[np.ndarray, " weights"]) -> tuple[float, Float[np.ndarray, " weights"]]:
        score = design @ weights
        expected = 1 / (1 + np.exp(-score))
        return float((np.logaddexp(0, score) - target * score).sum()), design.T @ (expected - target)

    bounds = [(None, None), *[(0, None)] * features.shape[1]]
    start = np.r_[0.0, np.ones(features.shape[1])]
    # L-BFGS-B, the default, may end far from the best where a weight is zero
    return tuple(map(float, minimize(loss, start, method="SLSQP", jac=True, bounds=bounds, tol=1e-12).x))


def _isotonic(outcome: Bool[np.ndarray, " patients"], probability: Float[np.ndarray, " patients"]) -> tuple[float, ...]:
    from scipy.optimize import isotonic_regression

    levels, place, n = np.unique(probability, return_inverse=True, return_counts=True)
    share = np.bincount(place, weights=outcome) / n
    return (*map(float, levels), *map(float, isotonic_regression(share, weights=n).x))
