from __future__ import annotations

import pandas as pd
import pytest

from gliocast.cohort.parameters import CohortParameters, PartitionParameters
from shipped import section


@pytest.fixture(scope="session")
def cohort_parameters():
    """The shipped section `cohort`, with single entries changed."""
    return lambda **changes: CohortParameters(**section("cohort", "preprocessing") | changes)


@pytest.fixture(scope="session")
def partition_parameters():
    """The shipped section `partition`, with single entries changed."""
    return lambda **changes: PartitionParameters(**section("partition", "preprocessing") | changes)


@pytest.fixture(scope="session")
def a_cohort():
    """A cohort of so many long-term and short-term survivors, in centres A, B and C by turns."""

    def build(n_long_term: int, n_short_term: int) -> pd.DataFrame:
        n = n_long_term + n_short_term
        return pd.DataFrame(
            {
                "patient_id": pd.Series([f"P{number:03d}" for number in range(n)], dtype="string"),
                "outcome": pd.Series(["long_term"] * n_long_term + ["short_term"] * n_short_term, dtype="string"),
                "survival_days": pd.Series([500] * n_long_term + [100] * n_short_term, dtype="Int64"),
                "event_observed": pd.Series([True] * n, dtype="boolean"),
                "centre": pd.Series(["ABC"[number % 3] for number in range(n)], dtype="string"),
            }
        )

    return build
