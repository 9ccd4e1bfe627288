from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gliocast.cohort.text import cells_of
from gliocast.errors import CohortError


def cells(table: str | pd.DataFrame, separator: str = ",", decimal: str = ".") -> pd.DataFrame:
    return cells_of(table, separator, decimal)


def test_every_cell_stays_the_text_that_it_is():
    table = cells("id,age\n001, 65.50 \nP2,\n")
    assert table["id"].tolist() == ["001", "P2"]
    assert table["age"].tolist() == ["65.50", ""]


def test_rows_are_numbered_as_in_the_file_blank_lines_included():
    assert cells("id,age\nP1,1\n\nP2,2\n").index.tolist() == [2, 4]


def test_a_quoted_cell_may_hold_the_separator_and_a_line_break():
    table = cells('id,diagnosis\nP1,"Glioblastoma, IDH-wildtype"\nP2,"two\nlines"\n')
    assert table["diagnosis"].tolist() == ["Glioblastoma, IDH-wildtype", "two\nlines"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_each_separator_is_read_as_configured(separator):
    assert cells(f"id{separator}age\nP1{separator}2\n", separator).columns.tolist() == ["id", "age"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_are_read(line_end):
    assert cells(f"id,age{line_end}P1,2{line_end}").shape == (1, 2)


def test_a_byte_order_mark_is_not_part_of_the_first_name():
    assert cells("\ufeffid,age\nP1,2\n").columns[0] == "id"


def test_a_column_without_a_name_is_called_by_its_place():
    assert cells(",id\n0,P1\n").columns.tolist() == ["(column 1)", "id"]


def test_a_given_table_becomes_the_text_that_its_file_would_hold():
    table = pd.DataFrame(
        {
            "id": ["P1", "P2"],
            "age": [65.5, np.nan],
            "days": [331.0, 332.0],
            "died": [True, False],
            "when": [pd.Timestamp("2020-01-02"), pd.NaT],
        }
    )
    read = cells(table, decimal=",")
    assert read.loc[2].tolist() == ["P1", "65,5", "331", "1", "2020-01-02 00:00:00"]
    assert read.loc[3].tolist() == ["P2", "", "332", "0", ""]


def test_blanks_around_the_names_of_a_sheet_and_its_blank_rows_are_not_part_of_it():
    read = cells(pd.DataFrame({" id ": ["P1", None, "P2"], "age\u00a0": [65, None, 66]}))
    assert read.to_dict() == {"id": {2: "P1", 4: "P2"}, "age": {2: "65", 4: "66"}}


def test_a_cell_of_a_given_table_may_hold_several_values():
    assert cells(pd.DataFrame({"id": ["P1"], "embedding": [[1, 2]]})).loc[2].tolist() == ["P1", "[1, 2]"]


def test_rows_of_another_length_are_told_together():
    with pytest.raises(CohortError, match="row 2, row 4: the row: 3 cells") as error:
        cells("id,age\nP1,67,5\nP2,1\nP3,1,2\n")
    assert len(error.value.problems) == 1


def test_a_column_that_stands_twice_is_told():
    with pytest.raises(CohortError, match="column age: 2 columns"):
        cells("id,age,age\nP1,1,2\n")


def test_a_quotation_mark_that_is_never_closed_is_told_by_its_row():
    with pytest.raises(CohortError, match="row 3: the file: no CSV"):
        cells('id,age\nP1,1\nP2,"1\n')


def test_a_separator_inside_a_quoted_name_is_no_sign_of_another_separator():
    assert cells('"a;b;c;d",id\n1,P1\n').columns.tolist() == ["a;b;c;d", "id"]


@pytest.mark.parametrize("table", [pd.DataFrame(), pd.DataFrame({"id": []}), pd.DataFrame({"id": [None]})])
def test_an_empty_given_table_is_told(table):
    with pytest.raises(CohortError, match="empty"):
        cells(table)
