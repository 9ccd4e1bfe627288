"""Every cell as the value that it stands for, or as a problem: nothing is guessed, nothing becomes missing silently."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
import pandas as pd

from gliocast.cohort.columns import plain
from gliocast.cohort.parameters import VOCABULARIES, CohortParameters, Range
from gliocast.errors import NO_DATE, Problem, holds_date, listed, problems_of_cells, shown

THOUSANDS = r"\d{1,3}([.,]\d{3})+"
KARNOFSKY_TO_WHO = {100: 0, 90: 1, 80: 1, 70: 2, 60: 2, 50: 3, 40: 3, 30: 4, 20: 4, 10: 4, 0: 5}  # Oken et al. 1982
UNITS = {"age_years": ", in years", "survival_days": ", in days", "central_slice_mm": ", in mm"}
KARNOFSKY_ADVICE = (
    "Where it is Karnofsky's status, name the column in `cohort.columns.karnofsky`, and set "
    "`cohort.columns.who_status: null`: WHO's is derived."
)
Typed = tuple[pd.Series, list[Problem]]


@dataclass(frozen=True)
class Column:
    """A canonical column as text.

    Attributes:
        name: the canonical name.
        sources: the table's own names of it.
        cells: one text a row, missing as NA.
        patients: who each row is, for messages: the identifier, or the row where that cannot be shown.
        mark_in_use: some number of the table is written with the configured decimal mark.
    """

    name: str
    sources: tuple[str, ...]
    cells: pd.Series
    patients: pd.Series
    mark_in_use: bool

    @property
    def where(self) -> str:
        """The column by its canonical name and, where it differs, by the table's own."""
        return self.name if self.sources in ((), (self.name,)) else f"{self.name} (column {', '.join(self.sources)})"

    def problem_of_each_value(self, wrong: pd.Series, expected: str, remedy: Callable[[str], str]) -> Iterator[Problem]:
        """One problem for every different cell among the `wrong` ones, naming the patients that have it.

        A date, which may be of birth or death, is not repeated in a message; nor is what may be a name.
        """
        faults = (
            ("a date", expected, NO_DATE) if holds_date(cell) else (shown(cell), expected, remedy(shown(cell)))
            for cell in self.cells[wrong]
        )
        right = f"`cohort.columns.{self.name}` names the right column{UNITS.get(self.name, '')}"
        advice = f"Look whether {right}. If so: {remedy('…')}"
        n_filled = self.patients[self.cells.dropna().index].nunique()
        return problems_of_cells(self.where, self.patients[wrong], faults, n_filled, lambda _: advice)


def text(column: Column, cohort: CohortParameters) -> Typed:
    """Free text."""
    return column.cells, []


def number(column: Column, cohort: CohortParameters) -> Typed:
    """Decimal numbers within their range, as float."""
    legible = column.cells.str.fullmatch(number_pattern(cohort.decimal)).fillna(False).astype(bool)
    values = pd.to_numeric(column.cells.where(legible).str.replace(cohort.decimal, ".", regex=False))
    values = values.astype("float64")
    limits = cohort.ranges[column.name]
    outside = values.notna() & ~values.between(limits.min, limits.max)
    problems = [*illegible_problems(column, ~legible & column.cells.notna(), cohort.decimal)]
    return values, [*problems, *range_problems(column, outside, limits)]


def whole_number(column: Column, cohort: CohortParameters) -> Typed:
    """Whole numbers within their range, as Int64."""
    values, problems = number(column, cohort)
    broken = values.notna() & (values != np.floor(values))
    problems += column.problem_of_each_value(broken, "a whole number", lambda _: "Correct it.")
    return values.mask(broken | ~np.isfinite(values)).astype("Int64"), problems


def karnofsky(column: Column, cohort: CohortParameters) -> Typed:
    """Karnofsky status: 0, 10, … 100."""
    values, problems = whole_number(column, cohort)
    between = values.notna() & values.between(0, 100) & ~values.isin([*KARNOFSKY_TO_WHO])
    problems += column.problem_of_each_value(between.astype(bool), "0, 10, … 100", lambda _: "Round it to a step.")
    return values, problems


def vocabulary(column: Column, cohort: CohortParameters) -> Typed:
    """One of the canonical words; any other is a problem, never a category of its own."""
    allowed = VOCABULARIES[column.name]
    wrong = column.cells.notna() & ~column.cells.isin(allowed)
    expected = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
    problems = [*column.problem_of_each_value(wrong, expected, mapping_remedy(column.name, allowed))]
    return column.cells.mask(wrong), problems


def who_status(column: Column, cohort: CohortParameters) -> Typed:
    """WHO performance status 0 to 5, as Int64."""
    values, problems = vocabulary(without_decimals(column), cohort)
    return pd.to_numeric(values).astype("Int64"), problems


def event(column: Column, cohort: CohortParameters) -> Typed:
    """Whether the patient died (1) or was last seen alive (0), as boolean."""
    values, problems = vocabulary(without_decimals(column), cohort)
    return values.map({"1": True, "0": False}).astype("boolean"), problems


TYPES: dict[str, Callable[[Column, CohortParameters], Typed]] = {
    "age_years": number,
    "sex": vocabulary,
    "who_status": who_status,
    "surgery": vocabulary,
    "survival_days": whole_number,
    "event_observed": event,
    "centre": text,
    "scanner_field_t": number,
    "idh": text,
    "mgmt": text,
    "karnofsky": karnofsky,
    "central_slice_mm": number,
}


def number_pattern(decimal: str) -> str:
    """A decimal number written with the given mark."""
    mark = re.escape(decimal)
    return rf"[+-]?([0-9]+({mark}[0-9]*)?|{mark}[0-9]+)([eE][+-]?[0-9]{{1,3}})?"


def mark_in_use(columns: Iterable[pd.Series], decimal: str) -> bool:
    """Whether any cell has decimals after this mark; in `1.200` it may stand between thousands."""
    mark = re.escape(decimal)
    pattern = rf"(?!\d{{1,3}}({mark}\d{{3}})+$)[+-]?\d+{mark}\d+"
    return any(bool(cells.str.fullmatch(pattern).fillna(False).any()) for cells in columns)


def without_decimals(column: Column) -> Column:
    """The column with `1.0`, as spreadsheets write it, as `1`."""
    cells = column.cells.str.replace(r"^(\d+)[.,]0+$", r"\1", regex=True)
    return replace(column, cells=cells)


def illegible_problems(column: Column, wrong: pd.Series, decimal: str) -> Iterator[Problem]:
    """Cells that are no number: written with the other decimal mark, a date, or anything else."""
    other = "," if decimal == "." else "."
    with_other_mark = wrong & column.cells.str.fullmatch(number_pattern(other)).fillna(False).astype(bool)
    if with_other_mark.any():
        found = str(column.cells[with_other_mark].iloc[0])
        setting = f'`cohort.decimal: "{other}"`'
        thousands = column.cells[with_other_mark].str.fullmatch(THOUSANDS).all()
        remedy = f"Set {setting} in conf/local/parameters.yml."
        if column.mark_in_use:  # the other mark would break what can be read now
            remedy = f'Other numbers have "{decimal}": write these with it too, and no mark between thousands'
            remedy += "." if thousands else f'; or all with "{other}", and set {setting}.'
        elif thousands:
            remedy = f"Write thousands without a mark. Where it is the decimal mark: {remedy}"
        who = listed([*column.patients[with_other_mark]])
        yield Problem(who, column.where, found, f'decimal mark "{decimal}"', remedy)
    others = wrong & ~with_other_mark
    yield from column.problem_of_each_value(others, "a number", lambda _: "Correct it, or leave the cell empty.")


def range_problems(column: Column, outside: pd.Series, limits: Range) -> Iterator[Problem]:
    """Numbers that no patient can have."""
    expected = f"{limits.min:g} to {limits.max:g}"
    remedy = f"Correct it; where it is right, widen `cohort.ranges.{column.name}`."
    yield from column.problem_of_each_value(outside, expected, lambda _: remedy)


def mapping_remedy(name: str, allowed: tuple[str, ...]) -> Callable[[str], str]:
    """How to map a site's own word to ours."""

    def remedy(value: str) -> str:
        if name == "who_status" and value in map(str, KARNOFSKY_TO_WHO):
            return KARNOFSKY_ADVICE
        near = [] if value.strip("+-").isdigit() else get_close_matches(plain(value), allowed, n=1, cutoff=0.7)
        return f'Map it in conf/local/parameters.yml: cohort.values.{name}: {{"{value}": {near[0] if near else "…"}}}'

    return remedy
