"""Curves of discrimination: every operating point of a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class OperatingPoints:
    """One point a distinct score, from "nobody is long-term" (threshold infinite) to "everybody is"."""

    threshold: Float[np.ndarray, " points"]
    false_positive_rate: Float[np.ndarray, " points"]
    true_positive_rate: Float[np.ndarray, " points"]


def operating_points(
    outcome: Bool[np.ndarray, " observations"], score: Float[np.ndarray, " observations"]
) -> OperatingPoints:
    """False and true positive rate at every threshold (long-term where score ≥ threshold); needs both classes."""
    order = np.argsort(-score, kind="stable")
    ranked, long_term = score[order], outcome[order]
    last_of_tie = np.r_[ranked[1:] != ranked[:-1], True]
    hits, alarms = np.cumsum(long_term)[last_of_tie], np.cumsum(~long_term)[last_of_tie]
    return OperatingPoints(
        np.r_[np.inf, ranked[last_of_tie]], np.r_[0.0, alarms / alarms[-1]], np.r_[0.0, hits / hits[-1]]
    )


def roc_curve(
    outcome: Bool[np.ndarray, " observations"], score: Float[np.ndarray, " observations"], model: str
) -> pd.DataFrame:
    """Points of the ROC curve: `model`, `false_positive_rate`, `true_positive_rate`; empty with one class only."""
    if outcome.all() or not outcome.any():
        return pd.DataFrame(columns=["model", "false_positive_rate", "true_positive_rate"])
    points = operating_points(outcome, score)
    rates = {"false_positive_rate": points.false_positive_rate, "true_positive_rate": points.true_positive_rate}
    return pd.DataFrame({"model": model} | rates)
