"""The clinical table and the images, checked, joined and separated into training and test patients."""

from gliocast.pipelines.preprocessing.pipeline import (
    create_cohort_pipeline,
    create_pipeline,
    create_test_partition_pipeline,
)

__all__ = ["create_cohort_pipeline", "create_pipeline", "create_test_partition_pipeline"]
