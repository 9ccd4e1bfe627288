"""The patient flow: how many stand at each stage, how many left there and why. Counts only, never who."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from gliocast.cohort.notes import ALL_DIED, ALL_SHORT
from gliocast.cohort.partitions import outcome_counts
from gliocast.cohort.selection import CLINICAL_TABLE, IMAGES, OUTCOME, PREDICTORS, ROW_SELECTION
from gliocast.errors import NOT_APPLICABLE, Problem
from gliocast.types import CLINICAL_PREDICTORS, ImageScoreKind, spelling_free

ROWS, COHORT, STUDY = "rows of the clinical table", "patients of the cohort", "patients with a known outcome"
WITH_IMAGE: dict[ImageScoreKind, str] = {"cnn": "patients with an image", "features": "patients with image features"}
UNSURE = "lesion_uncertain"  # the doubt that marks a patient whose lesion was located with low confidence
OFTEN = 0.3  # a predictor missing more often than this is more imputed than known


def patient_flow(
    cohort: pd.DataFrame,
    study_cohort: pd.DataFrame,
    exclusions: pd.DataFrame,
    notes: Mapping[str, Any],
    image_score: ImageScoreKind,
    images: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The patient flow of a run.

    Args:
        cohort: all patients of the clinical table.
        study_cohort: those that the models are made for.
        exclusions: everyone who is in the table and not in the study.
        notes: on the clinical table (`cohort.notes.table_notes`).
        image_score: whether the study needs images.
        images: on the images (`image_notes`), where the study reads any.

    Returns:
        `stages`, each with its number, and beside it who left: every number is the one before less those who left.
        Then who is in the study and who is not (`cohort_counts`), the counts of missing predictors, the notes, and
        warnings in words.
    """
    n_rows = len(cohort) + int(exclusions["stage"].isin([ROW_SELECTION, CLINICAL_TABLE]).sum())
    stages = stages_of(n_rows, exclusions, image_score)
    missing = missing_predictors(study_cohort)
    return {
        "stages": stages,
        **cohort_counts(study_cohort, exclusions),
        "exclusions": counted(exclusions),
        "missing_predictors": missing,
        "clinical_table": {name: note for name, note in notes.items() if name != "patients_alike"},
        "images": dict(images or {}),
        "warnings": [*warnings(missing, notes, len(study_cohort)), *image_warnings(images or {})],
    }


def cohort_counts(study_cohort: pd.DataFrame, exclusions: pd.DataFrame) -> dict[str, int]:
    """Who is in the study: patients with an outcome, and those whose outcome is not known yet; and who is not.

    Args:
        study_cohort: the patients with a known outcome.
        exclusions: `patient_id`, `stage`, … of everyone else in the clinical table.
    """
    undetermined = int((exclusions["stage"] == OUTCOME).sum())
    return {
        "n_patients": len(study_cohort) + undetermined,
        "n_excluded": len(exclusions) - undetermined,
        **{f"n_{outcome}": n for outcome, n in outcome_counts(study_cohort["outcome"]).items()},
        "n_undetermined": undetermined,
    }


def image_notes(
    cohort: pd.DataFrame, slice_manifest: pd.DataFrame, imaging_exclusions: pd.DataFrame, with_image: Iterable[str]
) -> dict[str, Any]:
    """How the slices were located, how surely at the least, and how many images are nobody's.

    Args:
        cohort: all patients of the clinical table.
        slice_manifest: one row a patient with slices: `source`, `confidence`, `doubts`; empty where none are wanted.
        imaging_exclusions: what reading the images has found.
        with_image: whoever has slices, or image features.
    """
    strangers = imaging_exclusions.loc[~imaging_exclusions["patient_id"].isin(cohort["patient_id"]), "patient_id"]
    notes: dict[str, Any] = {"without_patient": int(strangers.nunique())}
    if spelled := spelled_otherwise({*cohort["patient_id"]}, {*strangers, *with_image}):
        notes["spelled_otherwise"] = spelled
    if len(slice_manifest):
        located = slice_manifest["source"].value_counts().sort_index()
        notes["located_by"] = {str(source): int(n) for source, n in located.items()}
        notes["lowest_confidence"] = float(slice_manifest["confidence"].min())
        notes["located_unsurely"] = int(slice_manifest["doubts"].str.contains(UNSURE).sum())
    return notes


def spelled_otherwise(patients: set[str], with_image: set[str]) -> int:
    """How many patients have no image, where there is one of an identifier that differs in zeros or case."""
    strangers = {*map(spelling_free, with_image - patients)}
    return sum(spelling_free(patient) in strangers for patient in patients - with_image)


def stages_of(n_rows: int, exclusions: pd.DataFrame, image_score: ImageScoreKind) -> list[dict[str, Any]]:
    """Each stage with the number that stands there and those who leave it."""
    stages, n = [], n_rows
    for name, leaving in leaving_stages(image_score):
        gone = exclusions[exclusions["stage"].isin(leaving)]
        stages.append({"name": name, "n": n, "left": counted(gone)})
        n -= len(gone)
    return stages


def leaving_stages(image_score: ImageScoreKind) -> list[tuple[str, tuple[str, ...]]]:
    """The stages by name, and the stages of exclusion through which patients leave them."""
    table = (ROWS, (ROW_SELECTION, CLINICAL_TABLE))
    if image_score == "none":
        return [table, (COHORT, (OUTCOME, PREDICTORS)), (STUDY, ())]
    with_image = WITH_IMAGE[image_score]
    return [table, (COHORT, (IMAGES,)), (with_image, (OUTCOME, PREDICTORS)), (f"{with_image} and a known outcome", ())]


def counted(exclusions: pd.DataFrame) -> list[dict[str, Any]]:
    """How many left for each kind of reason, the most frequent first."""
    groups = [
        {"n": len(group), "stage": str(stage), "code": str(code), "reason": common_reason(group)}
        for (stage, code), group in exclusions.groupby(["stage", "code"], sort=True)
    ]
    return sorted(groups, key=lambda group: -group["n"])


def common_reason(group: pd.DataFrame) -> str:
    """The sentence that several patients share; a sentence of one alone may tell who it is: the code in words."""
    reasons = group["reason"].unique()
    return str(reasons[0]) if len(reasons) == 1 and len(group) > 1 else str(group["code"].iloc[0]).replace("_", " ")


def in_words(flow: Mapping[str, Any]) -> str:
    """How many patients the study has, and how many left for which reason."""
    left = ", ".join(
        f"{group['n']} {group['code'].replace('_', ' ')} ({group['stage']})" for group in flow["exclusions"]
    )
    study = f"The study has {flow['stages'][-1]['n']} patients" + (f"; left out: {left}." if left else ".")
    return " ".join([study, *spelling_hint(flow["images"])])


def spelling_hint(images: Mapping[str, Any]) -> list[str]:
    """What to do where images stand under other spellings of patients' identifiers."""
    if not (spelled := images.get("spelled_otherwise")):
        return []
    patients = "1 patient without an image has" if spelled == 1 else f"{spelled} patients without an image have"
    remedy = "Write both alike; `--params check_only=true` names them."
    return [f"{patients} one under another spelling of the identifier, such as p7 for P007. {remedy}"]


def nobody_left(exclusions: pd.DataFrame) -> Problem:
    """The problem of a study that everyone has left, most of them for one reason."""
    most = counted(exclusions)[0]
    reason = most["reason"].rstrip(".")
    found = f"nobody of {len(exclusions)}; {most['n']} left for one reason ({most['stage']}): {reason}"
    remedy = "Mend that; `--params check_only=true` names who and what."
    return Problem(NOT_APPLICABLE, "the patients of the study", found, "somebody with all that it needs", remedy)


def missing_predictors(study_cohort: pd.DataFrame) -> dict[str, dict[str, float]]:
    """How often each predictor is missing; such values are imputed inside the folds, never before."""
    n = len(study_cohort)
    missing = {column: int(study_cohort[column].isna().sum()) for column in CLINICAL_PREDICTORS}
    return {column: {"n": count, "fraction": count / n if n else 0.0} for column, count in missing.items()}


def image_warnings(images: Mapping[str, Any]) -> list[str]:
    """What a reader of the results should be told about the images, in words."""
    told = spelling_hint(images)
    if strangers := images.get("without_patient"):
        belong = "image belongs" if strangers == 1 else "images belong"
        told.append(f"{strangers} {belong} to nobody in the cohort: not in the clinical table, or left out of it.")
    if unmasked := images.get("located_by", {}).get("localiser"):
        surely = f"{images['located_unsurely']} of them unsurely, least confidence {images['lowest_confidence']:.2f}"
        told.append(f"{unmasked} patients without lesion mask: slices located by the image, {surely}.")
    return told


def warnings(missing: dict[str, dict[str, float]], notes: Mapping[str, Any], n_patients: int) -> list[str]:
    """What a reader of the results should be told about the patients, in words."""
    told = []
    for column, count in missing.items():
        if count["fraction"] > OFTEN:
            told.append(f"{column} is missing for {count['n']:.0f} of {n_patients} patients.")
    if notes.get("columns_ignored"):
        told.append(f"Columns of the clinical table that were not read: {', '.join(notes['columns_ignored'])}.")
    if "event_observed" in notes.get("columns_absent", ()):
        told.append(ALL_DIED)
    if notes.get("n_long_term") == 0:
        told.append(ALL_SHORT)
    if derived := notes.get("who_status_from_karnofsky"):
        told.append(f"who_status was derived from the Karnofsky status for {derived} patients.")
    if alike := notes.get("n_groups_alike"):
        told.append(f"{alike} groups of patients agree in age, survival and all else: perhaps scans of one person.")
    return told
