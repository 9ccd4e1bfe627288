"""The network on nine slices: trained out-of-fold, scored on test patients, and evaluated."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from gliocast.pipelines.cnn_training import evaluation_nodes, nodes


def create_pipeline(**_: Any) -> Pipeline:
    """Table 3 and Figures 2 and 3 (Moreau et al., sections 2.3 and 3.2), at slice and at patient level."""
    return Pipeline(
        [
            Node(
                nodes.train_cnn,
                [
                    "slice_stacks",
                    "training_cohort",
                    "partition",
                    "hyperparameters",
                    "params:model",
                    "params:image_score",
                    "params:seed",
                    "cnn_checkpoints",
                ],
                ["cnn_ensemble", "cnn_learning_curves", "cnn_out_of_fold_scores", "cnn_paper_scores"],
                name="train_cnn",
            ),
            Node(
                nodes.score_test_slices,
                ["cnn_ensemble", "slice_stacks", "partition", "params:image_score"],
                "cnn_test_scores",
                name="score_test_slices",
            ),
            Node(
                evaluation_nodes.evaluate_cnn,
                [
                    "cnn_test_scores",
                    "cnn_out_of_fold_scores",
                    "cnn_paper_scores",
                    "test_outcomes",
                    "training_cohort",
                    "params:paper",
                    "params:evidence",
                    "params:image_score",
                    "params:seed",
                ],
                ["cnn_results", "table3_cnn"],
                name="evaluate_cnn",
            ),
            Node(
                evaluation_nodes.draw_cnn,
                ["cnn_test_scores", "test_outcomes", "cnn_learning_curves", "params:image_score"],
                ["figure3_roc", "figure3_confusion", "figure_cnn_probabilities", "figure_cnn_learning_curves"],
                name="draw_cnn",
            ),
            Node(
                evaluation_nodes.show_predictions,
                ["cnn_test_scores", "test_outcomes", "slice_stacks", "params:model", "params:image_score"],
                "figure2_example_predictions",
                name="show_predictions",
            ),
            Node(
                evaluation_nodes.explain_predictions,
                [
                    "cnn_ensemble",
                    "cnn_test_scores",
                    "test_outcomes",
                    "slice_stacks",
                    "partition",
                    "params:model",
                    "params:image_score",
                ],
                "figure_grad_cam",
                name="explain_predictions",
            ),
        ]
    )
