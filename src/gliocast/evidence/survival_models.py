"""Models of the time of death on the same features: Cox, a random survival forest, hazards in discrete time.

All give the probability to be alive at the asked times; their risk is minus its mean over these times, which means the
same for every model and every split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from gliocast.evidence.survival_metrics import Followup, SurvivalPrediction

Features = Float[np.ndarray, "patients features"]
Scored = Float[np.ndarray, "scored features"]
PENALTY = 0.1  # ridge: with a hundred patients an unpenalised Cox model promises too much
INTERVALS = 8
HIDDEN_UNITS, NETWORKS = 8, 5


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
    features: Features, training: Followup, scored: Scored, times_days: np.ndarray, seed: int
) -> SurvivalPrediction:
    """A logistic hazard an interval, with weights shared by all intervals: proportional odds, much like Cox.

    Source: Allison 1982, doi:10.2307/270718.
    """
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression(C=1.0, fit_intercept=False, max_iter=1000)
    return _in_discrete_time([regression], features, training, scored, times_days)


def discrete_time_network(
    features: Features, training: Followup, scored: Scored, times_days: np.ndarray, seed: int
) -> SurvivalPrediction:
    """A hidden layer between the features and the hazards, so that neither need be linear nor proportional.

    The mean of several small networks under the logistic model's penalty: one alone hangs on its first weights.

    Source: Gensheimer and Narasimhan 2019, doi:10.7717/peerj.6257.
    """
    from sklearn.neural_network import MLPClassifier

    networks = [
        MLPClassifier(
            (HIDDEN_UNITS,), activation="tanh", solver="lbfgs", alpha=1.0, max_iter=5000, random_state=seed + number
        )
        for number in range(NETWORKS)
    ]
    return _in_discrete_time(networks, features, training, scored, times_days)


MODELS: Mapping[str, Callable[[Features, Followup, Scored, np.ndarray, int], SurvivalPrediction]] = {
    "cox": cox,
    "random_survival_forest": random_survival_forest,
    "discrete_time_hazard": discrete_time_hazard,
    "discrete_time_network": discrete_time_network,
}


def _scored(
    model: Any, features: Features, training: Followup, scored: Scored, times_days: np.ndarray
) -> SurvivalPrediction:
    fitted = model.fit(features, _structured(training))
    steps = fitted.predict_survival_function(scored)
    survival = np.array([np.r_[1.0, step.y][np.searchsorted(step.x, times_days, side="right")] for step in steps])
    return SurvivalPrediction(-survival.mean(axis=1), times_days, survival)


def _in_discrete_time(
    hazard_models: Sequence[Any], features: Features, training: Followup, scored: Scored, times_days: np.ndarray
) -> SurvivalPrediction:
    """Classifiers of "dies in this interval", given the interval and the features; their mean hazard, cumulated.

    Intervals hold equally many deaths; within one the hazard is constant.
    """
    edges = _edges(training, INTERVALS)
    each = np.eye(len(edges) - 1)
    rows, interval, dies = _person_periods(training, edges)
    design = np.column_stack([each[interval], features[rows]])
    asked = np.column_stack([np.tile(each, (len(scored), 1)), scored.repeat(len(each), axis=0)])
    hazards = [model.fit(design, dies).predict_proba(asked)[:, 1] for model in hazard_models]
    hazard = np.mean(hazards, axis=0).reshape(len(scored), len(each))
    log_survival = np.column_stack([np.zeros(len(scored)), np.cumsum(np.log1p(-hazard), axis=1)])
    survival = np.exp([np.interp(times_days, edges, patient) for patient in log_survival])
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
