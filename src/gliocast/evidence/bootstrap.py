"""Bootstrap by patient: resamples as weights, and the bias-corrected, accelerated interval (BCa)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Int

from gliocast.evidence.intervals import CONFIDENCE, NOBODY, Estimate, Interval, estimate

Clusters: TypeAlias = Int[np.ndarray, " observations"]
Statistic: TypeAlias = Callable[[Float[np.ndarray, "resamples observations"]], Float[np.ndarray, " resamples"]]

DIGITS = 12  # what differs later is rounding: 0.8 - 0.7 and 0.5 - 0.4 are one difference of accuracies
MINIMUM_USABLE = 0.9  # an interval from fewer of the resamples would speak of other patients than these


def as_clusters(patients: Sequence[str] | np.ndarray | None, n: int) -> Clusters:
    """Each observation's patient as a number; without `patients` every observation is a patient of its own."""
    if patients is None:
        return np.arange(n)
    return np.unique(np.asarray(patients, dtype=str), return_inverse=True)[1].astype(np.int64)


def as_splits(splits: Sequence[str] | np.ndarray | None, n: int) -> Clusters:
    """Each observation's split as a number; without `splits` all are of the first."""
    return np.zeros(n, dtype=np.int64) if splits is None else as_clusters(splits, n)


def resampled(clusters: Clusters, n_resamples: int, seed: int) -> Float[np.ndarray, "resamples observations"]:
    """How often each observation is drawn in each resample of whole patients, with replacement."""
    n = int(clusters.max()) + 1
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_resamples)
    return draws[:, clusters].astype(float)


def jackknifed(clusters: Clusters) -> Float[np.ndarray, "patients observations"]:
    """One row a patient: everyone else's observations."""
    return (np.arange(int(clusters.max()) + 1)[:, None] != clusters).astype(float)


def bca_interval(
    value: float, resamples: Float[np.ndarray, " resamples"], leave_one_out: Float[np.ndarray, " patients"]
) -> Interval | str:
    """Efron's BCa interval, 95 %, or the reason why there is none.

    Args:
        value: the estimate on everyone.
        resamples: the estimate on each resample; NaN where it is not defined.
        leave_one_out: the estimate without each patient; NaN where it is not defined.

    Source: Efron 1987, doi:10.1080/01621459.1987.10478410.
    """
    from scipy.special import ndtr, ndtri

    usable = resamples[np.isfinite(resamples)]
    if len(usable) < MINIMUM_USABLE * len(resamples):
        return f"not defined in {len(resamples) - len(usable)} of {len(resamples)} bootstrap resamples"
    if np.round(np.ptp(usable), DIGITS) == 0:
        return "the same in every bootstrap resample"
    share_below = _share_below(value, usable)
    if not 0 < share_below < 1:
        return "the estimate lies outside all bootstrap resamples"
    bias = ndtri(share_below)
    tails = bias + ndtri([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    levels = ndtr(bias + tails / (1 - _acceleration(leave_one_out) * tails))
    low, high = np.quantile(usable, levels)
    return float(low), float(high)


def bca_p_value(
    value: float, resamples: Float[np.ndarray, " resamples"], leave_one_out: Float[np.ndarray, " patients"]
) -> float | None:
    """Two-sided p of a truth of 0: the BCa interval of level 1 - p just reaches 0, so that the two never disagree.

    At least what half a resample beyond 0 gives. None where there is no interval.

    Args:
        value: the estimate on everyone.
        resamples: the estimate on each resample; NaN where it is not defined.
        leave_one_out: the estimate without each patient; NaN where it is not defined.

    Source: DiCiccio and Efron 1996, doi:10.1214/ss/1032280214, whose interval is solved for its level.
    """
    from scipy.special import ndtr, ndtri

    if isinstance(bca_interval(value, resamples, leave_one_out), str):
        return None
    usable = resamples[np.isfinite(resamples)]
    bias, least = ndtri(_share_below(value, usable)), 0.5 / len(usable)
    reached = ndtri(np.clip(_share_below(0.0, usable), least, 1 - least)) - bias
    return float(2 * ndtr(-abs(reached / (1 + _acceleration(leave_one_out) * reached) - bias)))


def _share_below(value: float, resamples: Float[np.ndarray, " resamples"]) -> float:
    return float(1 + np.sign(np.round(value - resamples, DIGITS)).mean()) / 2  # ties: half on either side


def _acceleration(leave_one_out: Float[np.ndarray, " patients"]) -> float:
    influence = np.nanmean(leave_one_out) - leave_one_out[np.isfinite(leave_one_out)]
    spread = float((influence**2).sum())
    return float((influence**3).sum() / (6 * spread**1.5)) if spread > 0 else 0.0


def bootstrap(statistic: Statistic, clusters: Clusters, n_resamples: int, seed: int) -> Estimate:
    """A statistic with its BCa interval over patients; observations of one patient are drawn together.

    Args:
        statistic: gives one value a row of weights (see `evidence.metrics`).
        clusters: the patient of each observation, 0 … n-1.
        n_resamples: number of resamples; 2,000 steady the limits to about a hundredth.
        seed: of the resamples.
    """
    if len(clusters) == 0:
        return estimate(None, reason=NOBODY)
    value = float(statistic(np.ones((1, len(clusters))))[0])
    if not np.isfinite(value):
        return estimate(None)
    return bca_estimate(value, statistic(resampled(clusters, n_resamples, seed)), statistic(jackknifed(clusters)))


def bca_estimate(
    value: float, resamples: Float[np.ndarray, " resamples"], leave_one_out: Float[np.ndarray, " patients"]
) -> Estimate:
    """A value with its `bca_interval`, or with the reason why there is none."""
    interval = bca_interval(value, resamples, leave_one_out)
    return estimate(value, reason=interval) if isinstance(interval, str) else estimate(value, interval)
