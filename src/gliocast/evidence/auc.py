"""The area under the ROC curve with DeLong's variance, alone and paired."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
from jaxtyping import Bool, Float

from gliocast.evidence.intervals import Estimate, estimate

ONE_CLASS = "only one outcome class among these patients"
ONE_PATIENT = "only one patient of an outcome class, whose scores' spread nobody knows"
NO_SPREAD = "no spread: the scores separate the classes completely, or are all the same"


def delong(outcome: Bool[np.ndarray, " patients"], score: Float[np.ndarray, " patients"]) -> Estimate:
    """AUC with a 95 % interval from DeLong's variance.

    The interval is made on the logit scale and with Student's quantile: with 18 and 17 test patients of the classes it
    holds the truth in 96 to 97 % of samples, with 3 and 34 in 93 to 99 %, where the plain one, as R's pROC gives it,
    does in 89 to 94 % and in 78 to 83 % (AUC 0.5 to 0.9).

    Args:
        outcome: True for long-term survivors.
        score: higher means more likely long-term; any scale, ties allowed.

    Sources: DeLong et al. 1988, doi:10.2307/2531595; Qin and Hotilovac 2008, doi:10.1177/0962280207087173 (logit).
    """
    from scipy.special import stdtrit

    if outcome.all() or not outcome.any():
        return estimate(None, reason=ONE_CLASS)
    areas, parts = delong_parts(outcome, score[None])
    area, variance = float(areas[0]), float(parts.sum())
    if has_lone_patient(outcome):
        return estimate(area, reason=ONE_PATIENT)
    if variance == 0:
        return estimate(area, reason=NO_SPREAD)
    quantile = float(stdtrit(degrees_of_freedom(parts[:, 0, 0], outcome), 0.975))
    center, half_width = log(area / (1 - area)), quantile * sqrt(variance) / (area * (1 - area))
    return estimate(area, (1 / (1 + exp(half_width - center)), 1 / (1 + exp(-half_width - center))))


def has_lone_patient(outcome: Bool[np.ndarray, " patients"]) -> bool:
    """Whether a class has a single patient: DeLong's variance then lacks the part of that class."""
    return min(int(outcome.sum()), int((~outcome).sum())) == 1


def delong_parts(
    outcome: Bool[np.ndarray, " patients"], scores: Float[np.ndarray, "models patients"]
) -> tuple[Float[np.ndarray, " models"], Float[np.ndarray, "2 models models"]]:
    """AUC of several models, and what the long-term, then the short-term survivors add to the covariance of these AUCs.

    Needs a patient of each class; where one is alone there, that class adds nothing.
    By midranks: Sun and Xu 2014, doi:10.1109/LSP.2014.2337313.
    """
    from scipy.stats import rankdata

    long_term, short_term = scores[:, outcome], scores[:, ~outcome]
    m, n = long_term.shape[1], short_term.shape[1]
    ranks = rankdata(np.hstack([long_term, short_term]), axis=1)
    share_beaten = (ranks[:, :m] - rankdata(long_term, axis=1)) / n  # by each long-term survivor, of the short-term
    share_above = 1 - (ranks[:, m:] - rankdata(short_term, axis=1)) / m
    return share_beaten.mean(axis=1), np.stack([_covariance(share_beaten) / m, _covariance(share_above) / n])


def degrees_of_freedom(variances: Float[np.ndarray, " 2"], outcome: Bool[np.ndarray, " patients"]) -> float:
    """Satterthwaite's, of the sum of the variances that the long-term and the short-term survivors add.

    Source: Brunner and Munzel 2000, Biometrical Journal 42, 17–25.
    """
    sizes = np.array([outcome.sum(), (~outcome).sum()])
    return float(variances.sum() ** 2 / (variances**2 / (sizes - 1)).sum())


def _covariance(components: Float[np.ndarray, "models patients"]) -> Float[np.ndarray, "models models"]:
    centred = components - components.mean(axis=1, keepdims=True)
    return centred @ centred.T / max(components.shape[1] - 1, 1)
