"""Does the result hang on 332 days? The same scores against the outcome at other thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from gliocast.evidence.auc import delong

COLUMNS = ("model", "threshold_days", "n", "n_long_term", "n_undetermined", "auc", "lower", "upper", "note")


def sweep_threshold(
    survival_days: Float[np.ndarray, " patients"],
    event_observed: Bool[np.ndarray, " patients"],
    score: Float[np.ndarray, " patients"],
    model: str,
    thresholds_days: Sequence[int],
    minimum: int,
) -> pd.DataFrame:
    """AUC of one score at each threshold; patients censored before it are undetermined there, and counted.

    Args:
        survival_days: days to death or to the last follow-up.
        event_observed: True where it was death.
        score: higher means longer survival.
        model: its name.
        thresholds_days: a patient who lives at least so long is a long-term survivor.
        minimum: fewer determined patients than this are too few.
    """
    rows = [_at(survival_days, event_observed, score, days, minimum) for days in thresholds_days]
    return pd.DataFrame([{"model": model, **row} for row in rows], columns=list(COLUMNS))


def _at(
    survival_days: Float[np.ndarray, " patients"],
    event_observed: Bool[np.ndarray, " patients"],
    score: Float[np.ndarray, " patients"],
    threshold_days: int,
    minimum: int,
) -> dict[str, Any]:
    long_term = survival_days >= threshold_days
    known = long_term | event_observed
    counted = {
        "threshold_days": threshold_days,
        "n": int(known.sum()),
        "n_long_term": int(long_term.sum()),
        "n_undetermined": int((~known).sum()),
    }
    if counted["n"] < minimum:
        return counted | {"note": "too few"}
    area = delong(long_term[known], score[known])
    low, high = area["ci95"] or (None, None)
    return counted | {"auc": area["value"], "lower": low, "upper": high, "note": area.get("reason", "")}
