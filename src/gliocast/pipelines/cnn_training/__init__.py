"""The network on nine slices: trained out-of-fold, scored on test patients, and evaluated."""

from gliocast.pipelines.cnn_training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
