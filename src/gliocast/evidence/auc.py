"""The area under the ROC curve with DeLong's variance, alone and paired."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
from jaxtyping import Bool, Float

from gliocast.evidence.intervals import Z_95, Estimate, estimate

ONE_CLASS = "only one outcome class among these patients"
ONE_PATIENT = "only one patient of an outcome class, whose scores' spread nobody knows"
NO_SPREAD = "no spread: the scores separate the classes completely, or are all the same"


def delong(outcome: Bool[np.ndarray, " patients"], score: Float[np.ndarray, " patients"]) -> Estimate:
    """AUC with a 95 % interval from DeLong's variance.

    The interval is made on the logit scale: with 35 test patients it then holds the truth in 95 to 97 % of samples,
    where the plain one, as R's pROC gives it, does in 85 to 94 % (AUC 0.5 to 0.95).

    Args:
        outcome: True for long-term survivors.
        score: higher means more likely long-term; any scale, ties allowed.

    Sources: DeLong et al. 1988, doi:10.2307/2531595; Qin and Hotilovac 2008, doi:10.1177/0962280207087173 (logit).
    """
    if outcome.all() or not outcome.any():
        return estimate(None, reason=ONE_CLASS)
    areas, covariance = delong_covariance(outcome, score[None])
    area, error = float(areas[0]), sqrt(covariance[0, 0])
    if has_lone_patient(outcome):
        return estimate(area, reason=ONE_PATIENT)
    if error == 0:
        return estimate(area, reason=NO_SPREAD)
    center, half_width = log(area / (1 - area)), Z_95 * error / (area * (1 - area))
    return estimate(area, (1 / (1 + exp(half_width - center)), 1 / (1 + exp(-half_width - center))))


def has_lone_patient(outcome: Bool[np.ndarray, " patients"]) -> bool:
    """Whether a class has a single patient: DeLong's variance then lacks the part of that class."""
    return min(int(outcome.sum()), int((~outcome).sum())) == 1


def delong_covariance(
    outcome: Bool[np.ndarray, " patients"], scores: Float[np.ndarray, "models patients"]
) -> tuple[Float[np.ndarray, " models"], Float[np.ndarray, "models models"]]:
    """AUC of several models on the same patients, and the covariance of these AUCs.

    Needs a patient of each class; where one is alone there, the covariance lacks that class's part.
    """
    areas, parts = delong_parts(outcome, scores)
    return areas, parts.sum(axis=0)


def delong_parts(
    outcome: Bool[np.ndarray, " patients"], scores: Float[np.ndarray, "models patients"]
) -> tuple[Float[np.ndarray, " models"], Float[np.ndarray, "2 models models"]]:
    """AUC of several models, and what the long-term, then the short-term survivors add to the covariance of these AUCs.

    By midranks: Sun and Xu 2014, doi:10.1109/LSP.2014.2337313.
    """
    from scipy.stats import rankdata

    long_term, short_term = scores[:, outcome], scores[:, ~outcome]
    m, n = long_term.shape[1], short_term.shape[1]
    ranks = rankdata(np.hstack([long_term, short_term]), axis=1)
    share_beaten = (ranks[:, :m] - rankdata(long_term, axis=1)) / n  # by each long-term survivor, of the short-term
    share_above = 1 - (ranks[:, m:] - rankdata(short_term, axis=1)) / m
    return share_beaten.mean(axis=1), np.stack([_covariance(share_beaten) / m, _covariance(share_above) / n])


def _covariance(components: Float[np.ndarray, "models patients"]) -> Float[np.ndarray, "models models"]:
    centred = components - components.mean(axis=1, keepdims=True)
    return centred @ centred.T / max(components.shape[1] - 1, 1)
