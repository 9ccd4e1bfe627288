"""The node that reads a whole site before anything is worked on, and tells all that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from gliocast.cohort.check import CheckedTable, check_table
from gliocast.cohort.parameters import CohortParameters, InvalidPatientPolicy
from gliocast.errors import NOT_APPLICABLE, InputError, Problem, raise_if_any
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.pipeline import CheckedStudies, check_studies
from gliocast.imaging.source import ImageSource
from gliocast.pipelines.preprocessing.imaging_nodes import extraction_of, problems_of
from gliocast.types import ImageScoreKind


def check_images(
    clinical_table: str | pd.DataFrame,
    imaging: ImageSource,
    cohort: CohortParameters,
    slices: SliceParameters,
    image_score: ImageScoreKind,
    on_invalid_patient: InvalidPatientPolicy,
    check_only: bool,
) -> dict[str, int]:
    """Read the table, and read and cut every study as for training; the run ends here where only this was asked for.

    Returns:
        `n_checked`, the number of studies in which nothing is wrong; 0 where no check was asked for. Of these,
        `n_with_mask` have a lesion mask, `n_localised` would be localised, and `n_doubtful` doubtfully so.

    Raises:
        InputError: all problems of the clinical table and of the images at once.
    """
    if not check_only:
        return {"n_checked": 0}
    table = check_table(clinical_table, cohort, on_invalid_patient)
    if image_score != "cnn":
        raise_if_any(table.problems, InputError)
        return {"n_checked": 0}
    images, studies = checked_images(imaging, table, slices)
    raise_if_any([*table.problems, *images], InputError)
    counts = ("n_with_mask", "n_localised", "n_doubtful")
    return {"n_checked": len(table.patients), **{name: getattr(studies, name) for name in counts}}


def checked_images(
    imaging: ImageSource, table: CheckedTable, slices: SliceParameters
) -> tuple[Sequence[Problem], CheckedStudies]:
    """All that is wrong with the studies of the patients whom the table names, and what could not be looked at."""
    nothing = CheckedStudies([], 0, 0, 0)
    if table.patients.empty:
        return [unchecked("the images", "checked: the clinical table names no patient that can be read")], nothing
    try:
        extraction = extraction_of(imaging, table.patients, slices)
        studies = check_studies(extraction if table.whole else replace(extraction, others=()))
    except InputError as error:
        return error.problems, nothing
    why = "looked for: not every patient of the clinical table can be read"
    others = [] if table.whole else [unchecked("images without a patient", why)]
    return [*problems_of(studies.refused), *others], studies


def in_words(image_check: Mapping[str, int]) -> str:
    """What is said at the end of a check in which nothing was wrong."""
    n_checked = image_check["n_checked"]
    sound = f"The clinical table and {n_checked} studies were checked: nothing is wrong with them."
    if not n_checked:
        return sound
    masks = f"{image_check['n_with_mask']} of them have a lesion mask"
    localised = f"in {image_check['n_localised']} the lesion would be localised"
    doubtful = f", in {image_check['n_doubtful']} of these doubtfully" if image_check["n_doubtful"] else ""
    unread = " A mask that no pattern of `lesion_masks` finds is not read." if image_check["n_localised"] else ""
    return f"{sound}\n{masks}; {localised}{doubtful}.{unread}"


def unchecked(where: str, why: str) -> Problem:
    """What a check had to leave out because of a problem elsewhere."""
    return Problem(NOT_APPLICABLE, where, f"not {why}", "a check", "Mend the clinical table, and check again.")
