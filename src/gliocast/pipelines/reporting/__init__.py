"""The last two steps of every run: metrics.json and the report."""

from gliocast.pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
