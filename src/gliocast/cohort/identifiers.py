"""Patients' identifiers: read as text, normalised once, and one row a patient."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import pandas as pd

from gliocast.cohort.parameters import IdentifierRule
from gliocast.errors import NOT_APPLICABLE, Problem, listed
from gliocast.types import can_be_shown, spelling_free

WHOLE_NUMBER_OF_A_SPREADSHEET = r"^(\d+)\.0$"


def identifiers(cells: pd.Series, rule: IdentifierRule) -> pd.Series:
    """The identifier in each cell, NA where there is none.

    Blanks around it and a spreadsheet's `.0` are not part of it; zeros at its beginning are (`001` stays `001`).
    """
    pattern = re.compile(rule.pattern)
    written = cells.str.strip().str.replace(WHOLE_NUMBER_OF_A_SPREADSHEET, r"\1", regex=True)
    return written.map(lambda cell: identifier(cell, pattern, rule.digits), na_action="ignore").astype("string")


def identifier(cell: str, pattern: re.Pattern[str], digits: int) -> str | None:
    """What the pattern finds in a cell, its last number padded to `digits`."""
    match = pattern.match(cell)
    if match is None:
        return None
    found = match.group(1) if pattern.groups else match.group()
    return padded(found or "", digits)


def padded(patient: str, digits: int) -> str:
    """The identifier with zeros before the number at its end, up to `digits`."""
    return re.sub(r"\d+$", lambda number: number.group().zfill(digits), patient)


def identifier_problems(patient_id: pd.Series, source: str, rule: IdentifierRule) -> Iterator[Problem]:
    """Every row without an identifier, or with one that could not name a file; told by its row, not by its content."""
    absent = patient_id[patient_id.isna()]
    if len(absent):
        found, expected, remedy = "missing", "an identifier", "Give each patient an identifier."
        if rule.pattern != ".*":
            found, expected = "missing, or of another form", f"an identifier like {rule.pattern}"
            remedy = "Give each patient an identifier, or correct `cohort.identifier.pattern`."
        yield Problem(listed(rows(absent)), source, found, expected, remedy)
    unsafe = patient_id[patient_id.notna() & ~safe_to_show(patient_id)]
    if len(unsafe):
        expected = "1 to 64 letters, digits, - and _"
        remedy = "Use pseudonyms without blanks, or set `cohort.identifier.pattern`."
        yield Problem(listed(rows(unsafe)), source, "an identifier with other characters", expected, remedy)


def safe_to_show(patient_id: pd.Series) -> pd.Series:
    """Where there is an identifier that can be shown."""
    return patient_id.map(can_be_shown).astype(bool)


def lost_zeros(patients: Collection[str], strangers: Collection[str], where: str) -> list[Problem]:
    """The one problem of a table whose identifiers have lost the zeros that they begin with.

    Args:
        patients: of the clinical table.
        strangers: who stands elsewhere, and in the clinical table under no such identifier.
        where: elsewhere.
    """
    for digits in sorted({len(number.group()) for number in map(re.compile(r"\d+$").search, strangers) if number}):
        short = [patient for patient in patients if padded(patient, digits) != patient]
        if 2 * sum(padded(patient, digits) in strangers for patient in short) > len(short):
            found, expected = f"{len(short)} identifiers without zeros", f"numbers of {digits} digits, as in {where}"
            remedy = f"Set `cohort.identifier.digits: {digits}` in conf/local/parameters.yml."
            return [Problem(NOT_APPLICABLE, "patient_id", found, expected, remedy)]
    return []


def rows(column: pd.Series) -> list[str]:
    """The rows of a column by their numbers in the file."""
    return [f"row {row}" for row in column.index]


def duplicate_problems(patient_id: pd.Series, cells: pd.DataFrame, source: str) -> Iterator[Problem]:
    """Every patient with several rows: which rows, and in which columns they differ.

    Two spellings of one identifier, such as `p7` and `P007`, are one patient.
    """
    key = patient_id.map(spelling_free, na_action="ignore")
    repeated = key[key.notna() & key.duplicated(keep=False)]
    for _, group in repeated.groupby(repeated, sort=False):
        spellings = patient_id[group.index]
        yield duplicate(spellings, differing(cells.loc[group.index].drop(columns=source, errors="ignore")))


def scan_problems(patient_id: pd.Series, source: str, rule: IdentifierRule) -> Iterator[Problem]:
    """Every patient with rows that differ only in the mark of a scan (`_FU003d`, `_11`, `_post`).

    Counted as two patients they would be described twice, and one could be trained on while the other is tested.
    """
    if rule.scan_mark is None:
        return
    mark = re.compile(rule.scan_mark)  # by `re`, which has accepted it; pandas' own engine differs
    scans = patient_id[safe_to_show(patient_id)].drop_duplicates()
    for name, group in scans.groupby(scans.map(lambda scan: mark.sub("", scan))):
        if len(group) > 1:
            found = f"{len(group)} scans of {name}"
            remedy = "Keep the baseline scan (cohort.keep), or correct cohort.identifier.scan_mark."
            yield Problem(listed(sorted(group)), source, found, "one scan a patient", remedy)


def differing(cells: pd.DataFrame) -> list[str]:
    """The columns in which the rows are not all the same."""
    return [str(column) for column in cells if len(cells[column].drop_duplicates()) > 1]


def duplicate(spellings: pd.Series, columns: list[str]) -> Problem:
    """The problem of one patient with several rows; told by a row where the identifier may be a name."""
    safe = spellings[safe_to_show(spellings)]
    patient = min(safe) if len(safe) else rows(spellings)[0]
    where = ", ".join(str(row) for row in spellings.index)
    found = f"{len(spellings)} rows ({where}){several_spellings(spellings)}, " + (
        f"differing in {', '.join(columns)}" if columns else "identical"
    )
    remedy = "Keep the baseline row, or say by `cohort.keep` which rows belong to the study."
    return Problem(patient, "patient_id", found, "one row a patient", remedy if columns else "Remove the others.")


def several_spellings(spellings: pd.Series) -> str:
    """How one patient's identifier is written, where it is written in several ways."""
    if len(set(spellings)) == 1:
        return ""
    if not safe_to_show(spellings).all():
        return ", written differently"
    return f", written {' and '.join(sorted(set(spellings)))}"
