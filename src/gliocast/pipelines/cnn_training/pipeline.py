"""The network on nine slices: trained out-of-fold, scored on test patients, and evaluated."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from gliocast.pipelines.cnn_training import evaluation_nodes, nodes

TRAINED_ON = ["slice_stacks", "training_cohort", "partition", "hyperparameters", "params:model"]
SCORES = ["cnn_test_scores", "cnn_out_of_fold_scores", "cnn_paper_scores"]
SEED, SWITCH = "params:seed", "params:image_score"


def create_pipeline(**_: Any) -> Pipeline:
    """Table 3 and Figures 2 and 3 (Moreau et al., sections 2.3 and 3.2), at slice and at patient level."""
    return training() + evaluation() + pictures()


def training() -> Pipeline:
    """Train out-of-fold, and score the test patients without their outcomes."""
    return Pipeline(
        [
            Node(
                nodes.train_cnn,
                [*TRAINED_ON, SWITCH, SEED, "cnn_checkpoints"],
                ["cnn_ensemble", "cnn_learning_curves", "cnn_out_of_fold_scores", "cnn_paper_scores"],
                name="train_cnn",
            ),
            Node(
                nodes.score_test_slices,
                ["cnn_ensemble", "slice_stacks", "partition", SWITCH],
                "cnn_test_scores",
                name="score_test_slices",
            ),
        ]
    )


def evaluation() -> Pipeline:
    """Hold the scores against the outcomes: Table 3 and Figure 3."""
    return Pipeline(
        [
            Node(
                evaluation_nodes.evaluate_cnn,
                [*SCORES, "test_outcomes", "training_cohort", "params:paper", "params:evidence", SWITCH, SEED],
                ["cnn_results", "table3_cnn"],
                name="evaluate_cnn",
            ),
            Node(
                evaluation_nodes.draw_cnn,
                ["cnn_test_scores", "test_outcomes", "cnn_learning_curves", SWITCH],
                ["figure3_roc", "figure3_confusion", "figure_cnn_probabilities", "figure_cnn_learning_curves"],
                name="draw_cnn",
            ),
        ]
    )


def pictures() -> Pipeline:
    """Patients as the network sees them: Figure 2 and Grad-CAM."""
    shown = ["cnn_test_scores", "test_outcomes", "slice_stacks"]
    return Pipeline(
        [
            Node(
                evaluation_nodes.show_predictions,
                [*shown, "params:model", SWITCH],
                "figure2_example_predictions",
                name="show_predictions",
            ),
            Node(
                evaluation_nodes.explain_predictions,
                ["cnn_ensemble", *shown, "partition", "params:model", SWITCH],
                "figure_grad_cam",
                name="explain_predictions",
            ),
        ]
    )
