"""The example cohort, partition and image scores as fixtures."""

from __future__ import annotations

import pandas as pd
import pytest
from hybrid_examples import a_cohort, a_partition, image_scores_of

from gliocast.types import Partition, Scores


@pytest.fixture
def cohort() -> pd.DataFrame:
    return a_cohort()


@pytest.fixture
def partition(cohort: pd.DataFrame) -> Partition:
    return a_partition(cohort)


@pytest.fixture
def image_scores(cohort: pd.DataFrame, partition: Partition) -> Scores:
    return image_scores_of(cohort, partition)
