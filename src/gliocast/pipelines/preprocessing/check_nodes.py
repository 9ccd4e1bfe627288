"""The node that reads a whole site before anything is worked on, and tells all that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from gliocast.cohort.check import CheckedTable, check_table
from gliocast.cohort.identifiers import lost_zeros
from gliocast.cohort.parameters import CohortParameters, InvalidPatientPolicy
from gliocast.errors import NOT_APPLICABLE, InputError, Problem, listed, raise_if_any
from gliocast.hybrid.features import encode
from gliocast.hybrid.fit import facts_of
from gliocast.hybrid.fitted import CLINICAL
from gliocast.hybrid.image_features import not_there_to_ignore, read_features
from gliocast.hybrid.parameters import FeatureParameters, HybridParameters
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.source import ImageSource
from gliocast.pipelines.preprocessing.imaging_nodes import checked, extraction_of
from gliocast.pipelines.preprocessing.nodes import clinical_features
from gliocast.types import ImageScoreKind


def check_images(
    clinical_table: str | pd.DataFrame,
    imaging: ImageSource,
    image_features: pd.DataFrame,
    cohort: CohortParameters,
    slices: SliceParameters,
    hybrid: HybridParameters,
    image_score: ImageScoreKind,
    on_invalid_patient: InvalidPatientPolicy,
    check_only: bool,
) -> dict[str, int]:
    """Read the table, and read and cut every study as for training; the run ends here where only this was asked for.

    With `image_score: features` the table of image features is read in place of the studies.

    Returns:
        `n_checked`, the number of studies (or rows of features) in which nothing is wrong; 0 where no check was asked
        for. Of the studies, `n_with_mask` have a lesion mask, `n_localised` would be localised, and `n_doubtful`
        doubtfully so.

    Raises:
        InputError: all problems of the clinical table and of the images at once.
    """
    if not check_only:
        return {"n_checked": 0}
    table, features = check_table(clinical_table, cohort, on_invalid_patient), hybrid.features
    if image_score == "cnn":
        images, counts = checked_images(imaging, table, slices)
    else:
        images, counts = [], {}
    if image_score == "features":
        ignored = [features.id_column, *features.ignore_columns]
        images = [
            *clinical_features(image_features, ignored, cohort),
            *feature_problems(image_features, table, features),
        ]
    raise_if_any([*table.problems, *predictor_problems(table, hybrid), *images], InputError)
    return {"n_checked": len(table.patients) if image_score != "none" else 0, **counts}


def predictor_problems(table: CheckedTable, hybrid: HybridParameters) -> Sequence[Problem]:
    """All words of a predictor that the models do not know."""
    try:
        if not table.patients.empty:
            encode(table.patients, facts_of(CLINICAL, hybrid))
    except InputError as error:
        return error.problems
    return []


def feature_problems(
    image_features: pd.DataFrame, table: CheckedTable, features: FeatureParameters
) -> Sequence[Problem]:
    """All that is wrong with the table of image features, and who of the clinical table has no row there."""
    try:
        known = read_features(image_features, features).index
    except InputError as error:
        return error.problems
    unknown = not_there_to_ignore(image_features, features)
    patients = [*table.patients["patient_id"]]
    without = [patient for patient in patients if patient not in known]
    if not without:
        return unknown
    zeros = lost_zeros(patients, known.difference(patients), "image_features")
    remedy = "Add a row of the patient, written alike in both tables; where there is none, the patient is left out."
    return [
        *unknown,
        *zeros,
        Problem(listed(without), "image_features", "no row, or an empty one", "a row for each patient", remedy),
    ]


def checked_images(
    imaging: ImageSource, table: CheckedTable, slices: SliceParameters
) -> tuple[Sequence[Problem], dict[str, int]]:
    """All that is wrong with the studies of the table's patients, or could not be looked at; counts of the sound."""
    if table.patients.empty:
        return [unchecked("the images", "checked: the clinical table names no patient that can be read")], {}
    try:
        extraction = extraction_of(imaging, table.patients, slices)
        problems, counts = checked(extraction if table.whole else replace(extraction, others=()))
    except InputError as error:
        return error.problems, {}
    why = "looked for: not every patient of the clinical table can be read"
    others = [] if table.whole else [unchecked("images without a patient", why)]
    zeros = lost_zeros([*extraction.central_slice_mm], extraction.others, "the images")
    return [*zeros, *problems, *others], counts


def in_words(image_check: Mapping[str, int]) -> str:
    """What is said at the end of a check in which nothing was wrong."""
    n_checked = image_check["n_checked"]
    is_of_studies = "n_with_mask" in image_check
    beside = f"{n_checked} studies" if is_of_studies else f"the image features of {n_checked} patients"
    sound = f"Checked: the clinical table{f' and {beside}' if n_checked else ''}. Nothing is wrong."
    if not is_of_studies:
        return sound
    masks = f"{image_check['n_with_mask']} of them have a lesion mask"
    localised = f"in {image_check['n_localised']} the lesion would be localised"
    doubtful = f", in {image_check['n_doubtful']} of these doubtfully" if image_check["n_doubtful"] else ""
    unread = " A mask that no pattern of `lesion_masks` finds is not read." if image_check["n_localised"] else ""
    return f"{sound}\n{masks}; {localised}{doubtful}.{unread}"


def unchecked(where: str, why: str) -> Problem:
    """What a check had to leave out because of a problem elsewhere."""
    return Problem(NOT_APPLICABLE, where, f"not {why}", "a check", "Mend the clinical table, and check again.")
