"""How well a model foretells the time of death, with everyone in it whose end is not known yet.

Every measure is a function of weights, as in `evidence.metrics`, so that bootstrap and jackknife come for free.
Censoring is weighed by the training patients' follow-up (inverse probability of censoring). Patients who were lost
before their class was known are not among the tested, so the others weigh as much more as it was less likely that they
would be known. Where several splits were
tested, each by a model of its own, pairs of patients are counted in each split and added up before they are divided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from gliocast.evidence.bootstrap import Statistic, as_clusters, bootstrap
from gliocast.evidence.intervals import Estimate, estimate
from gliocast.evidence.metrics import PerResample, Weights, ratio

NO_PAIR = "no two patients whose order of death is known"
NOBODY_KNOWN = "there are times at which no patient is known to be alive or dead"


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


@dataclass(frozen=True)
class ScoredSplit:
    """What one split's model says of its test patients, and what happened.

    Attributes:
        patients: identifiers of the test patients.
        test: their follow-up.
        prediction: what the model says of them.
        training: follow-up of the patients whom the model has learnt from.
        known_from_days: who was lost to follow-up before this day is not among the tested; infinite where nobody is
            whose death is not known.
    """

    patients: tuple[str, ...]
    test: Followup
    prediction: SurvivalPrediction
    training: Followup
    known_from_days: float = 0.0


PairsOf = Callable[[ScoredSplit], Float[np.ndarray, "patients patients"]]


def survival_performance(
    splits: Sequence[ScoredSplit], horizons_days: Sequence[float], n_bootstrap: int, seed: int
) -> dict[str, Any]:
    """Discrimination and accuracy over time, each with a BCa interval over patients.

    A patient who is tested in several repeats counts in each, and is drawn in all or in none.

    Returns:
        `n` and `n_died` (patients), `harrell_c`, `uno_c`, `integrated_brier` over the prediction's times, and
        `auc_<horizon>_days` (cumulative cases, dynamic controls) as estimates.
    """
    patients = np.concatenate([split.patients for split in splits])
    died = np.concatenate([split.test.died for split in splits])
    clusters = as_clusters(patients, len(patients))

    def booted(statistic: Statistic, otherwise: str = NO_PAIR) -> Estimate:
        found = bootstrap(statistic, clusters, n_bootstrap, seed)
        return found if found["value"] is not None else estimate(None, reason=otherwise)

    return {
        "n": len(set(patients)),
        "n_died": len(set(patients[died])),
        "harrell_c": booted(_concordance(splits, _ordered)),
        "uno_c": booted(_concordance(splits, _ordered_and_weighed)),
        "integrated_brier": booted(_integrated_brier(splits), NOBODY_KNOWN),
        **{f"auc_{days:g}_days": booted(_concordance(splits, _dead_and_alive(days))) for days in horizons_days},
    }


def censoring_weights(training: Followup, days: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Share of patients still followed at these days, by the training patients' censoring; kept above zero."""
    from sksurv.nonparametric import kaplan_meier_estimator

    times, followed = kaplan_meier_estimator(training.died, training.days, reverse=True)
    place = np.searchsorted(times, days, side="right") - 1
    share = np.where(place >= 0, followed[np.maximum(place, 0)], 1.0)
    return np.maximum(share, followed[followed > 0].min(initial=1.0))


def known_alive_share(split: ScoredSplit, days: Float[np.ndarray, " moments"]) -> Float[np.ndarray, "moments patients"]:
    """How likely it was that each tested patient, alive at these days, is among the tested and known to be alive then.

    Whoever died before `known_from_days` is among them if followed to that death; everyone else, if followed to there.
    """
    followed_to = np.minimum(split.test.days, np.maximum(days[:, None], _before(split.known_from_days)))
    return censoring_weights(split.training, followed_to)


def _before(day: float) -> float:
    return float(np.nextafter(day, 0))


def _ordered(split: ScoredSplit) -> Float[np.ndarray, "patients patients"]:
    """1 where the row's patient is known to have died before the column's one.

    Harrell et al. 1996, doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4.
    """
    days, died = split.test.days, split.test.died
    earlier = days[:, None] < days
    same_day = (days[:, None] == days) & ~died  # alive on that day means longer
    return (died[:, None] & (earlier | same_day)).astype(float)


def _ordered_and_weighed(split: ScoredSplit) -> Float[np.ndarray, "patients patients"]:
    """Uno et al. 2011, doi:10.1002/sim.4154."""
    days = split.test.days
    return _ordered(split) / censoring_weights(split.training, days)[:, None] / known_alive_share(split, days)


def _dead_and_alive(horizon_days: float) -> PairsOf:
    """Those dead before a horizon beside those who reach it, as the outcome counts them at its threshold.

    Uno et al. 2007, doi:10.1198/016214507000000149, at the last moment before that day.
    """
    last_moment = _before(horizon_days)

    def pairs_of(split: ScoredSplit) -> Float[np.ndarray, "patients patients"]:
        dead = split.test.died & (split.test.days < horizon_days)
        alive = (split.test.days >= horizon_days) / known_alive_share(split, np.array([last_moment]))
        return (dead / censoring_weights(split.training, split.test.days))[:, None] * alive

    return pairs_of


def _concordance(splits: Sequence[ScoredSplit], pairs_of: PairsOf) -> Statistic:
    """Weighted share of the pairs of patients of one split that the risks order rightly, ties counting half."""
    ends = np.cumsum([len(split.patients) for split in splits])
    members = [slice(end - len(split.patients), end) for end, split in zip(ends, splits, strict=True)]
    pairs = [pairs_of(split) for split in splits]
    right = [each * _tied_half(split.prediction.risk) for each, split in zip(pairs, splits, strict=True)]

    def counted(tables: Sequence[np.ndarray], weights: Weights) -> PerResample:
        drawn = [weights[:, who] for who in members]
        return np.sum([((mine @ table) * mine).sum(axis=1) for mine, table in zip(drawn, tables, strict=True)], axis=0)

    return lambda weights: ratio(counted(right, weights), counted(pairs, weights))


def _tied_half(risk: Float[np.ndarray, " patients"]) -> Float[np.ndarray, "patients patients"]:
    """1 where the row's risk is the higher, one half where both are equal."""
    return (np.sign(risk[:, None] - risk) + 1) / 2


def _integrated_brier(splits: Sequence[ScoredSplit]) -> Statistic:
    """Mean over the times of the weighted mean squared error of the patients known to be dead or alive then.

    Source: Graf et al. 1999, doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5.
    """
    times = splits[0].prediction.times_days
    errors, known = (np.concatenate(parts) for parts in zip(*map(_squared_errors, splits), strict=True))
    span = times[-1] - times[0]
    return lambda weights: np.trapezoid(ratio(weights @ errors, weights @ known), times, axis=1) / span


def _squared_errors(
    split: ScoredSplit,
) -> tuple[Float[np.ndarray, "patients times"], Float[np.ndarray, "patients times"]]:
    """Each patient's squared error at each time, weighed, and that weight; both 0 where it is not known who lives."""
    times, survival, test = split.prediction.times_days, split.prediction.survival, split.test
    dead = (test.died & (test.days <= times[:, None])).T / censoring_weights(split.training, test.days)[:, None]
    alive = (test.days[:, None] > times) / known_alive_share(split, times).T
    return survival**2 * dead + (1 - survival) ** 2 * alive, dead + alive
