"""Does the result hang on 332 days? The same scores against the outcome at other thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from gliocast.evidence.classification import area_within_splits

COLUMNS = ("model", "threshold_days", "n", "n_long_term", "n_undetermined", "auc", "lower", "upper", "note")


def sweep_threshold(
    tested: pd.DataFrame, model: str, thresholds_days: Sequence[int], minimum: int, n_bootstrap: int, seed: int
) -> pd.DataFrame:
    """AUC of one score at each threshold; patients censored before it are undetermined there, and counted.

    Pairs of patients are counted within splits, as in `classification.performance`.

    Args:
        tested: `patient_id`, `split`, `survival_days` to death or to the last follow-up, `event_observed` (it was
            death) and `score`, higher for longer survival; a patient of several repeats has a row for each.
        model: its name.
        thresholds_days: a patient who lives at least so long is a long-term survivor.
        minimum: fewer determined patients than this are too few.
        n_bootstrap: resamples of patients, where a patient has several rows or there are several splits.
        seed: of the resamples.
    """
    rows = [{"model": model, **_at(tested, days, minimum, n_bootstrap, seed)} for days in thresholds_days]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _at(tested: pd.DataFrame, threshold_days: int, minimum: int, n_bootstrap: int, seed: int) -> dict[str, Any]:
    long_term = tested["survival_days"].ge(threshold_days).to_numpy(dtype=bool)
    known = long_term | tested["event_observed"].to_numpy(dtype=bool)
    counted = {
        "threshold_days": threshold_days,
        "n": tested.loc[known, "patient_id"].nunique(),
        "n_long_term": tested.loc[long_term, "patient_id"].nunique(),
        "n_undetermined": tested.loc[~known, "patient_id"].nunique(),
    }
    if counted["n"] < minimum:
        return counted | {"note": "too few"}
    score, patients, splits = (tested.loc[known, name].to_numpy() for name in ("score", "patient_id", "split"))
    area = area_within_splits(long_term[known], score.astype(float), n_bootstrap, seed, patients, splits)
    low, high = area["ci95"] or (None, None)
    return counted | {"auc": area["value"], "lower": low, "upper": high, "note": area.get("reason", "")}
