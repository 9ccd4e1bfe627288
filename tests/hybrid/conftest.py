"""The example cohort, its partition, image scores and fitted models, made once."""

from __future__ import annotations

import pandas as pd
import pytest
from hybrid_examples import a_cohort, a_partition, image_scores_of, quick, training_of

from gliocast.hybrid.fit import Fitting, fit_models
from gliocast.types import Partition, Scores


@pytest.fixture(scope="session")
def cohort() -> pd.DataFrame:
    return a_cohort()


@pytest.fixture(scope="session")
def partition(cohort: pd.DataFrame) -> Partition:
    return a_partition(cohort)


@pytest.fixture(scope="session")
def image_scores(cohort: pd.DataFrame, partition: Partition) -> Scores:
    return image_scores_of(cohort, partition)


@pytest.fixture(scope="session")
def fitting(cohort: pd.DataFrame, partition: Partition, image_scores: Scores) -> Fitting:
    return fit_models(training_of(cohort, partition), image_scores, partition, quick(), "cnn", seed=0)
