"""The clinical table as a hospital exports it becomes the cohort: one row a patient, canonical columns, an outcome."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from gliocast.cohort.columns import column_cells, column_problems
from gliocast.cohort.identifiers import (
    duplicate_problems,
    identifier_problems,
    identifiers,
    safe_to_show,
    scan_problems,
)
from gliocast.cohort.labels import outcomes
from gliocast.cohort.notes import ALL_DIED, ALL_SHORT, table_notes
from gliocast.cohort.parameters import CANONICAL_COLUMNS, NUMBERS, CohortParameters, InvalidPatientPolicy
from gliocast.cohort.selection import CLINICAL_TABLE, exclusions, failed_rule, nothing_left, rows_left_out
from gliocast.cohort.text import cells_of
from gliocast.cohort.values import KARNOFSKY_TO_WHO, TYPES, Column, mark_in_use
from gliocast.errors import NOT_APPLICABLE, CohortError, Problem, raise_if_any
from gliocast.types import row_names

logger = logging.getLogger(__name__)

UNDETERMINABLE = {  # what a row must have, or nothing can be said of the patient's survival
    "survival_days": ("survival_missing", "survival is not known: outcome undeterminable"),
    "event_observed": ("event_missing", "whether the patient died is not known: outcome undeterminable"),
}


class Reading(NamedTuple):
    """A clinical table that was read.

    Attributes:
        cohort: one row a patient, canonical columns, `outcome`; sorted by `patient_id`.
        exclusions: `patient_id`, `stage`, `code`, `reason`; one row for each row of the table outside the cohort.
        notes: what a reader should know of the table: columns ignored, values derived, patients that look alike.
    """

    cohort: pd.DataFrame
    exclusions: pd.DataFrame
    notes: dict[str, Any]


def read_cohort(
    clinical_table: str | pd.DataFrame, cohort: CohortParameters, on_invalid_patient: InvalidPatientPolicy
) -> Reading:
    """The cohort, the record of the rows that are not in it, and notes on the table.

    Args:
        clinical_table: the content of a CSV file, or a table from another kind of source.
        cohort: the site's columns, values, and rules.
        on_invalid_patient: leave out (`exclude`) or stop at (`stop`) a patient whose survival is not known.

    Raises:
        CohortError: every problem of the table at once.
    """
    return read_cells(cells_of(clinical_table, cohort.separator, cohort.decimal), cohort, on_invalid_patient)


def read_cells(cells: pd.DataFrame, cohort: CohortParameters, on_invalid_patient: InvalidPatientPolicy) -> Reading:
    """Like `read_cohort`, of the table's cells as text, the index being the rows' numbers in the file."""
    names = named_rows(cells, cohort)
    failed = failed_rule(cells, cohort.keep)
    left_out = rows_left_out(names, failed, cohort.keep)
    if left_out["patient_id"].size == len(cells):
        raise CohortError([*column_problems([*cells.columns], cohort), nothing_left(len(cells), left_out)])
    table, derived = with_who_status(typed_table(cells[failed.isna()], names, cohort, on_invalid_patient))
    undeterminable = without_survival(table)
    known = labelled(table.drop(index=undeterminable.index), cohort)
    if known["outcome"].isna().all():
        raise CohortError(nobody_determined(len(cells), len(known), cohort))
    notes = table_notes(cells, known, cohort) | {"who_status_from_karnofsky": derived}
    if "event_observed" in notes["columns_absent"]:
        logger.warning(ALL_DIED)
    if notes["n_long_term"] == 0:
        logger.warning(ALL_SHORT)
    logger.info("Clinical table: %d rows, %d patients in the cohort", len(cells), len(known))
    return Reading(known, pd.concat([left_out, undeterminable], ignore_index=True), notes)


def typed_table(
    selected: pd.DataFrame, names: pd.Series, cohort: CohortParameters, on_invalid_patient: InvalidPatientPolicy
) -> pd.DataFrame:
    """The selected rows with every canonical column in its type.

    Raises:
        CohortError: every problem of columns, identifiers and cells at once; where the policy is to stop, every
            patient of whose survival nothing is known, too.
    """
    columns, problems = typed_columns(selected, names[selected.index], cohort)
    lacking = column_problems([*selected.columns], cohort)
    if on_invalid_patient == "stop":
        problems += unknown_survival(selected, names, cohort)
    raise_if_any([*lacking, *identity_problems(selected, cohort), *problems], CohortError)
    return columns.assign(patient_id=identifiers(column_cells(selected, "patient_id", cohort), cohort.identifier))


def labelled(table: pd.DataFrame, cohort: CohortParameters) -> pd.DataFrame:
    """The patients with their outcome, canonical columns in their order, sorted by `patient_id`."""
    outcome = outcomes(table["survival_days"], table["event_observed"], cohort.survival_threshold_days)
    ordered = table.assign(outcome=outcome)[[*CANONICAL_COLUMNS, "outcome"]]
    return ordered.sort_values("patient_id", ignore_index=True)


def named_rows(cells: pd.DataFrame, cohort: CohortParameters) -> pd.Series:
    """Who each row is, for messages."""
    found = identifiers(column_cells(cells, "patient_id", cohort), cohort.identifier)
    return pd.Series(row_names(found, cells.index), index=cells.index, dtype="string")


def safe_identifiers(cells: pd.DataFrame, cohort: CohortParameters) -> pd.Series:
    """The identifier of each row, NA where it has none that can be shown."""
    found = identifiers(column_cells(cells, "patient_id", cohort), cohort.identifier)
    return found.where(safe_to_show(found))


def identity_problems(selected: pd.DataFrame, cohort: CohortParameters) -> list[Problem]:
    """Rows without a patient, and patients with several rows."""
    source = ", ".join(cohort.sources("patient_id"))
    if not set(cohort.sources("patient_id")) & set(selected):
        return []  # the missing column is a problem of its own
    patient_id = identifiers(column_cells(selected, "patient_id", cohort), cohort.identifier)
    return [
        *identifier_problems(patient_id, source, cohort.identifier),
        *duplicate_problems(patient_id, selected, source),
        *scan_problems(patient_id, source, cohort.identifier),
    ]


def typed_columns(
    selected: pd.DataFrame, names: pd.Series, cohort: CohortParameters
) -> tuple[pd.DataFrame, list[Problem]]:
    """All canonical columns but the identifier in their types, and every cell that is not what it should be."""
    columns, problems = {}, []
    cells = {name: column_cells(selected, name, cohort) for name in CANONICAL_COLUMNS[1:]}
    in_use = mark_in_use((cells[name] for name in NUMBERS), cohort.decimal)
    for name in cells:
        columns[name], found = TYPES[name](Column(name, cohort.sources(name), cells[name], names, in_use), cohort)
        problems += found
    if not set(cohort.sources("event_observed")) & set(selected):
        columns["event_observed"] = pd.Series(True, index=selected.index, dtype="boolean")
    return pd.DataFrame(columns), problems


def with_who_status(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The table with the performance status taken from Karnofsky's where it is missing, and for how many patients."""
    derived = table["karnofsky"].map(KARNOFSKY_TO_WHO).astype("Int64")
    filled = table["who_status"].fillna(derived)
    return table.assign(who_status=filled), int(filled.notna().sum() - table["who_status"].notna().sum())


def without_survival(table: pd.DataFrame) -> pd.DataFrame:
    """The record of the patients of whose survival nothing is known, by the index of the table."""
    lacking = pd.Series(pd.NA, index=table.index, dtype="string")
    for column in UNDETERMINABLE:
        lacking = lacking.fillna(table[column].isna().map({True: column}).astype("string"))
    lacking = lacking.dropna()
    patients = table.loc[lacking.index, "patient_id"]
    codes, reasons = ([UNDETERMINABLE[column][place] for column in lacking] for place in (0, 1))
    return exclusions(patients, CLINICAL_TABLE, codes, reasons).set_axis(lacking.index)


def nobody_determined(n_rows: int, n_known: int, cohort: CohortParameters) -> Problem:
    """The problem of a table of which no patient's outcome can be told: there is nothing to describe or to predict."""
    last_seen = f"{n_known} were last seen alive before" if n_known else "days and event stand in none"
    found = f"known of nobody in {n_rows} rows: {last_seen}"
    expected = f"somebody who died, or was seen alive after {cohort.survival_threshold_days} days"
    remedy = (
        "Complete survival_days and event_observed, or map their columns and words in cohort.columns and cohort.values."
    )
    return Problem(NOT_APPLICABLE, "the outcome", found, expected, remedy)


def unknown_survival(selected: pd.DataFrame, names: pd.Series, cohort: CohortParameters) -> Iterator[Problem]:
    """Every patient whose survival cannot be known from the table; an absent column is a problem of its own."""
    remedy = "Complete it, or set `on_invalid_patient: exclude` to leave such patients out."
    for column in UNDETERMINABLE:
        if set(cohort.sources(column)) & set(selected):
            lacking = column_cells(selected, column, cohort).isna()
            yield from (Problem(who, column, "missing", "a value", remedy) for who in names[lacking[lacking].index])
