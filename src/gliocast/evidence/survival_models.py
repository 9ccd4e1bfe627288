"""Three models of the time of death on the same features: Cox, a random survival forest, discrete-time hazards.

All give the probability to be alive at the asked times; their risk is minus its mean over these times, which means the
same for every model and every split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from gliocast.evidence.survival_metrics import Followup, SurvivalPrediction

Features = Float[np.ndarray, "patients features"]
Scored = Float[np.ndarray, "scored features"]
PENALTY = 0.1  # ridge: with a hundred patients an unpenalised Cox model promises too much


def cox(
    features: Features, training: Followup, scored: Scored, times_days: np.ndarray, seed: int
) -> SurvivalPrediction:
    """Cox's proportional hazards with a ridge penalty, doi:10.1111/j.2517-6161.1972.tb00899.x."""
    from sksurv.linear_model import CoxPHSurvivalAnalysis

    return _scored(CoxPHSurvivalAnalysis(alpha=PENALTY * len(features)), features, training, scored, times_days)


def random_survival_forest(
    features: Features, training: Followup, scored: Scored, times_days: np.ndarray, seed: int
) -> SurvivalPrediction:
    """A random survival forest, doi:10.1214/08-AOAS169; leaves of ten patients or more."""
    from sksurv.ensemble import RandomSurvivalForest

    forest = RandomSurvivalForest(n_estimators=200, min_samples_leaf=10, random_state=seed, n_jobs=1)
    return _scored(forest, features, training, scored, times_days)


def discrete_time_hazard(
    features: Features, training: Followup, scored: Scored, times_days: np.ndarray, seed: int, n_intervals: int = 8
) -> SurvivalPrediction:
    """A network head without hidden layers: one logistic hazard an interval, shared weights.

    Source: Gensheimer and Narasimhan 2019, doi:10.7717/peerj.6257. Intervals hold equally many deaths; within one the
    hazard is constant.
    """
    from sklearn.linear_model import LogisticRegression

    edges = _edges(training, n_intervals)
    rows, interval, dies = _person_periods(training, edges)
    design = np.column_stack([np.eye(len(edges) - 1)[interval], features[rows]])
    fitted = LogisticRegression(C=1.0, fit_intercept=False, max_iter=1000).fit(design, dies)
    weights = fitted.coef_[0]
    hazard = 1 / (1 + np.exp(-(weights[: len(edges) - 1] + scored @ weights[len(edges) - 1 :][:, None])))
    log_survival = np.column_stack([np.zeros(len(scored)), np.cumsum(np.log1p(-hazard), axis=1)])
    survival = np.exp([np.interp(times_days, edges, patient) for patient in log_survival])
    return SurvivalPrediction(-survival.mean(axis=1), times_days, survival)


MODELS: Mapping[str, Callable[[Features, Followup, Scored, np.ndarray, int], SurvivalPrediction]] = {
    "cox": cox,
    "random_survival_forest": random_survival_forest,
    "discrete_time_hazard": discrete_time_hazard,
}


def _scored(
    model: Any, features: Features, training: Followup, scored: Scored, times_days: np.ndarray
) -> SurvivalPrediction:
    fitted = model.fit(features, _structured(training))
    steps = fitted.predict_survival_function(scored)
    survival = np.array([np.r_[1.0, step.y][np.searchsorted(step.x, times_days, side="right")] for step in steps])
    return SurvivalPrediction(-survival.mean(axis=1), times_days, survival)


def _structured(followup: Followup) -> np.ndarray:
    pairs = list(zip(followup.died, followup.days, strict=True))
    return np.array(pairs, dtype=[("died", bool), ("days", float)])


def _edges(training: Followup, n_intervals: int) -> Float[np.ndarray, " edges"]:
    inner = np.quantile(training.days[training.died], np.linspace(0, 1, n_intervals + 1)[1:])
    return np.unique(np.r_[0.0, inner])


def _person_periods(
    training: Followup, edges: Float[np.ndarray, " edges"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One row for each interval that a patient entered and whose end is known: patient, interval, dies in it.

    An interval in which a patient was censored counts where more than half of it was lived through.
    """
    n = len(edges) - 1
    middle = (edges[:-1] + edges[1:]) / 2
    last = np.minimum(np.searchsorted(edges, training.days, side="left") - 1, n - 1)
    dies = training.died[:, None] & (np.arange(n) == last[:, None]) & (training.days <= edges[-1])[:, None]
    survived = np.where(training.died[:, None], edges[1:] < training.days[:, None], middle < training.days[:, None])
    rows, interval = np.nonzero(dies | survived)
    return rows, interval, dies[rows, interval]
