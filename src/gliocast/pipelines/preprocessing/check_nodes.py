"""The node that reads a whole site before anything is worked on, and tells all that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from gliocast.cohort.check import CheckedTable, check_table
from gliocast.cohort.parameters import CohortParameters, InvalidPatientPolicy
from gliocast.errors import NOT_APPLICABLE, ImagingError, InputError, Problem, raise_if_any
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.pipeline import check_studies
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
        `n_checked`, the number of studies in which nothing is wrong; 0 where no check was asked for.

    Raises:
        InputError: all problems of the clinical table and of the images at once.
    """
    if not check_only:
        return {"n_checked": 0}
    table = check_table(clinical_table, cohort, on_invalid_patient)
    with_images = image_score == "cnn"
    images = image_problems(imaging, table, slices) if with_images else []
    raise_if_any([*table.problems, *images], InputError)
    return {"n_checked": len(table.patients) if with_images else 0}


def image_problems(imaging: ImageSource, table: CheckedTable, slices: SliceParameters) -> Sequence[Problem]:
    """All that is wrong with the studies of the patients whom the table names, and what could not be looked at."""
    if table.patients.empty:
        return [unchecked("the images", "checked: the clinical table names no patient that can be read")]
    try:
        extraction = extraction_of(imaging, table.patients, slices)
    except ImagingError as error:
        return error.problems
    if table.whole:
        return problems_of(check_studies(extraction))
    others = unchecked("images without a patient", "looked for: not every patient of the clinical table can be read")
    return [*problems_of(check_studies(replace(extraction, others=()))), others]


def unchecked(where: str, why: str) -> Problem:
    """What a check had to leave out because of a problem elsewhere."""
    return Problem(NOT_APPLICABLE, where, f"not {why}", "a check", "Mend the clinical table, and check again.")
