"""Nodes from the clinical table to training and test patients. Only `open_test_partition` gives test outcomes away."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from gliocast.cohort import flow, study
from gliocast.cohort.columns import clinical_columns
from gliocast.cohort.parameters import CohortParameters, InvalidPatientPolicy
from gliocast.cohort.partition_checks import check_cohort_unchanged, check_partition
from gliocast.errors import CohortError, ConfigurationError, InputError, PartitionError, Problem, raise_if_any
from gliocast.hybrid.image_features import patients_with_features
from gliocast.types import ImageScoreKind, Partition

_log = logging.getLogger(__name__)
OUTCOME_COLUMNS = ["survival_days", "event_observed", "outcome"]


def select_patients(
    cohort: pd.DataFrame,
    cohort_exclusions: pd.DataFrame,
    cohort_notes: Mapping[str, Any],
    slice_manifest: pd.DataFrame,
    imaging_exclusions: pd.DataFrame,
    image_features: pd.DataFrame,
    parameters: CohortParameters,
    image_score: ImageScoreKind,
    on_invalid_patient: InvalidPatientPolicy,
    features_id_column: str,
    features_id_pattern: str,
    features_ignore_columns: Sequence[str],
) -> tuple[pd.DataFrame, dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """The patients of the study, the patient flow, the record of everyone left out, and who lacks but an outcome.

    Raises:
        InputError: a patient has no image or no outcome, and the policy is to stop.
        CohortError: nobody is left.
        ConfigurationError: the table of image features has no identifiers, or clinical columns.
    """
    if image_score == "features":
        ignored = [features_id_column, *features_ignore_columns]
        raise_if_any(clinical_features(image_features, ignored, parameters), ConfigurationError)
        asked = (features_id_column, features_id_pattern, features_ignore_columns)
        with_image = patients_with_features(image_features, *asked)
    else:
        with_image = [*slice_manifest.get("patient_id", ())]
    study_cohort, left_out = study.select_patients(cohort, image_score, with_image, imaging_exclusions, parameters)
    if on_invalid_patient == "stop":
        raise_if_any(study.exclusion_problems(left_out), InputError)
    everyone = pd.concat([cohort_exclusions, left_out], ignore_index=True)
    if study_cohort.empty and len(everyone):
        raise CohortError(flow.nobody_left(everyone))
    images = flow.image_notes(cohort, slice_manifest, imaging_exclusions, with_image)
    told = flow.patient_flow(cohort, study_cohort, everyone, cohort_notes, image_score, images)
    _log.log(logging.WARNING if len(everyone) else logging.INFO, flow.in_words(told))
    unclassed = study.unclassed_patients(cohort, left_out, parameters.exclude_when_missing)
    return study_cohort, told, everyone, unclassed


def clinical_features(
    image_features: pd.DataFrame, ignored: Sequence[str], parameters: CohortParameters
) -> list[Problem]:
    """Columns that would tell an image model a clinical fact, or the outcome itself."""
    names = image_features.columns.difference([*ignored], sort=False)
    expected, remedy = "features of the image", "Remove the column, or name it in hybrid.features.ignore_columns."
    found = "a column of the clinical table"
    return [
        Problem("–", f"image_features: {name}", found, expected, remedy) for name in clinical_columns(names, parameters)
    ]


def tell_flow(study_flow: Mapping[str, Any]) -> dict[str, Any]:
    """The patient flow beside the report; a baseline puts its own there, and nothing but the report then runs again."""
    return {**study_flow}


def separate_test_patients(
    study_cohort: pd.DataFrame, partition: Partition, parameters: CohortParameters
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The training patients with their outcomes, and the test patients without.

    Where a partition has several splits, a patient who trains in any of them is a training patient; whatever is fitted
    keeps to the training patients of its own split.

    Raises:
        PartitionError: a patient stands on both sides, or the cohort is not the one that was partitioned.
    """
    check(partition, study_cohort)
    training = {patient for split in partition.splits for patient in split.training}
    labelled = study.with_outcomes(study_cohort, partition, parameters)
    test_patients = study_cohort[study_cohort["patient_id"].isin(partition.tested)]
    return (
        labelled[labelled["patient_id"].isin(training)].reset_index(drop=True),
        test_patients.drop(columns=OUTCOME_COLUMNS).reset_index(drop=True),
    )


def open_test_partition(study_cohort: pd.DataFrame, partition: Partition, parameters: CohortParameters) -> pd.DataFrame:
    """The outcomes of the test patients: the one door to them, for what evaluates and nothing before it.

    Raises:
        PartitionError: a patient stands on both sides, or the cohort is not the one that was partitioned.
    """
    check(partition, study_cohort)
    labelled = study.with_outcomes(study_cohort, partition, parameters)
    tested = labelled["patient_id"].isin(partition.tested)
    return labelled.loc[tested, ["patient_id", *OUTCOME_COLUMNS]].reset_index(drop=True)


def check(partition: Partition, study_cohort: pd.DataFrame) -> None:
    """Refuse a partition that does not separate exactly these patients."""
    problems = [*check_partition(partition), *check_cohort_unchanged(partition, study_cohort["patient_id"])]
    raise_if_any(problems, PartitionError)
