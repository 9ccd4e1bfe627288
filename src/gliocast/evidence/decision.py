"""Decision curves: what acting on a model is worth, against acting on everyone and on no one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.01), 2)


def net_benefit(
    outcome: Bool[np.ndarray, " patients"], positive: Bool[np.ndarray, " patients"], threshold: float
) -> float:
    """True positives minus false positives weighed by the odds of the threshold, per patient.

    Source: Vickers and Elkin 2006, doi:10.1177/0272989X06295361.
    """
    hits, alarms = (outcome & positive).sum(), (~outcome & positive).sum()
    return float((hits - alarms * threshold / (1 - threshold)) / len(outcome))


def decision_curves(
    outcome: Bool[np.ndarray, " patients"],
    probabilities: Mapping[str, Float[np.ndarray, " patients"]],
    thresholds: Float[np.ndarray, " thresholds"] = THRESHOLDS,
) -> pd.DataFrame:
    """Net benefit of every model, of calling everyone and of calling no one long-term.

    Returns:
        `strategy` (a model, `treat_all`, `treat_none`), `threshold` and `net_benefit`, one row a point.
    """
    everyone = np.ones(len(outcome), dtype=bool)
    answers = {name: probability[None] >= thresholds[:, None] for name, probability in probabilities.items()}
    answers |= {"treat_all": [everyone] * len(thresholds), "treat_none": [~everyone] * len(thresholds)}  # type: ignore[dict-item]
    rows = [
        (name, float(threshold), net_benefit(outcome, positive, float(threshold)))
        for name, positives in answers.items()
        for threshold, positive in zip(thresholds, positives, strict=True)
    ]
    return pd.DataFrame(rows, columns=["strategy", "threshold", "net_benefit"])
