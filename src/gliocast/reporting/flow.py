"""The patient flow as the report draws it: how many stand at each stage, and how many left there, and why."""

from __future__ import annotations

from typing import Any

import pandas as pd

UNDETERMINED = "alive with a follow-up shorter than the threshold: outcome undetermined"


def flow_of_cohort(cohort: pd.DataFrame, exclusions: pd.DataFrame) -> dict[str, Any]:
    """The flow of a run that needs the clinical table alone.

    Args:
        cohort: one row a patient, with `outcome`.
        exclusions: `patient_id`, `stage`, `code`, `reason`.
    """
    unknown = int(cohort["outcome"].isna().sum())
    left = [{"n": unknown, "reason": UNDETERMINED}] if unknown else []
    return {
        "stages": [
            {"name": "read from the clinical table", "n": len(cohort) + len(exclusions), "left": reasons(exclusions)},
            {"name": "valid patients", "n": len(cohort), "left": left},
            {"name": "patients with a known outcome", "n": len(cohort) - unknown, "left": []},
        ]
    }


def reasons(exclusions: pd.DataFrame) -> list[dict[str, Any]]:
    """How many left for each reason, the most frequent first; never who."""
    counted = exclusions.groupby("reason", sort=True).size().sort_values(ascending=False, kind="stable")
    return [{"n": int(n), "reason": str(reason)} for reason, n in counted.items()]
