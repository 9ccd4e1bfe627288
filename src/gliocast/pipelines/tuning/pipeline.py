"""The search for the network's hyperparameters, inside the training patients."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from gliocast.pipelines.tuning import nodes


def create_pipeline(**_: Any) -> Pipeline:
    """Learning rate, weight decay and dropout by tree-structured Parzen estimators (Moreau et al., section 2.3)."""
    return Pipeline(
        [
            Node(
                nodes.tune_hyperparameters,
                [
                    "slice_stacks",
                    "training_cohort",
                    "partition",
                    "params:model",
                    "params:tuning",
                    "params:image_score",
                    "params:seed",
                    "tuning_study",
                ],
                [
                    "hyperparameters",
                    "tuning_trials",
                    "tuning_history",
                    "tuning_importance",
                    "tuning_slice",
                    "tuning_parallel",
                ],
                name="tune_hyperparameters",
                tags="concurrent",  # several runs share one study
            ),
        ]
    )
