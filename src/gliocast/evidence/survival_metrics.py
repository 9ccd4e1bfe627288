"""How well a model foretells the time of death, with everyone in it whose end is not known yet.

Every measure is a function of weights, as in `evidence.metrics`, so that bootstrap and jackknife come for free.
Censoring is weighed by the training patients' follow-up (inverse probability of censoring).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from gliocast.evidence.bootstrap import Statistic, bootstrap
from gliocast.evidence.intervals import Estimate, estimate
from gliocast.evidence.metrics import PerResample, Weights, ratio

NO_PAIR = "no two patients whose order of death is known"


@dataclass(frozen=True)
class Followup:
    """Days to death or to the last follow-up, and whether it was death."""

    days: Float[np.ndarray, " patients"]
    died: Bool[np.ndarray, " patients"]


@dataclass(frozen=True)
class SurvivalPrediction:
    """What a model says of patients.

    Attributes:
        risk: higher means earlier death; any scale.
        times_days: ascending times.
        survival: probability to be alive at each of them, 0 to 1.
    """

    risk: Float[np.ndarray, " patients"]
    times_days: Float[np.ndarray, " times"]
    survival: Float[np.ndarray, "patients times"]


def survival_performance(
    prediction: SurvivalPrediction,
    test: Followup,
    training: Followup,
    horizons_days: Sequence[float],
    n_bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    """Discrimination and accuracy over time, each with a BCa interval over patients.

    Returns:
        `n`, `n_died`, `harrell_c`, `uno_c`, `integrated_brier` over the prediction's times, and `auc_<horizon>_days`
        (cumulative cases, dynamic controls) as estimates.
    """
    patients = np.arange(len(test.days))

    def booted(statistic: Statistic, reason: str = NO_PAIR) -> Estimate:
        found = bootstrap(statistic, patients, n_bootstrap, seed)
        return found if found["value"] is not None else estimate(None, reason=reason)

    alive_share = censoring_weights(training, test.days)
    concordance = partial(_concordance, prediction.risk, _tied_half(prediction.risk))
    areas = {
        f"auc_{horizon:g}_days": booted(_area_at(prediction, test, alive_share, horizon)) for horizon in horizons_days
    }
    return {
        "n": len(test.days),
        "n_died": int(test.died.sum()),
        "harrell_c": booted(concordance(_ordered(test))),
        "uno_c": booted(concordance(_ordered(test) / alive_share[:, None] ** 2)),
        "integrated_brier": booted(_integrated_brier(prediction, test, training)),
        **areas,
    }


def censoring_weights(training: Followup, days: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Share of patients still followed at these days, by the training patients' censoring; kept above zero."""
    from sksurv.nonparametric import kaplan_meier_estimator

    times, followed = kaplan_meier_estimator(training.died, training.days, reverse=True)
    place = np.searchsorted(times, days, side="right") - 1
    share = np.where(place >= 0, followed[np.maximum(place, 0)], 1.0)
    return np.maximum(share, followed[followed > 0].min(initial=1.0))


def _ordered(test: Followup) -> Float[np.ndarray, "patients patients"]:
    """1 where the row's patient is known to have died before the column's one.

    Harrell et al. 1996, doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4.
    """
    earlier = test.days[:, None] < test.days
    same_day = (test.days[:, None] == test.days) & ~test.died  # alive on that day means longer
    return (test.died[:, None] & (earlier | same_day)).astype(float)


def _tied_half(risk: Float[np.ndarray, " patients"]) -> Float[np.ndarray, "patients patients"]:
    """1 where the row's risk is the higher, one half where both are equal."""
    return (np.sign(risk[:, None] - risk) + 1) / 2


def _concordance(
    risk: Float[np.ndarray, " patients"],
    order: Float[np.ndarray, "patients patients"],
    pairs: Float[np.ndarray, "patients patients"],
) -> Statistic:
    """Weighted share of the pairs that the risks order rightly. Uno et al. 2011, doi:10.1002/sim.4154, for weights."""

    def statistic(weights: Weights) -> PerResample:
        right = ((weights @ (pairs * order)) * weights).sum(axis=1)
        return ratio(right, ((weights @ pairs) * weights).sum(axis=1))

    return statistic


def _area_at(
    prediction: SurvivalPrediction, test: Followup, alive_share: Float[np.ndarray, " patients"], horizon: float
) -> Statistic:
    """Cumulative/dynamic AUC at a horizon. Uno et al. 2007, doi:10.1198/016214507000000149."""
    dead = test.died & (test.days <= horizon)
    pairs = (dead / alive_share)[:, None] * (test.days > horizon)
    return _concordance(prediction.risk, _tied_half(prediction.risk), pairs)


def _integrated_brier(prediction: SurvivalPrediction, test: Followup, training: Followup) -> Statistic:
    """Mean over the times of the censoring-weighted squared error. Graf et al. 1999."""
    times = prediction.times_days
    dead = (test.died & (test.days <= times[:, None])).T / censoring_weights(training, test.days)[:, None]
    alive = (test.days[:, None] > times) / censoring_weights(training, times)
    errors = prediction.survival**2 * dead + (1 - prediction.survival) ** 2 * alive
    each = np.trapezoid(errors, times, axis=1) / (times[-1] - times[0])
    return lambda weights: ratio(weights @ each, weights.sum(axis=1))
