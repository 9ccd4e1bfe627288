"""Who the patients are, and what surgery alone says of their survival. Needs the clinical table only."""

from gliocast.pipelines.baseline.pipeline import create_pipeline

__all__ = ["create_pipeline"]
