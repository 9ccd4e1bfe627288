"""The proof by simulation: what each protocol claims, beside what its models are worth."""

from gliocast.pipelines.audit.pipeline import create_pipeline

__all__ = ["create_pipeline"]
