"""The hybrid models: fitted on out-of-fold image scores, tested once."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from gliocast.hybrid.evaluate import prediction_times
from gliocast.hybrid.fit import check_enough
from gliocast.pipelines.hybrid import evaluation_nodes, nodes, probing_nodes

# What every look at the training patients takes.
TRAINING = ["training_cohort", "image_scores", "partition", "params:hybrid", "params:image_score", "params:seed"]


def create_pipeline(**_: Any) -> Pipeline:
    """The image score beside the clinical predictors, in eight classifiers (Moreau et al., sections 2.3 and 3.3)."""
    return fitting() + evaluation() + probing()


def fitting() -> Pipeline:
    """Fit inside the training patients, and score the test patients without their outcomes."""
    return Pipeline(
        [
            Node(
                check_enough,
                ["training_cohort", "test_predictors", "partition", "params:hybrid"],
                None,
                name="check_enough_patients",
            ),
            Node(
                nodes.score_images,
                [
                    "cnn_out_of_fold_scores",
                    "cnn_test_scores",
                    "image_features",
                    "training_cohort",
                    "partition",
                    "params:image_score",
                    "params:hybrid",
                    "params:seed",
                ],
                ["image_scores", "image_score_gaps", "image_feature_models"],
                name="score_images",
            ),
            Node(
                nodes.fit_models,
                TRAINING,
                ["fitted_models", "training_predictions", "classifier_selection"],
                name="fit_models",
            ),
            Node(
                nodes.build_bundle,
                [
                    "cnn_ensemble",
                    "image_feature_models",
                    "fitted_models",
                    "training_cohort",
                    "image_scores",
                    "partition",
                    "params:cohort",
                    "params:slices",
                    "params:hybrid",
                    "params:image_score",
                    "params:protocol",
                ],
                "bundle",
                name="build_bundle",
            ),
            Node(
                nodes.score_test_patients,
                ["fitted_models", "test_predictors", "image_scores", "partition"],
                "predictions",
                name="score_test_patients",
            ),
        ]
    )


def evaluation() -> Pipeline:
    """Hold the scores against the outcomes, and the paper's protocol beside them."""
    return Pipeline(
        [
            Node(
                evaluation_nodes.follow_paper_protocol,
                [
                    "training_cohort",
                    "test_predictors",
                    "test_outcomes",
                    "cnn_paper_scores",
                    "image_features",
                    "partition",
                    "params:hybrid",
                    "params:image_score",
                    "params:protocol",
                    "params:seed",
                ],
                ["paper_predictions", "paper_protocol_record"],
                name="follow_paper_protocol",
            ),
            Node(
                evaluation_nodes.evaluate_models,
                [
                    "predictions",
                    "paper_predictions",
                    "test_outcomes",
                    "training_cohort",
                    "params:protocol",
                    "params:evidence",
                    "params:paper",
                    "params:seed",
                ],
                ["model_results", "table4", "figure4_roc", "figure4_confusion"],
                name="evaluate_models",
            ),
            Node(
                evaluation_nodes.compare_protocols,
                [
                    "predictions",
                    "paper_predictions",
                    "paper_protocol_record",
                    "test_outcomes",
                    "training_cohort",
                    "params:evidence",
                    "params:seed",
                ],
                ["leakage_gap", "leakage_gap_table", "leakage_seen", "figure_leakage_gap"],
                name="compare_protocols",
            ),
        ]
    )


def probing() -> Pipeline:
    """Ask what the models listen to, and how steady they are."""
    return Pipeline(
        [
            Node(
                prediction_times,
                ["predictions", "test_outcomes", "params:evidence", "params:seed"],
                "prediction_times",
                name="compare_prediction_times",
            ),
            Node(
                probing_nodes.explain_models,
                ["fitted_models", *TRAINING],
                ["shap_importance", "figure_shap"],
                name="explain_models",
            ),
            Node(
                probing_nodes.probe_robustness,
                [*TRAINING, "robustness_answers"],
                [
                    "predictor_ablation",
                    "hybrid_learning_curve",
                    "repeat_spread",
                    "chosen_classifiers",
                    "figure_hybrid_learning_curve",
                ],
                name="probe_robustness",
            ),
        ]
    )
