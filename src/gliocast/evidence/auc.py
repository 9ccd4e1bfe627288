"""The area under the ROC curve with DeLong's variance, alone and paired."""

from __future__ import annotations

from math import sqrt

import numpy as np
from jaxtyping import Bool, Float

from .intervals import Z_95, Estimate, estimate

ONE_CLASS = "only one outcome class among these patients"
NO_SPREAD = "no spread: the scores separate the classes completely, or are all the same"


def delong(outcome: Bool[np.ndarray, " patients"], score: Float[np.ndarray, " patients"]) -> Estimate:
    """AUC with DeLong's 95 % interval, cut to 0–1 (as R's pROC gives it).

    Args:
        outcome: True for long-term survivors.
        score: higher means more likely long-term; any scale, ties allowed.

    Source: DeLong et al. 1988, doi:10.2307/2531595.
    """
    if outcome.all() or not outcome.any():
        return estimate(None, reason=ONE_CLASS)
    areas, covariance = delong_covariance(outcome, score[None])
    half_width = Z_95 * sqrt(covariance[0, 0])
    if half_width == 0:
        return estimate(areas[0], reason=NO_SPREAD)
    return estimate(areas[0], (max(0.0, areas[0] - half_width), min(1.0, areas[0] + half_width)))


def delong_covariance(
    outcome: Bool[np.ndarray, " patients"], scores: Float[np.ndarray, "models patients"]
) -> tuple[Float[np.ndarray, " models"], Float[np.ndarray, "models models"]]:
    """AUC of several models on the same patients, and the covariance of these AUCs.

    Needs at least one patient of each class. By midranks: Sun and Xu 2014, doi:10.1109/LSP.2014.2337313.
    """
    from scipy.stats import rankdata

    long_term, short_term = scores[:, outcome], scores[:, ~outcome]
    m, n = long_term.shape[1], short_term.shape[1]
    ranks = rankdata(np.hstack([long_term, short_term]), axis=1)
    share_beaten = (ranks[:, :m] - rankdata(long_term, axis=1)) / n  # by each long-term survivor, of the short-term
    share_above = 1 - (ranks[:, m:] - rankdata(short_term, axis=1)) / m
    return share_beaten.mean(axis=1), _covariance(share_beaten) / m + _covariance(share_above) / n


def _covariance(components: Float[np.ndarray, "models patients"]) -> Float[np.ndarray, "models models"]:
    centred = components - components.mean(axis=1, keepdims=True)
    return centred @ centred.T / max(components.shape[1] - 1, 1)
