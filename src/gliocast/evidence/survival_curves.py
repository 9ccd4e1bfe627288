"""Kaplan–Meier curves and the log-rank test; patients who are alive count until their last day of follow-up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from gliocast.evidence.intervals import Z_95

CURVE_COLUMNS = ("group", "time_days", "survival", "lower", "upper", "at_risk", "events", "censored")

Days = Float[np.ndarray, " patients"]
Events = Bool[np.ndarray, " patients"]


def kaplan_meier(survival_days: Days, event_observed: Events, group: str = "all") -> pd.DataFrame:
    """Share of patients alive over time, with log-log intervals, 95 %.

    Args:
        survival_days: days to death, or to the last follow-up.
        event_observed: True where the patient died on that day.
        group: name of these patients.

    Returns:
        One row a distinct day, preceded by day 0, with the columns `CURVE_COLUMNS`. The interval is missing where
        nobody has died yet, or nobody is left.

    Source: Kaplan and Meier 1958, doi:10.1080/01621459.1958.10501452; Greenwood's variance on the log-log scale.
    """
    days, events, at_risk, leaving = _life_table(survival_days, event_observed)
    survival = np.cumprod(1 - events / at_risk)
    low, high = _log_log_interval(survival, events, at_risk)
    rows = {
        "group": group,
        "time_days": np.r_[0.0, days],
        "survival": np.r_[1.0, survival],
        "lower": np.r_[np.nan, low],
        "upper": np.r_[np.nan, high],
        "at_risk": np.r_[len(survival_days), at_risk],
        "events": np.r_[0, events],
        "censored": np.r_[0, leaving - events],
    }
    return pd.DataFrame(rows)[list(CURVE_COLUMNS)]


def median_survival_days(curve: pd.DataFrame) -> float | None:
    """The first day on which no more than half are alive; None where that day was not reached."""
    reached = curve.loc[curve["survival"] <= 0.5 + 1e-12, "time_days"]
    return None if reached.empty else float(reached.iloc[0])


def survival_at(curve: pd.DataFrame, times_days: Float[np.ndarray, " times"]) -> Float[np.ndarray, " times"]:
    """Share of patients alive at these days by a curve of `kaplan_meier`, which stays as it is after its last day."""
    place = np.searchsorted(curve["time_days"], times_days, side="right") - 1
    return curve["survival"].to_numpy()[place]


def logrank(groups: Mapping[str, tuple[Days, Events]]) -> dict[str, Any]:
    """Log-rank test of equal survival in all groups: `chi2`, `p`, `df`; None with a reason where it cannot be done.

    A group that nobody is left of when the first patient dies says nothing of survival, and does not count.

    Source: Mantel 1966; k groups as in Kalbfleisch and Prentice 2002, section 1.4 (doi:10.1002/9781118032985).
    """
    from scipy.special import chdtrc

    first_death = min((days[events].min(initial=np.inf) for days, events in groups.values()), default=np.inf)
    at_risk = {name: pair for name, pair in groups.items() if (pair[0] >= first_death).any()}
    if len(at_risk) < 2:
        return {"chi2": None, "p": None, "df": None, "reason": "fewer than two groups, or nobody has died"}
    excess, covariance = _excess_deaths(at_risk)
    chi2 = float(excess[:-1] @ np.linalg.pinv(covariance[:-1, :-1]) @ excess[:-1])
    return {"chi2": chi2, "p": float(chdtrc(len(at_risk) - 1, chi2)), "df": len(at_risk) - 1}


def _life_table(
    survival_days: Days, event_observed: Events
) -> tuple[Float[np.ndarray, " days"], np.ndarray, np.ndarray, np.ndarray]:
    days, position = np.unique(survival_days, return_inverse=True)
    leaving = np.bincount(position)
    events = np.bincount(position, weights=event_observed).astype(int)
    at_risk = len(survival_days) - np.r_[0, np.cumsum(leaving)[:-1]].astype(int)
    return days, events, at_risk, leaving


def _log_log_interval(survival: np.ndarray, events: np.ndarray, at_risk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(events / (at_risk * (at_risk - events)))
        half_width = Z_95 * np.sqrt(greenwood) / np.abs(np.log(survival))
        low, high = survival ** np.exp(half_width), survival ** np.exp(-half_width)
    defined = (survival > 0) & (survival < 1)
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def _excess_deaths(groups: Mapping[str, tuple[Days, Events]]) -> tuple[np.ndarray, np.ndarray]:
    """Deaths beyond the expected ones in each group, and their covariance (hypergeometric)."""
    death_days = np.unique(np.concatenate([days[events] for days, events in groups.values()]))
    at_risk = np.array([(days[:, None] >= death_days).sum(axis=0) for days, _ in groups.values()], dtype=float)
    deaths = np.array(
        [((days[:, None] == death_days) & events[:, None]).sum(axis=0) for days, events in groups.values()]
    )
    n, d = at_risk.sum(axis=0), deaths.sum(axis=0)
    share = at_risk / n
    spread = d * (n - d) / np.maximum(n - 1, 1)
    covariance = np.diag((share * spread).sum(axis=1)) - (share * spread) @ share.T
    return (deaths - d * share).sum(axis=1), covariance
