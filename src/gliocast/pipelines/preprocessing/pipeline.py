"""From the raw data to the training patients, the test patients, and everyone's nine slices."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from gliocast.cohort.partitions import check_size, partition_patients
from gliocast.cohort.table import read_cohort
from gliocast.pipelines.preprocessing import check_nodes, imaging_nodes, nodes


def create_cohort_pipeline() -> Pipeline:
    """The clinical table alone: all that the baseline needs."""
    return Pipeline(
        [
            Node(
                read_cohort,
                ["clinical_table", "params:cohort", "params:on_invalid_patient"],
                ["cohort", "cohort_exclusions", "cohort_notes"],
                name="read_cohort",
            )
        ]
    )


def create_image_pipeline() -> Pipeline:
    """Nine slices of every patient of the cohort."""
    return Pipeline(
        [
            Node(
                check_nodes.check_images,
                [
                    "clinical_table",
                    "imaging",
                    "image_features",
                    "params:cohort",
                    "params:slices",
                    "params:hybrid",
                    "params:image_score",
                    "params:on_invalid_patient",
                    "params:check_only",
                ],
                "image_check",
                name="check_images",
            ),
            Node(
                imaging_nodes.extract_slices,
                ["imaging", "cohort", "params:slices", "params:image_score", "params:on_invalid_patient"],
                "slice_stacks",
                name="extract_slices",
            ),
            Node(
                imaging_nodes.summarise_slices,
                ["slice_stacks", "params:on_invalid_patient"],
                ["slice_manifest", "imaging_exclusions"],
                name="summarise_slices",
            ),
            Node(
                imaging_nodes.draw_slice_montage,
                ["slice_stacks", "imaging_exclusions", "pseudonym_key"],
                ["slice_montage", "pseudonyms", "slice_quality"],
                name="draw_slice_montage",
            ),
        ]
    )


def create_separation_pipeline() -> Pipeline:
    """Who is in the study, who trains, who is tested."""
    return Pipeline(
        [
            Node(check_size, ["cohort", "params:partition"], None, name="check_cohort_size"),
            Node(
                nodes.select_patients,
                [
                    "cohort",
                    "cohort_exclusions",
                    "cohort_notes",
                    "slice_manifest",
                    "imaging_exclusions",
                    "image_features",
                    "params:cohort",
                    "params:image_score",
                    "params:on_invalid_patient",
                    "params:hybrid.features.id_column",
                    "params:hybrid.features.id_pattern",
                    "params:hybrid.features.ignore_columns",
                ],
                ["study_cohort", "study_flow", "exclusions", "unclassed_cohort"],
                name="select_patients",
            ),
            Node(nodes.tell_flow, "study_flow", "patient_flow", name="tell_flow"),
            Node(
                partition_patients,
                ["study_cohort", "params:partition", "params:seed"],
                "partition",
                name="partition_patients",
            ),
            Node(
                nodes.separate_test_patients,
                ["study_cohort", "partition", "params:cohort"],
                ["training_cohort", "test_predictors"],
                name="separate_test_patients",
            ),
        ]
    )


def create_test_partition_pipeline() -> Pipeline:
    """The one door to the test patients' outcomes."""
    return Pipeline(
        [
            Node(
                nodes.open_test_partition,
                ["study_cohort", "partition", "params:cohort"],
                "test_outcomes",
                name="open_test_partition",
            )
        ]
    )


def create_pipeline() -> Pipeline:
    """Everything before training; the test partition stays shut."""
    return create_cohort_pipeline() + create_image_pipeline() + create_separation_pipeline()
