"""The search for the network's hyperparameters."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
