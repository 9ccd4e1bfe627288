"""The end of every run: what the registered stages found, as `metrics.json` and as one page."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from gliocast.pipelines.reporting import nodes
from gliocast.reporting.exhibits import exhibits_of

# What each stage adds to the metrics: the argument of the node, and the catalog entry (or parameter) behind it.
METRICS = {
    "baseline": {
        "cohort": "cohort",
        "cohort_exclusions": "cohort_exclusions",
        "cohort_parameters": "params:cohort",
        "protocol": "params:protocol",
        "seed": "params:seed",
        "rule_results": "rule_results",
        "surgery_survival": "surgery_survival",
    },
    "tuning": {},
    "cnn_training": {
        "study_cohort": "study_cohort",
        "exclusions": "exclusions",
        "partition": "partition",
        "cnn_test_scores": "cnn_test_scores",
        "cnn_results": "cnn_results",
    },
    "hybrid": {"predictions": "predictions", "model_results": "model_results"},
}
PAGE = {
    "metrics": "metrics",
    "patient_flow": "patient_flow",
    "provenance": "provenance",
    "paper": "params:paper",
}


def create_pipeline(sections: tuple[str, ...] = ("baseline",)) -> Pipeline:
    """The last nodes of a run that has the stages `sections`; `baseline` is always among them."""
    compiled = {argument: entry for section in sections for argument, entry in METRICS[section].items()}
    shown = {exhibit.name: exhibit.name for section in sections for exhibit in exhibits_of(section)}
    features = ["image_features"] if "cnn_training" in sections else []
    flow = Node(
        nodes.describe_flow,
        ["cohort", "cohort_exclusions", "cohort_notes", "params:cohort"],
        "patient_flow",
        name="describe_flow",
    )
    return Pipeline(
        [
            *([] if "cnn_training" in sections else [flow]),  # where there are images, choosing the patients tells it
            Node(nodes.compile_metrics, compiled, "metrics", name="compile_metrics"),
            Node(
                nodes.record_provenance,
                ["parameters", "metrics", "clinical_table", "simulation_record", *features],
                "provenance",
                name="record_provenance",
            ),
            Node(nodes.write_report, PAGE | shown, "report", name="write_report"),
        ]
    )
