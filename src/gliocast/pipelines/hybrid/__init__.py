"""Deep hybrid learning: the image score beside the clinical predictors."""

from gliocast.pipelines.hybrid.pipeline import create_pipeline

__all__ = ["create_pipeline"]
