"""The clinical table as text: its separator, its rows, its cells. Nothing is interpreted here, nothing is dropped."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from gliocast.cohort.parameters import composed
from gliocast.errors import NOT_APPLICABLE, CohortError, Problem, is_date, listed, raise_if_any

SEPARATORS: dict[str, str] = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
BYTE_ORDER_MARK = "\ufeff"
SHOWN_COLUMNS = 30
EXCELS_FIRST_LINE = re.compile(r'"?sep=[^\r\n]?"?(?=[\r\n])', re.IGNORECASE)  # names the separator; no row
NUMBER = r"[+-]?\d+([.,]\d+)?"  # which, like a date, no column is called
NO_HEADER = Problem("row 1", "the header", "absent: the row holds values", "the columns' names", "Export the names.")
Rows = list[tuple[int, list[str]]]  # the number of a row in the file, and its cells
Problems = list[Problem]


def cells_of(clinical_table: str | pd.DataFrame, separator: str, decimal: str) -> pd.DataFrame:
    """Every cell of the clinical table as text without surrounding blanks.

    Args:
        clinical_table: the content of a CSV file, or a table that another kind of source has given.
        separator: between two cells of the file.
        decimal: the decimal mark to write the numbers of a given table with.

    Returns:
        One column of text a column of the table; the index holds the rows' numbers in the file, the header being 1.

    Raises:
        CohortError: empty, not a table, another separator, or rows of another length than the header.
    """
    cells, problems = legible_cells(clinical_table, separator, decimal)
    raise_if_any(problems, CohortError)
    return cells


def legible_cells(clinical_table: object, separator: str, decimal: str) -> tuple[pd.DataFrame, Problems]:
    """Like `cells_of`, of a table that need not be whole: the rows that can be read, and why others cannot.

    Of columns that share a name the first is given. Nothing is where the separator or the header is another, or where a
    site's own catalog entry gives no table.
    """
    if isinstance(clinical_table, str):
        return legible_cells_of_text(plain_text(clinical_table), separator)
    if not isinstance(clinical_table, pd.DataFrame):
        return pd.DataFrame(), [no_table(clinical_table)]
    if clinical_table.dropna(how="all").empty:
        return pd.DataFrame(), [table_problem("empty", "one row a patient")]
    if holds_values([str(name) for name in clinical_table.columns]):
        return pd.DataFrame(), [NO_HEADER]
    if len(clinical_table.columns) == 1:
        return pd.DataFrame(), [table_problem("one column", "one column a fact")]
    return cells_of_frame(clinical_table, decimal)


def legible_cells_of_text(text: str, separator: str) -> tuple[pd.DataFrame, Problems]:
    """The cells of the CSV file `text`; blank lines are no rows."""
    rows, problems = rows_of(text, separator)
    if not rows:
        return pd.DataFrame(), problems or [table_problem("empty", "a header and one row a patient")]
    (_, names), *body = rows
    header = named(names)
    if other_header := [*separator_problems(text, separator, header)]:
        return pd.DataFrame(), [*problems, *other_header]
    if not body and not problems:
        problems = [table_problem("a header without rows", "one row a patient")]
    as_long = [(number, cells) for number, cells in body if len(cells) == len(header)]
    index = pd.Index([number for number, _ in as_long], name="row", dtype=int)
    table = pd.DataFrame([cells for _, cells in as_long], index=index, columns=header, dtype="string")
    return with_distinct_names(table), [
        *problems,
        *header_problems(header),
        *length_problems(body, len(header), separator),
    ]


def plain_text(text: str) -> str:
    """The text without byte-order marks and what Excel writes above the header; accented letters as one character.

    Excel's line is left blank, so that rows keep their numbers.
    """
    below = text.lstrip(BYTE_ORDER_MARK)
    first = EXCELS_FIRST_LINE.match(below)
    return composed(below[first.end() :] if first else below)


def with_distinct_names(table: pd.DataFrame) -> pd.DataFrame:
    """The first of the columns that share a name."""
    return table.loc[:, ~table.columns.duplicated()]


def rows_of(text: str, separator: str) -> tuple[Rows, Problems]:
    """The rows of the CSV file that are not blank, cells stripped, each with its number in the file.

    Where the file stops being one, its rows up to there, and that problem.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows = []
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append((reader.line_num, stripped))
    except csv.Error as error:
        return rows, [unreadable_row(reader.line_num, error)]
    return rows, []


def unreadable_row(row: int, error: csv.Error) -> Problem:
    """The problem of a file that stops being a CSV file somewhere."""
    remedy = "Close every quotation mark, and double those inside a cell."
    return Problem(f"row {row}", "the file", f"no CSV ({error})", "cells, quoted where they hold a separator", remedy)


def cells_of_frame(table: pd.DataFrame, decimal: str) -> tuple[pd.DataFrame, Problems]:
    """The cells of a given table as the text that a CSV file would hold; blank rows are none."""
    named_by_text = table.set_axis([composed(str(name)).strip() for name in table.columns], axis="columns")
    distinct = with_distinct_names(named_by_text)
    texts = {name: [cell_text(cell, decimal) for cell in distinct[name]] for name in distinct.columns}
    cells = pd.DataFrame(texts, index=pd.RangeIndex(2, len(table) + 2, name="row"), dtype="string")
    return cells[(cells != "").any(axis="columns")], [*header_problems([*named_by_text.columns])]


def cell_text(cell: object, decimal: str) -> str:
    """One value as text: nothing for a missing one, 1 and 0 for true and false, whole numbers without decimals."""
    if pd.api.types.is_scalar(cell) and pd.isna(cell):  # type: ignore[call-overload]
        return ""
    if isinstance(cell, bool | np.bool_):
        return str(int(cell))
    if isinstance(cell, float):  # numpy's float64 is one
        return str(int(cell)) if cell.is_integer() else repr(float(cell)).replace(".", decimal)
    return composed(str(cell)).strip()


def separator_problems(text: str, configured: str, header: list[str]) -> Iterator[Problem]:
    """The problem of a first row that is no header, or that another separator cuts into more columns, or none into any.

    What is one column may be a patient's row, and is not shown.
    """
    first_line = next(line for line in text.splitlines() if line.strip())
    cut = {separator: cut_line(first_line, separator) for separator in SEPARATORS}
    likely = max(cut, key=lambda separator: len(cut[separator]))
    if holds_values(cut[likely]):
        yield NO_HEADER
    elif len(cut[likely]) > len(header):
        seen = ", ".join(name[:40] for name in cut[likely][:SHOWN_COLUMNS])
        yield Problem(
            NOT_APPLICABLE,
            "separator",
            f"{SEPARATORS[likely]} ({len(cut[likely])} columns: {seen})",
            f"{SEPARATORS.get(configured, repr(configured))}, as configured ({len(header)} column"
            f"{'s' if len(header) != 1 else ''})",
            f"Set `cohort.separator: {json.dumps(likely)}` in conf/local/parameters.yml.",
        )
    elif len(header) == 1:
        expected = f"{SEPARATORS.get(configured, repr(configured))}, as configured"
        remedy = "Set `cohort.separator` in conf/local/parameters.yml to what stands between two cells."
        yield Problem(NOT_APPLICABLE, "separator", "not found: the header is one column", expected, remedy)


def holds_values(names: list[str]) -> bool:
    """Whether what stands in the header's place is a patient's row, which is not to be shown."""
    return any(map(is_date, names)) or sum(bool(re.fullmatch(NUMBER, name)) for name in names) > 1


def cut_line(line: str, separator: str) -> list[str]:
    """The cells that a separator cuts a line into; quotation marks respected."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
    except csv.Error:
        return [line]


def named(header: list[str]) -> list[str]:
    """The header; a column without a name, as spreadsheets export it, is called by its place."""
    return [name or f"(column {place})" for place, name in enumerate(header, start=1)]


def header_problems(header: list[str]) -> Iterator[Problem]:
    """The problem of every column name that stands twice."""
    for name, count in Counter(header).items():
        if count > 1:
            yield Problem(NOT_APPLICABLE, f"column {name}", f"{count} columns", "one", "Rename or remove the others.")


def length_problems(body: Rows, expected: int, separator: str) -> Iterator[Problem]:
    """The problem of the rows that have more or fewer cells than the header, by their length."""
    rows_by_length: dict[int, list[str]] = defaultdict(list)
    for row, cells in body:
        rows_by_length[len(cells)].append(f"row {row}")
    remedy = "Quote cells that hold the separator; where decimals are written with it, export with another separator."
    for length in sorted(set(rows_by_length) - {expected}):
        found = f"{length} cells (separator: {SEPARATORS.get(separator, repr(separator))})"
        yield Problem(listed(rows_by_length[length]), "the row", found, f"{expected} cells, like the header", remedy)


def no_table(source: object) -> Problem:
    """The problem of a catalog entry that gives something else than a table, such as all sheets of a workbook."""
    expected, remedy = "one table", "Name the one sheet in `load_args: {sheet_name: …}` of conf/local/catalog.yml."
    found = f"{len(source)} tables" if isinstance(source, Mapping) else type(source).__name__
    return Problem(NOT_APPLICABLE, "catalog entry clinical_table", found, expected, remedy)


def table_problem(found: str, expected: str) -> Problem:
    """A problem of the clinical table as a whole."""
    return Problem(NOT_APPLICABLE, "the clinical table", found, expected, "Export the clinical table again.")
