"""The last two steps of every run: metrics.json and the report."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
