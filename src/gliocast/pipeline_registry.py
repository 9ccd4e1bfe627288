"""The registered pipelines. Each holds the whole chain from the raw data to its own results."""

from __future__ import annotations

from kedro.pipeline import Pipeline


def register_pipelines() -> dict[str, Pipeline]:
    """The pipelines that `kedro run --pipeline` and `kedro viz` know by name."""
    from gliocast.pipelines import (
        audit,
        baseline,
        cnn_training,
        evidence,
        hybrid,
        preprocessing,
        reporting,
        simulation,
        tuning,
    )

    cohort = preprocessing.create_cohort_pipeline()
    images = preprocessing.create_pipeline()
    described = baseline.create_pipeline()
    tuned = images + tuning.create_pipeline()
    trained = tuned + cnn_training.create_pipeline() + preprocessing.create_test_partition_pipeline()
    joined = trained + described + hybrid.create_pipeline() + evidence.create_pipeline()
    registered = {
        "simulation": simulation.create_pipeline(),
        "preprocessing": images,
        "baseline": cohort + described + reporting.create_pipeline(("baseline",)),
        "tuning": tuned,
        "cnn_training": trained + described + reporting.create_pipeline(("baseline", "tuning", "cnn_training")),
        "hybrid": joined + reporting.create_pipeline(("baseline", "tuning", "cnn_training", "hybrid")),
        "audit": audit.create_pipeline(),
    }
    return {**registered, "__default__": registered["hybrid"]}
