"""From the cohort to the study: the patients who have an image and an outcome, and the record of the others."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from gliocast.cohort.labels import outcomes
from gliocast.cohort.parameters import CohortParameters
from gliocast.cohort.selection import IMAGES, OUTCOME, PREDICTORS, exclusions
from gliocast.errors import NOT_APPLICABLE, ConfigurationError, Problem
from gliocast.types import ImageScoreKind, Partition

UNDETERMINED = "last seen alive before the survival threshold: outcome undeterminable"
CENSORED = "last seen alive, and the survival threshold is known only once patients are separated"
NO_IMAGE: dict[ImageScoreKind, tuple[str, str]] = {
    "cnn": ("image_missing", "no image of the patient"),
    "features": ("image_features_missing", "no image features of the patient"),
}


def select_patients(
    cohort: pd.DataFrame,
    image_score: ImageScoreKind,
    patients_with_image: Iterable[str],
    imaging_exclusions: pd.DataFrame,
    parameters: CohortParameters,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The patients of the study, and the record of the others, each with the first reason that was met.

    Args:
        cohort: canonical columns and `outcome`.
        image_score: what it comes from; with `none` nobody needs an image.
        patients_with_image: who has what it comes from.
        imaging_exclusions: what reading the images has found (`patient_id`, `stage`, `code`, `reason`).
        parameters: the threshold's mode, and the predictors without which a patient is left out.
    """
    records = []
    for record in (
        lambda patients: without_image(patients, image_score, patients_with_image, imaging_exclusions),
        lambda patients: without_outcome(patients, parameters),
        lambda patients: without_predictor(patients, parameters.exclude_when_missing),
    ):
        records.append(record(cohort))
        cohort = cohort[~cohort["patient_id"].isin(records[-1]["patient_id"])]
    return cohort.reset_index(drop=True), pd.concat(records, ignore_index=True)


def without_image(
    cohort: pd.DataFrame,
    image_score: ImageScoreKind,
    patients_with_image: Iterable[str],
    imaging_exclusions: pd.DataFrame,
) -> pd.DataFrame:
    """The record of the patients without an image, with every reason that reading the images has found."""
    if image_score == "none":
        return exclusions((), IMAGES, (), ())
    missing = cohort.loc[~cohort["patient_id"].isin([*patients_with_image]), "patient_id"]
    found = imaging_exclusions[imaging_exclusions["patient_id"].isin(missing)].groupby("patient_id", sort=False)
    code, reason = NO_IMAGE[image_score]
    codes, reasons = found["code"].first(), found["reason"].agg("; ".join)
    return exclusions(
        missing,
        IMAGES,
        [codes.get(patient, code) for patient in missing],
        [reasons.get(patient, reason) for patient in missing],
    )


def without_outcome(cohort: pd.DataFrame, parameters: CohortParameters) -> pd.DataFrame:
    """The record of the patients whose outcome cannot be determined.

    Where the threshold is the training patients' median, it is not known yet: then every censored patient is left out,
    because their outcome, and so their place in the study, would depend on who trains.
    """
    undetermined = cohort["outcome"].isna()
    records = [exclusions(cohort.loc[undetermined, "patient_id"], OUTCOME, "outcome_undeterminable", UNDETERMINED)]
    if parameters.threshold_mode == "training_median":
        censored = ~undetermined & ~cohort["event_observed"].astype(bool)
        records.append(exclusions(cohort.loc[censored, "patient_id"], OUTCOME, "censored", CENSORED))
    return pd.concat(records, ignore_index=True)


def without_predictor(cohort: pd.DataFrame, required: tuple[str, ...]) -> pd.DataFrame:
    """The record of the patients who lack a predictor that a site does not want imputed; the first one is named."""
    lacking = pd.Series(pd.NA, index=cohort.index, dtype="string")
    for column in required:
        lacking = lacking.mask(lacking.isna() & cohort[column].isna(), column)
    lacking = lacking.dropna()
    reasons = [f"{column} is not known, and cohort.exclude_when_missing names it" for column in lacking]
    return exclusions(cohort.loc[lacking.index, "patient_id"], PREDICTORS, "predictor_missing", reasons)


def unclassed_patients(cohort: pd.DataFrame, left_out: pd.DataFrame, required: tuple[str, ...]) -> pd.DataFrame:
    """Who has all that the study needs but an outcome: how long they were followed still tells of the time of death.

    Args:
        cohort: canonical columns.
        left_out: the record of `select_patients`.
        required: predictors without which a patient is left out.
    """
    who = left_out.loc[left_out["stage"] == OUTCOME, "patient_id"]
    known = cohort[cohort["patient_id"].isin(who)].dropna(subset=["survival_days", *required])
    return known.reset_index(drop=True)


def exclusion_problems(left_out: pd.DataFrame) -> list[Problem]:
    """The same record as problems, for a run that stops at them."""
    expected, remedy = "a patient with all that the study needs", "Mend it, or set `on_invalid_patient: exclude`."
    return [
        Problem(str(row["patient_id"]), str(row["stage"]), str(row["reason"]), expected, remedy)
        for _, row in left_out.iterrows()
    ]


def with_outcomes(study_cohort: pd.DataFrame, partition: Partition, parameters: CohortParameters) -> pd.DataFrame:
    """The patients with the outcome that the configured threshold gives: a number, or the training patients' median.

    Raises:
        ConfigurationError: a median of the training patients, where every split has other training patients.
    """
    if parameters.threshold_mode == "fixed":
        return study_cohort
    if len(partition.splits) > 1:
        remedy = "Use `cohort.threshold_mode: fixed`, or `partition.scheme: holdout`."
        where, found = "cohort.threshold_mode", "training_median"
        expected = f"fixed, since {partition.scheme} has several sets of training patients"
        raise ConfigurationError(Problem(NOT_APPLICABLE, where, found, expected, remedy))
    threshold = threshold_days(study_cohort, partition, parameters)
    return study_cohort.assign(
        outcome=outcomes(study_cohort["survival_days"], study_cohort["event_observed"], threshold)
    )


def threshold_days(study_cohort: pd.DataFrame, partition: Partition, parameters: CohortParameters) -> float:
    """The survival threshold in force: the configured number, or the median of the training patients."""
    if parameters.threshold_mode == "fixed":
        return parameters.survival_threshold_days
    training = study_cohort["patient_id"].isin(partition.splits[0].training)
    return float(study_cohort.loc[training, "survival_days"].median())
