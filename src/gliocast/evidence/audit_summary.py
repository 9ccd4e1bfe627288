"""What the audit found, in one table: claims, truth, bias, coverage, and how often MRI was said to add."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

SCENARIO = ["image_signal", "memorises", "protocol"]
CLAIMS = ("accuracy", "auc")


def summarise(runs: pd.DataFrame, n_patients: int) -> dict[str, Any]:
    """`audit.json`: means over the cohorts of each scenario.

    `ci95_coverage` is the share of the claimed 95 % intervals, of accuracy and of AUC alike, that hold the truth: the
    performance of the very same model on new patients. `mri_adds_rate` is how often the interval of the difference in
    AUC between the model with the image score and the clinical one lies above zero.

    Args:
        runs: one row a cohort and scenario, see `audit.audit_chunk`.
        n_patients: patients in a cohort.
    """
    scenarios = [
        dict(zip(SCENARIO, key, strict=True))
        | {f"{side}_{claim}": float(rows[f"{side}_{claim}"].mean()) for claim in CLAIMS for side in ("claimed", "true")}
        | {"ci95_coverage": float(np.mean([_covered(rows, claim) for claim in CLAIMS]))}
        | {"mri_adds_rate": float(rows["mri_adds"].mean())}
        for key, rows in _scenarios(runs)
    ]
    return {"n_cohorts": int(runs["cohort"].nunique()), "n_patients": n_patients, "scenarios": scenarios}


def printable(runs: pd.DataFrame) -> pd.DataFrame:
    """The same with bias, each interval's coverage, the clinical model beside it, and Monte Carlo standard errors."""
    return pd.DataFrame([dict(zip(SCENARIO, key, strict=True)) | _figures(rows) for key, rows in _scenarios(runs)])


def _scenarios(runs: pd.DataFrame) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    for key, rows in runs.groupby(SCENARIO, sort=True):
        signal, memorises, protocol = key  # type: ignore[misc]
        yield (float(signal), bool(memorises), str(protocol)), rows  # type: ignore[arg-type]


def _figures(rows: pd.DataFrame) -> dict[str, float]:
    figures: dict[str, Any] = {}
    for claim in CLAIMS:
        for kind in ("", "clinical_"):
            claimed, true = rows[f"claimed_{kind}{claim}"], rows[f"true_{kind}{claim}"]
            figures |= {f"claimed_{kind}{claim}": claimed.mean(), f"true_{kind}{claim}": true.mean()}
        bias = rows[f"claimed_{claim}"] - rows[f"true_{claim}"]
        figures |= {f"bias_{claim}": bias.mean(), f"bias_{claim}_se": bias.sem()}
        figures[f"coverage_{claim}"] = _covered(rows, claim)
    figures |= {"mri_adds_rate": rows["mri_adds"].mean(), "test_patients_seen": rows["n_test_patients_seen"].mean()}
    return {name: round(float(value), 4) for name, value in figures.items()}


def _covered(rows: pd.DataFrame, claim: str) -> float:
    """Share of the intervals that hold the truth; a claim without an interval, at AUC 1, does not hold it."""
    low, high, true = rows[f"claimed_{claim}_lower"], rows[f"claimed_{claim}_upper"], rows[f"true_{claim}"]
    return float(((low <= true) & (true <= high)).mean())
