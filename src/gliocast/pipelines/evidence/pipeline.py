"""The evidence pages: the tested models looked at from every side. Nothing here changes a model."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from gliocast.pipelines.evidence import nodes, survival_nodes

TESTED = ["predictions", "test_outcomes", "params:evidence"]


def create_pipeline(**_: Any) -> Pipeline:
    """From predictions and the opened test partition to the evidence pages of the report."""
    return Pipeline(
        [
            Node(
                nodes.record_test_opening,
                ["predictions", "partition", "test_openings_ledger"],
                "test_openings",
                name="record_test_opening",
            ),
            Node(
                nodes.describe_study,
                ["training_cohort", "test_predictors", "test_outcomes"],
                "study_table",
                name="describe_study",
            ),
            Node(
                nodes.assess_calibration,
                [*TESTED, "training_predictions", "training_cohort", "params:seed"],
                ["calibration_table", "figure_reliability"],
                name="assess_calibration",
            ),
            Node(nodes.assess_usefulness, TESTED[:2], "figure_net_benefit", name="assess_usefulness"),
            Node(
                nodes.assess_subgroups,
                [*TESTED, "test_predictors", "params:seed"],
                "subgroup_table",
                name="assess_subgroups",
            ),
            Node(nodes.sweep_thresholds, [*TESTED, "params:seed"], "threshold_sweep_table", name="sweep_thresholds"),
            Node(
                survival_nodes.assess_time_to_event,
                [
                    "unclassed_cohort",
                    "training_cohort",
                    "test_predictors",
                    "test_outcomes",
                    "image_scores",
                    "partition",
                    "params:cohort",
                    "params:hybrid",
                    "params:image_score",
                    "params:evidence",
                    "params:seed",
                ],
                ["time_to_event_table", "survival_classes_table"],
                name="assess_time_to_event",
            ),
            Node(
                survival_nodes.compare_predicted_groups,
                TESTED[:2],
                "figure_kaplan_meier_predicted",
                name="compare_predicted_groups",
            ),
        ]
    )
