"""How the problems of a clinical table name patients, columns and values, without ever showing a whole row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from gliocast.errors import Problem, listed, shown


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
    mark_in_use: bool = False

    @property
    def where(self) -> str:
        """The column by its canonical name and, where it differs, by the table's own."""
        return self.name if self.sources in ((), (self.name,)) else f"{self.name} (column {', '.join(self.sources)})"

    def problem(self, patients: Iterable[str], found: str, expected: str, remedy: str) -> Problem:
        """A problem that some patients share in this column."""
        return Problem(listed([*patients]), self.where, found, expected, remedy)

    def problem_of_each_value(self, wrong: pd.Series, expected: str, remedy: Callable[[str], str]) -> Iterator[Problem]:
        """One problem for every different cell among the `wrong` ones, naming the patients that have it."""
        for value, patients in self.patients[wrong].groupby(self.cells[wrong], sort=False):
            yield self.problem(patients, shown(value), expected, remedy(shown(value)))
