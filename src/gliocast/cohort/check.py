"""All that is wrong with a clinical table, and whom it names all the same, so that a check can go on to the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from gliocast.cohort.parameters import CohortParameters, InvalidPatientPolicy
from gliocast.cohort.selection import failed_rule
from gliocast.cohort.table import named_rows, read_cells, safe_identifiers, typed_columns
from gliocast.cohort.text import legible_cells
from gliocast.errors import CohortError, Problem


@dataclass(frozen=True)
class CheckedTable:
    """A clinical table, right or wrong.

    Attributes:
        problems: all that is wrong with it.
        patients: the canonical columns of everyone in the study whose identifier can be read; missing what cannot be.
        whole: nobody is missing there because a row or an identifier cannot be read.
    """

    problems: Sequence[Problem]
    patients: pd.DataFrame
    whole: bool


def check_table(
    clinical_table: str | pd.DataFrame, cohort: CohortParameters, on_invalid_patient: InvalidPatientPolicy
) -> CheckedTable:
    """Read the clinical table as a run would, and go on where a run would stop.

    Where it has no problem its patients are those of the cohort; else they are all that the rules keep.
    """
    cells, unread = legible_cells(clinical_table, cohort.separator, cohort.decimal)
    if cells.empty:
        return CheckedTable(unread, pd.DataFrame(columns=["patient_id"]), whole=False)
    wrong: Sequence[Problem] = []
    try:
        patients = read_cells(cells, cohort, on_invalid_patient).cohort
    except CohortError as error:
        wrong, patients = error.problems, named_patients(cells, cohort)
    named = patients["patient_id"].notna()
    return CheckedTable([*unread, *wrong], patients[named], whole=not unread and bool(named.all()))


def named_patients(cells: pd.DataFrame, cohort: CohortParameters) -> pd.DataFrame:
    """The patients that the rules keep, one row each, `patient_id` missing where it cannot be read."""
    selected = cells[failed_rule(cells, cohort.keep).isna()]
    patient_id = safe_identifiers(selected, cohort)
    columns, _ = typed_columns(selected, named_rows(selected, cohort), cohort)
    return columns.assign(patient_id=patient_id).drop_duplicates("patient_id")
