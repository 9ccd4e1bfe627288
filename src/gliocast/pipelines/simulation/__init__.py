"""The simulated cohort: made where the base environment has no raw data."""

from gliocast.pipelines.simulation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
