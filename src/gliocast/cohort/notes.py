"""What a reader should know of a clinical table, beside the patients themselves. Column names and counts only."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gliocast.cohort.columns import used_columns
from gliocast.cohort.parameters import CANONICAL_COLUMNS, CohortParameters
from gliocast.types import CLINICAL_PREDICTORS, LONG_TERM

TELLING = [*CLINICAL_PREDICTORS, "survival_days", "event_observed"]
SHOWN_GROUPS = 20
ALL_DIED = "The clinical table has no event_observed: every patient is taken to have died."
ALL_SHORT = "Nobody's survival reaches the threshold: is survival_days in days, and not in months or years?"


def table_notes(cells: pd.DataFrame, table: pd.DataFrame, cohort: CohortParameters) -> dict[str, Any]:
    """Rows read, columns ignored and absent, long-term survivors, and patients who may be one person."""
    alike = patients_alike(table)
    return {
        "n_rows": len(cells),
        "columns_ignored": [column for column in cells if column not in used_columns(cohort)],
        "columns_absent": [
            column for column in CANONICAL_COLUMNS if not any(name in cells for name in cohort.sources(column))
        ],
        "n_long_term": int((table["outcome"] == LONG_TERM).sum()),
        "n_groups_alike": len(alike),
        "patients_alike": alike[:SHOWN_GROUPS],
    }


def patients_alike(table: pd.DataFrame) -> list[list[str]]:
    """Groups of patients with the same age, survival and all else: perhaps several scans of one person."""
    known = table.dropna(subset=["age_years", "survival_days"])
    twins = known[known.duplicated(TELLING, keep=False)]
    return [sorted(group) for _, group in twins.groupby(TELLING, dropna=False)["patient_id"]]
