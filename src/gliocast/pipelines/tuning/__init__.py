"""The search for the network's hyperparameters."""

from gliocast.pipelines.tuning.pipeline import create_pipeline

__all__ = ["create_pipeline"]
