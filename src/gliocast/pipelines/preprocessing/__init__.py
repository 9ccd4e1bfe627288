"""The clinical table and the images, checked, joined and separated into training and test patients."""

from .pipeline import create_cohort_pipeline, create_pipeline, create_test_partition_pipeline

__all__ = ["create_cohort_pipeline", "create_pipeline", "create_test_partition_pipeline"]
