"""How far the results can be trusted: calibration, usefulness, subgroups, time to event, other thresholds."""

from gliocast.pipelines.evidence.pipeline import create_pipeline

__all__ = ["create_pipeline"]
