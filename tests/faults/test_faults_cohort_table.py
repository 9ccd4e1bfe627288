"""Faults of the clinical table: each is an error that names who, where, found, expected and what to do."""

from __future__ import annotations

import pandas as pd
import pytest
from kedro.io import DatasetError
from pydantic import ValidationError

from gliocast.cohort.check import check_table
from gliocast.cohort.flow import warnings
from gliocast.cohort.notes import ALL_SHORT
from gliocast.cohort.parameters import CohortParameters
from gliocast.cohort.table import read_cohort
from gliocast.cohort.text import legible_cells
from gliocast.datasets.clinical_table import ClinicalTableDataset
from gliocast.errors import CohortError, Problem
from shipped import section

HEADER = "patient_id,age_years,sex,who_status,surgery,survival_days,event_observed"
SOUND = "P1,65,M,1,biopsy,331,1"


@pytest.fixture(scope="module")
def parameters():
    """The shipped section `cohort`, with single entries changed."""
    shipped = section("cohort", "preprocessing")
    return lambda **changes: CohortParameters(**shipped | changes)


def table(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, SOUND, *rows]) + "\n"


def problems(text, parameters, policy="exclude") -> list[Problem]:
    with pytest.raises(CohortError) as error:
        read_cohort(text, parameters, policy)
    return list(error.value.problems)


def the_problem(text, parameters, policy="exclude") -> Problem:
    (found,) = problems(text, parameters, policy)
    return found


# 1 wrong separator


def test_another_separator_is_told_with_the_columns_it_would_give(parameters):
    found = the_problem("patient_id;age_years;sex\nP1;65,5;M\n", parameters())
    assert found.where == "separator"
    assert found.found == "semicolon (3 columns: patient_id, age_years, sex)"
    assert found.expected == "comma, as configured (1 column)"
    assert 'cohort.separator: ";"' in found.remedy


def test_digits_after_a_decimal_comma_never_become_a_column(parameters):
    text = table().replace(",", ";").replace("65", "65,5")
    assert the_problem(text, parameters()).where == "separator"
    assert read_cohort(text, parameters(separator=";", decimal=","), "exclude")[0]["age_years"].tolist() == [65.5]


def test_a_tab_is_shown_so_that_it_can_be_typed(parameters):
    assert r'cohort.separator: "\t"' in the_problem(table().replace(",", "\t"), parameters()).remedy


# 2 decimal comma


def test_a_decimal_comma_is_told_once_with_column_and_patients(parameters):
    found = the_problem(table('P2,"67,5",F,1,biopsy,331,1', 'P3,"68,5",F,1,biopsy,331,1'), parameters())
    assert (found.patient, found.where, found.found) == ("P2, P3", "age_years", "67,5")
    assert 'cohort.decimal: ","' in found.remedy


def test_a_decimal_comma_beside_decimal_points_is_told_with_both_ways_to_mend_it(parameters):
    found = the_problem(table('P2,"67,5",F,1,biopsy,331,1', "P3,68.5,F,1,biopsy,331,1"), parameters())
    assert (found.patient, found.where, found.found) == ("P2", "age_years", "67,5")
    assert "write these with it too" in found.remedy and 'set `cohort.decimal: ","`' in found.remedy


def test_a_decimal_point_is_told_where_a_comma_is_configured(parameters):
    found = the_problem(table("P2,67.5,F,1,biopsy,331,1").replace(",", ";"), parameters(separator=";", decimal=","))
    assert 'cohort.decimal: "."' in found.remedy


def test_a_mark_between_thousands_is_not_taken_for_the_tables_decimal_mark(parameters):
    text = table('P2,"49,9",M,1,biopsy,1.200,1').replace(",", ";").replace('"49;9"', "49,9")
    found = the_problem(text, parameters(separator=";", decimal=","))
    assert (found.patient, found.found, found.expected) == ("P2", "1.200", 'decimal mark ","')
    assert "cohort.decimal" not in found.remedy and "thousands" in found.remedy
    with_the_shipped_mark = problems(text, parameters(separator=";"))
    assert any('cohort.decimal: ","' in problem.remedy for problem in with_the_shipped_mark)


def test_thousands_are_not_told_to_be_decimals_where_nothing_else_has_the_mark(parameters):
    found = the_problem(table('P2,67,F,1,biopsy,"1,200",1'), parameters())
    assert (found.patient, found.where, found.found) == ("P2", "survival_days", "1,200")
    assert found.remedy.startswith("Write thousands without a mark.")


# 3 identifiers


def test_zeros_blanks_and_a_spreadsheets_decimals_around_identifiers(parameters):
    cohort, *_ = read_cohort(table("001,65,M,1,biopsy,331,1", " 7.0 ,65,M,1,biopsy,331,1"), parameters(), "exclude")
    assert cohort["patient_id"].tolist() == ["001", "7", "P1"]


@pytest.mark.parametrize(("one", "other"), [("001", "1"), ("p7", "P007"), ("7.0", "7"), ("ab-01", "AB-1")])
def test_two_spellings_of_one_identifier_collide(parameters, one, other):
    found = the_problem(table(f"{one},65,M,1,biopsy,331,1", f"{other},70,M,1,biopsy,331,1"), parameters())
    assert found.found.startswith("2 rows (3, 4)")
    assert "differing in age_years" in found.found


@pytest.mark.parametrize(
    "scans", [("001", "001_FU003d"), ("UPENN-GBM-00001_11", "UPENN-GBM-00001_21"), ("B", "B_post")]
)
def test_two_scans_of_one_patient_are_one_patient_with_two_rows_also_where_no_image_is_read(parameters, scans):
    found = the_problem(table(*(f"{scan},65,M,1,biopsy,331,1" for scan in scans)), parameters())
    assert (found.patient, found.where, found.expected) == (", ".join(scans), "patient_id", "one scan a patient")
    no_mark = {"pattern": ".*", "digits": 0, "scan_mark": None}
    both = table(*(f"{scan},6{number},M,1,biopsy,331,1" for number, scan in enumerate(scans)))
    assert len(read_cohort(both, parameters(identifier=no_mark), "exclude")[0]) == 3


def test_numbered_patients_of_one_site_are_not_scans_of_one_patient(parameters):
    names = ("GBM_01", "GBM_02", "TCGA-02-0001", "TCGA-02-0003", "P002", "P003", "UCSF-PDGM-429", "UPENN-GBM-00001_11")
    assert len(read_cohort(table(*(f"{name},65,M,1,biopsy,331,1" for name in names)), parameters(), "exclude")[0]) == 9


def test_different_identifiers_do_not_collide(parameters):
    rows = ("10,65,M,1,biopsy,331,1", "1,65,F,1,biopsy,331,1", "P10,65,M,2,biopsy,331,1", "P01-1,65,M,3,biopsy,331,1")
    assert len(read_cohort(table(*rows), parameters(), "exclude")[0]) == 5


@pytest.mark.parametrize("name", ["DOE^JOHN", "J Doe", "../etc", "a" * 65, "é"])
def test_an_identifier_that_could_name_no_file_is_told_by_its_row_and_not_shown(parameters, name):
    found = the_problem(table(f"{name},65,M,1,biopsy,331,1"), parameters())
    assert found.patient == "row 3"
    assert name not in str(found)


def test_a_row_without_identifier_is_told(parameters):
    found = the_problem(table(",65,M,1,biopsy,331,1"), parameters())
    assert (found.patient, found.where, found.found) == ("row 3", "patient_id", "missing")


# 4 encoding, empty


def test_a_file_in_another_encoding_is_told_with_the_encoding(tmp_path):
    path = tmp_path / "clinical.csv"
    path.write_bytes(table("P2,65,M,1,Exérèse,331,1").encode("latin-1"))
    with pytest.raises(DatasetError, match="not utf-8") as error:  # Kedro wraps, the command line unwraps
        ClinicalTableDataset(str(path)).load()
    assert isinstance(error.value.__cause__, CohortError)
    assert "encoding" in error.value.__cause__.problems[0].remedy


@pytest.mark.parametrize(
    ("written", "read_as"), [("utf-16-le", "utf-8"), ("utf-16-be", "utf-8"), ("utf-16-le", "cp1252")]
)
def test_utf_16_without_a_mark_is_told_by_its_zero_bytes_and_not_by_the_rows_it_would_give(tmp_path, written, read_as):
    path = tmp_path / "clinical.csv"
    path.write_bytes(table().encode(written))
    with pytest.raises(DatasetError, match="zero bytes") as error:
        ClinicalTableDataset(str(path), encoding=read_as).load()
    assert "utf-16-le" in error.value.__cause__.problems[0].remedy
    assert ClinicalTableDataset(str(path), encoding=written).load() == table()


def test_byte_order_marks_that_programs_have_put_before_each_other_are_no_part_of_the_header(parameters):
    assert len(read_cohort("\ufeff" * 3 + table(), parameters(), "exclude")[0]) == 1


def test_all_sheets_of_a_workbook_are_no_clinical_table():
    _, (found,) = legible_cells({"2024": pd.DataFrame(), "2025": pd.DataFrame()}, ",", ".")
    assert (found.found, found.expected) == ("2 tables", "one table")
    assert "sheet_name" in found.remedy


def test_a_configured_encoding_and_a_byte_order_mark_are_read(tmp_path, parameters):
    path = tmp_path / "clinical.csv"
    path.write_bytes(table("P2,65,M,1,Exérèse,331,1").encode("latin-1"))
    mapped = parameters(values={"surgery": {"Exérèse": "complete"}})
    text = ClinicalTableDataset(str(path), encoding="latin-1").load()
    assert read_cohort(text, mapped, "exclude")[0]["surgery"].tolist() == ["biopsy", "complete"]
    path.write_bytes(b"\xef\xbb\xbf" + table().encode())
    assert len(read_cohort(ClinicalTableDataset(str(path)).load(), parameters(), "exclude")[0]) == 1


@pytest.mark.parametrize(
    ("written", "configured", "named"),
    [("utf-16", "utf-8", "utf-16"), ("utf-16", "latin-1", "utf-16"), ("utf-8-sig", "cp1252", "utf-8")],
)
def test_a_file_that_says_its_encoding_itself_is_told_with_it(tmp_path, parameters, written, configured, named):
    path = tmp_path / "clinical.csv"
    path.write_bytes(table().encode(written))
    with pytest.raises(DatasetError) as error:
        ClinicalTableDataset(str(path), encoding=configured).load()
    assert f"`encoding: {named}`" in error.value.__cause__.problems[0].remedy
    text = ClinicalTableDataset(str(path), encoding=named).load()
    assert len(read_cohort(text, parameters(), "exclude")[0]) == 1


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", " \n"])
def test_an_empty_file_is_told(parameters, text):
    assert the_problem(text, parameters()).found == "empty"


def test_a_header_without_rows_is_told(parameters):
    assert the_problem(HEADER + "\n", parameters()).found == "a header without rows"


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_file_without_a_header_is_told_without_showing_its_first_patient(parameters, separator):
    text = "P77,65.5,M,1,biopsy,331,1\nP78,66,M,1,biopsy,400,1\n".replace(",", separator)
    found = the_problem(text, parameters())
    assert found.where == "the header"
    assert "P77" not in str(found)


def test_a_sheet_without_a_header_is_told_without_showing_its_first_patient(parameters):
    first = ["ZZCANARY", "P1", pd.Timestamp(1931, 12, 24), "M", 1, "biopsy"]
    found = the_problem(pd.DataFrame([first], columns=first), parameters())
    assert (found.patient, found.found) == ("row 1", "absent: the row holds values")
    assert "ZZCANARY" not in str(found)


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
def test_the_separator_that_excel_writes_above_the_header_is_no_header(parameters, line):
    text = f"\ufeff{line}\r\n" + table("P2,675,M,1,biopsy,331,1").replace(",", ";").replace("\n", "\r\n")
    assert the_problem(text, parameters(separator=";")).where == "age_years"
    twice = text.replace("675", "67") + "P2;67;M;1;biopsy;331;1\r\n"
    assert the_problem(twice, parameters(separator=";")).found == "2 rows (4, 5), identical"


def test_an_accent_may_be_a_character_of_its_own(parameters):
    apart, together = "a\u0302ge, ope\u0301re\u0301", "\u00e2ge, op\u00e9r\u00e9"
    for written, configured in ((apart, together), (together, apart)):
        age, word = written.split(", ")
        mapped_age, mapped_word = configured.split(", ")
        mapped = parameters(
            columns=parameters().columns | {"age_years": mapped_age}, values={"surgery": {mapped_word: "complete"}}
        )
        text = table(f"P2,65,M,1,{word},331,1", header=HEADER.replace("age_years", age))
        cohort, *_ = read_cohort(text, mapped, "exclude")
        assert (cohort["age_years"].tolist(), cohort["surgery"][1]) == ([65, 65], "complete")


def test_one_date_in_the_first_row_tells_that_it_is_a_patients(parameters):
    found = the_problem("Doe;Jane;12.03.1950;F;biopsy;alive\nRoe;Ann;1.4.1950;F;biopsy;alive\n", parameters())
    assert found.where == "the header"
    assert "Doe" not in str(found) and "1950" not in str(found)


@pytest.mark.parametrize("born", ["24 Dec 1950", "24.Dez.1950", "19501224"])
def test_a_date_with_a_months_name_or_digits_alone_tells_that_the_first_row_is_a_patients(parameters, born):
    found = the_problem(f"Doe,Jane,{born},F,biopsy,alive\nRoe,Ann,{born},F,biopsy,alive\n", parameters())
    assert (found.where, found.patient) == ("the header", "row 1")


@pytest.mark.parametrize("separator", "^ :~")
def test_one_column_is_no_table_and_its_name_which_may_be_a_patients_row_is_not_shown(parameters, separator):
    text = "Doe;64;F;biopsy;331\nRoe;65;F;biopsy;331\n".replace(";", separator)
    found = the_problem(text, parameters())
    assert (found.where, found.found) == ("separator", "not found: the header is one column")
    sheet = pd.DataFrame({"Doe;64;F;biopsy;331": ["Roe;65;F;biopsy;331"]})
    assert (the_problem(sheet, parameters()).found, "Doe" in str(found)) == ("one column", False)


def test_identifiers_that_the_pattern_does_not_find_are_not_told_to_be_missing_alone(parameters):
    rule = parameters().identifier.model_copy(update={"pattern": r"PAT-(\d+)"})
    found = the_problem(table(), parameters(identifier=rule))
    assert (found.patient, found.found) == ("row 2", "missing, or of another form")
    assert "`cohort.identifier.pattern`" in found.remedy


# 5 missing, extra, renamed columns


def test_a_renamed_column_is_told_with_its_closest_match(parameters):
    found = the_problem(table(header=HEADER.replace("survival_days", "survival_day")), parameters())
    assert found.where == "column survival_days"
    assert (found.found, found.expected) == ("absent; the table has survival_day", "a column of that name")
    assert "`cohort.columns.survival_days: survival_day`" in found.remedy


def test_french_headers_are_told_with_what_they_may_mean(parameters):
    french = "Identifiant,Âge,Sexe,Statut OMS,Chirurgie,Survie (jours),Décès"
    told = {found.where: (found.found, found.expected) for found in problems(table(header=french), parameters())}
    event = told.pop("column Décès")
    assert event[1] == "event_observed"
    meant = {"patient_id": "Identifiant", "age_years": "Âge", "sex": "Sexe", "who_status": "Statut OMS"}
    meant |= {"surgery": "Chirurgie", "survival_days": "Survie (jours)"}
    assert told == {
        f"column {column}": (f"absent; the table has {own}", "a column of that name") for column, own in meant.items()
    }


def test_an_absent_column_without_a_match_is_told_with_the_tables_columns(parameters):
    found = the_problem(table(header=HEADER.replace("surgery", "zzz")), parameters())
    assert found.found.startswith("absent; the table has patient_id, age_years, sex, who_status, zzz")
    assert "null" in found.remedy


@pytest.mark.parametrize("column", HEADER.split(",")[:-1])
def test_null_is_advised_for_an_absent_column_only_where_it_is_accepted(parameters, column):
    advised = "null" in the_problem(table(header=HEADER.replace(column, "zzz")), parameters()).remedy
    try:
        parameters(columns=parameters().columns | {column: None})
    except ValidationError:
        assert not advised
    else:
        assert advised


def test_an_absent_column_is_never_told_to_be_one_that_is_read_already(parameters):
    found = the_problem(table(header=HEADER.replace("survival_days", "zzz")), parameters())
    assert "surgery" not in found.remedy  # which "survie" is nearly


def test_extra_columns_are_no_fault(parameters):
    cohort, *_ = read_cohort(f"{HEADER},remarks\n{SOUND},x\n", parameters(), "exclude")
    assert len(cohort) == 1


def test_a_column_that_a_site_has_named_must_be_there_even_if_it_is_optional(parameters):
    columns = parameters().columns | {"event_observed": "Deceased"}
    assert the_problem(table(), parameters(columns=columns)).where == "column Deceased"


def test_a_nearly_right_name_of_the_event_does_not_turn_everyone_dead(parameters):
    found = the_problem(table(header=HEADER.replace("event_observed", "Event-observd")), parameters())
    assert "cohort.columns.event_observed: Event-observd" in found.remedy


NAMES_OF_WHO_DIED = [
    *("deces", "Décès (0/1)", "dead", "vital_status", "Statut vital", "Survival_Status", "1-dead 0-alive"),
    *("Status", "OS status", "event_OS", "Status at last follow-up", "censoring", "os_censored", "mort", "gestorben"),
]


@pytest.mark.parametrize("name", NAMES_OF_WHO_DIED)
def test_a_column_that_tells_who_died_does_not_turn_everyone_dead(parameters, name):
    living = table(header=HEADER.replace("event_observed", name)).replace("331,1", "331,0")
    found = the_problem(living, parameters())
    assert (found.where, found.found, found.expected) == (f"column {name}", "ignored", "event_observed")
    assert f"cohort.columns.event_observed: {name}" in found.remedy and "null where all patients died" in found.remedy
    all_died = parameters(columns=parameters().columns | {"event_observed": None})
    assert read_cohort(living, all_died, "exclude")[0]["event_observed"].tolist() == [True]


@pytest.mark.parametrize("name", ["alive", "Vivant (0/1)", "censored"])
def test_a_column_of_the_living_does_not_turn_them_dead(parameters, name):
    living = table(header=HEADER.replace("event_observed", name)).replace("331,1", "400,1")
    columns = parameters().columns | {"event_observed": name}
    found = the_problem(living, parameters(columns=columns))
    assert (found.where, found.found) == ("cohort.columns.event_observed", name)
    said = parameters(columns=columns, values={"event_observed": {"1": "0", "0": "1"}})
    assert read_cohort(living, said, "exclude")[0]["event_observed"].tolist() == [False]


def test_a_column_that_names_the_dead_and_the_living_has_one_for_the_dead(parameters):
    columns = parameters().columns | {"event_observed": "1-dead 0-alive"}
    text = table(header=HEADER.replace("event_observed", "1-dead 0-alive"))
    assert read_cohort(text, parameters(columns=columns), "exclude")[0]["event_observed"].tolist() == [True]


NAMES_OF_SOMETHING_ELSE = [
    *("cause_of_death", "date_deces", "days_to_death", "adverse_event", "heading"),
    *("IDH status", "TERT_status", "last_contact", "time to censoring"),
]


@pytest.mark.parametrize("name", NAMES_OF_SOMETHING_ELSE)
def test_a_column_of_something_else_is_not_taken_for_who_died(parameters, name):
    cohort, *_ = read_cohort(table(header=HEADER.replace("event_observed", name)), parameters(), "exclude")
    assert len(cohort) == 1


def test_a_table_that_does_not_tell_who_died_is_read_with_a_warning(parameters, caplog):
    read_cohort(f"{HEADER.removesuffix(',event_observed')}\nP1,65,M,1,biopsy,332\n", parameters(), "exclude")
    (warned,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "every patient is taken to have died" in warned.message


def test_the_tumours_grade_is_not_taken_for_the_performance_status(parameters):
    header = HEADER.replace("who_status", "WHO CNS Grade")
    assert "Grade" not in the_problem(table(header=header), parameters()).remedy
    mapped = parameters(columns=parameters().columns | {"who_status": "WHO CNS Grade"})
    assert "not the grade" in the_problem(table(header=header), mapped).expected


def test_the_ecog_grade_is_a_performance_status(parameters):
    header = HEADER.replace("who_status", "ECOG grade")
    assert "`cohort.columns.who_status: ECOG grade`" in the_problem(table(header=header), parameters()).remedy
    mapped = parameters(columns=parameters().columns | {"who_status": "ECOG grade"})
    assert read_cohort(table(header=header), mapped, "exclude")[0]["who_status"].tolist() == [1]


# 6 duplicates


def test_a_patient_with_two_rows_is_told_with_both_rows_and_what_differs(parameters):
    found = the_problem(table("P7,65,M,1,biopsy,331,1", "P7,66,M,1,complete,331,1"), parameters())
    assert (found.patient, found.where) == ("P7", "patient_id")
    assert found.found == "2 rows (3, 4), differing in age_years, surgery"


def test_two_identical_rows_are_told_too(parameters):
    found = the_problem(table("P7,65,M,1,biopsy,331,1", "P7,65,M,1,biopsy,331,1"), parameters())
    assert found.found == "2 rows (3, 4), identical"


@pytest.mark.parametrize("identifier", ["DOE^JOHN", ""])
def test_a_check_of_a_row_whose_identifier_cannot_be_shown_tells_its_cells_all_the_same(parameters, identifier):
    checked = check_table(table(f"{identifier},675,M,1,biopsy,331,1"), parameters(), "exclude")
    assert {(found.patient, found.where) for found in checked.problems} == {
        ("row 3", "patient_id"),
        ("row 3", "age_years"),
    }
    assert checked.patients["patient_id"].tolist() == ["P1"] and not checked.whole


@pytest.mark.parametrize("other", ["DOE^JOHN", "Doe^John"])
def test_a_name_in_place_of_an_identifier_is_not_shown_where_it_stands_twice(parameters, other):
    told = problems(table("DOE^JOHN,65,M,1,biopsy,331,1", f"{other},66,M,1,biopsy,331,1"), parameters())
    assert [found.patient for found in told] == ["row 3, row 4", "row 3"]
    assert told[1].found.endswith("differing in age_years")
    assert "doe" not in " ".join(map(str, told)).casefold()


def test_two_spellings_that_may_be_shown_are_told(parameters):
    found = the_problem(table("p7,65,M,1,biopsy,331,1", "P007,65,M,1,biopsy,331,1"), parameters())
    assert (found.patient, found.found) == ("P007", "2 rows (3, 4), written P007 and p7, identical")


# 7 survival


@pytest.mark.parametrize(
    ("cell", "found", "expected"),
    [
        ("-40", "-40", "1 to 3650"),
        ("0", "0", "1 to 3650"),
        ("3651", "3651", "1 to 3650"),
        ("43831", "43831", "1 to 3650"),  # a date as a spreadsheet's number
        ("331.5", "331.5", "a whole number"),
        ("2020-01-31", "a date", "a number"),
        ("31/01/2020", "a date", "a number"),
        ("a year", "a year", "a number"),
        ("３３２", "３３２", "a number"),  # digits of another script
        ("inf", "inf", "a number"),
    ],
)
def test_an_impossible_survival_is_told_with_patient_value_and_range(parameters, cell, found, expected):
    problem = the_problem(table(f"P2,65,M,1,biopsy,{cell},1"), parameters())
    assert (problem.patient, problem.where, problem.found, problem.expected) == ("P2", "survival_days", found, expected)


@pytest.mark.parametrize("word", ["resection 1931122407", "R1-2", "1.5 T", "biopsy 12", "stage 4/4"])
def test_a_number_in_a_word_is_no_date(parameters, word):
    assert the_problem(table(f"P2,65,F,1,{word},331,1"), parameters()).found == word


@pytest.mark.parametrize(
    ("column", "date"),
    [
        ("sex", "1931-12-24"),
        ("who_status", "24.12.1931"),
        ("surgery", "12/24/31 0:00"),
        ("event_observed", "19311224"),
        ("age_years", "19311224"),
        ("age_years", "24121931.0"),
        ("age_years", "24 Dec 1931"),
        ("sex", "24-DÉC-31"),
        ("karnofsky", "24. Dezember 1931"),
        ("surgery", "December 24, 1931"),
        ("surgery", "biopsy (24.12.1931)"),
        ("sex", "F born19311224, ill"),
        ("surgery", "19311224000000"),
        ("age_years", "12/1931"),
        ("karnofsky", "1931-12"),
        ("sex", "Dec. 1931"),
    ],
)
def test_a_date_of_birth_in_whatever_column_is_not_repeated(parameters, column, date):
    row = {"patient_id": "P2", "age_years": "65", "sex": "M", "who_status": "1", "surgery": "biopsy"}
    row |= {"survival_days": "331", "event_observed": "1", "karnofsky": "80"} | {column: f'"{date}"'}
    text = ",".join(row) + "\n" + ",".join(row.values()) + "\n"
    found = the_problem(text, parameters())
    assert (found.patient, found.where, found.found) == ("P2", column, "a date")
    assert date not in str(found)


@pytest.mark.parametrize("word", ["marginal 1", "3 masses 10", "biopsy 2019", "12345678", "grade 3/4", "5/2 1931"])
def test_a_word_that_is_no_date_is_told(parameters, word):
    assert the_problem(table(f"P2,65,M,1,{word},331,1"), parameters()).found == word


def test_a_whole_number_with_a_spreadsheets_decimals_is_one(parameters):
    assert read_cohort(table("P2,65,M,1.0,biopsy,400.0,1.0"), parameters(), "exclude")[0]["survival_days"][1] == 400


@pytest.mark.parametrize(("days", "asked"), [("10", True), ("331", True), ("332", False)])
def test_where_nobody_reaches_the_threshold_a_run_asks_for_the_unit_of_survival(parameters, caplog, days, asked):
    reading = read_cohort(table(f"P2,65,M,1,biopsy,{days},1"), parameters(), "exclude")
    assert ("is survival_days in days, and not in months" in caplog.text) is asked
    told = warnings({}, reading.notes, 2)
    assert (ALL_SHORT in told) is asked


# 8 survival missing, or censored before the threshold


def test_a_patient_of_unknown_survival_is_left_out_with_the_reason(parameters):
    cohort, exclusions, _ = read_cohort(table("P2,65,M,1,biopsy,,1", "P3,65,M,1,biopsy,400,"), parameters(), "exclude")
    assert cohort["patient_id"].tolist() == ["P1"]
    assert exclusions["code"].tolist() == ["survival_missing", "event_missing"]
    assert exclusions["reason"].str.contains("undeterminable").all()


def test_a_patient_of_unknown_survival_stops_a_run_that_is_told_to_stop(parameters):
    told = problems(table("P2,65,M,1,biopsy,,1", "P3,65,M,1,biopsy,400,"), parameters(), "stop")
    assert [(found.patient, found.where) for found in told] == [("P2", "survival_days"), ("P3", "event_observed")]


def test_a_patient_censored_before_the_threshold_is_not_labelled_by_the_days_seen(parameters):
    cohort, exclusions, _ = read_cohort(table("P2,65,M,1,biopsy,200,0"), parameters(), "stop")
    assert cohort.set_index("patient_id")["outcome"].isna().to_dict() == {"P1": False, "P2": True}
    assert exclusions.empty


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (("P1,65,M,1,biopsy,,1", "P2,65,M,1,biopsy,400,"), "2 rows: days and event stand in none"),
        (("P1,65,M,1,biopsy,331,0",), "1 rows: 1 were last seen alive before"),
    ],
)
def test_a_table_that_tells_nobodys_outcome_is_refused_where_it_is_read(parameters, rows, told):
    found = the_problem("\n".join([HEADER, *rows]), parameters())
    assert found.where == "the outcome"
    assert found.found == f"known of nobody in {told}"


# 9 the threshold itself


@pytest.mark.parametrize(("days", "outcome"), [(331, "short_term"), (332, "long_term"), (333, "long_term")])
def test_survival_of_exactly_332_days_is_long_term(parameters, days, outcome):
    cohort, *_ = read_cohort(table(f"P2,65,M,1,biopsy,{days},1"), parameters(), "exclude")
    assert cohort["outcome"][1] == outcome


# 10 vocabularies


@pytest.mark.parametrize(
    ("row", "where", "found", "expected", "remedy"),
    [
        ("P2,65,M,1,Complete,331,1", "surgery", "Complete", "biopsy, incomplete or complete", '{"Complete": complete}'),
        ("P2,65,M,1,biopsie,331,1", "surgery", "biopsie", "biopsy, incomplete or complete", '{"biopsie": biopsy}'),
        ("P2,65,M,7,biopsy,331,1", "who_status", "7", "0, 1, 2, 3, 4 or 5", "cohort.values.who_status"),
        ("P2,65,M,-1,biopsy,331,1", "who_status", "-1", "0, 1, 2, 3, 4 or 5", '{"-1": …}'),  # most likely "not known"
        ("P2,65,M,1.5,biopsy,331,1", "who_status", "1.5", "0, 1, 2, 3, 4 or 5", "cohort.values.who_status"),
        ("P2,65,X,1,biopsy,331,1", "sex", "X", "F or M", '{"X": …}'),
        ("P2,65,m,1,biopsy,331,1", "sex", "m", "F or M", "cohort.values.sex"),
        ("P2,65,M,1,biopsy,331,-1", "event_observed", "-1", "0 or 1", '{"-1": …}'),
        ("P2,65,M,1,biopsy,331,2", "event_observed", "2", "0 or 1", "cohort.values.event_observed"),
        ("P2,6.75,M,1,biopsy,331,1", "age_years", "6.75", "10 to 110", "cohort.ranges.age_years"),
        ("P2,675,M,1,biopsy,331,1", "age_years", "675", "10 to 110", "cohort.ranges.age_years"),
        ("P2,89+,M,1,biopsy,331,1", "age_years", "89+", "a number", "Correct it"),
    ],
)
def test_a_word_outside_the_vocabulary_is_told_with_the_allowed_ones(parameters, row, where, found, expected, remedy):
    problem = the_problem(table(row), parameters())
    assert (problem.patient, problem.where, problem.found, problem.expected) == ("P2", where, found, expected)
    assert remedy in problem.remedy


@pytest.mark.parametrize("status", ["10", "80", "100", "90.0"])
def test_a_karnofsky_status_in_place_of_who_s_is_not_to_be_mapped_word_by_word(parameters, status):
    remedy = the_problem(table(f"P2,65,M,{status},biopsy,331,1"), parameters()).remedy
    assert "`cohort.columns.karnofsky`" in remedy and "cohort.values" not in remedy
    columns = parameters().columns | {"karnofsky": "who_status", "who_status": None}
    text = f"{HEADER}\nP2,65,M,{status},biopsy,331,1\n"
    cohort, *_ = read_cohort(text, parameters(columns=columns), "exclude")
    assert cohort["who_status"].notna().all()


def test_a_karnofsky_status_between_the_steps_is_told(parameters):
    text = table("P2,65,M,1,biopsy,331,1,85", header=f"{HEADER},karnofsky").replace(SOUND, f"{SOUND},90")
    assert the_problem(text, parameters()).expected == "0, 10, … 100"


def test_one_wrong_word_of_many_patients_is_one_problem(parameters):
    rows = [f"Q{number:02d},65,M,1,Complete,331,1" for number in range(44)]
    found = the_problem(table(*rows), parameters())
    assert found.patient == "Q00, Q01, Q02, Q03, Q04, Q05, Q06, Q07, Q08, Q09 and 34 more"


def test_a_free_text_in_a_column_of_words_is_not_shown_whole(parameters):
    story = "Mrs Jane Doe of 1 Main Street, seen on 3 May 2019 because of headaches"
    assert story not in str(the_problem(table(f'P2,65,M,1,"{story}",331,1'), parameters()))


NAMES = [f"Name{letter}" for letter in "ABCDEFGHIJKL"]


def named_in(column: str, names: list[str]) -> list[str]:
    """One row a name, which stands in this column."""
    sound = dict(zip(HEADER.split(","), SOUND.split(","), strict=True))
    rows = [sound | {"patient_id": f"Q{number}", column: name} for number, name in enumerate(names)]
    return [",".join(row.values()) for row in rows]


@pytest.mark.parametrize("column", ["sex", "surgery", "who_status", "event_observed", "age_years", "survival_days"])
def test_a_column_of_names_is_one_problem_that_repeats_none_of_them(parameters, column):
    found = the_problem(table(*named_in(column, [*NAMES[:6], NAMES[0]])), parameters())  # two patients share a name
    assert found.patient == "Q0, Q1, Q2, Q3, Q4, Q5, Q6" and found.found.startswith("6 different values")
    assert f"`cohort.columns.{column}`" in found.remedy and "Name" not in str(found)


def test_a_patient_whose_identifier_is_a_name_is_one_patient_in_however_many_rows(parameters):
    visits = [f'"Doe, {name}",65,{name},1,biopsy,331,1' for name in NAMES[:4] for _ in range(5)]
    (sex,) = (found for found in problems(table(*visits), parameters()) if found.where == "sex")
    assert (sex.patient, sex.found[:18]) == ("row 3, row 8, row 13, row 18", "4 different values")


def test_years_of_birth_that_few_patients_share_are_counted_and_the_unit_is_asked_for(parameters):
    years = [str(year) for year in range(1940, 1951) for _ in range(4)]
    found = the_problem(table(*named_in("age_years", years)), parameters())
    assert found.found.startswith("11 different values") and "194" not in str(found)
    assert "the right column, in years. If so: Correct it" in found.remedy


def test_free_texts_among_a_sites_own_words_are_counted_and_the_words_are_told(parameters):
    rows = named_in("surgery", [*NAMES[:11], *["GTR"] * 20])
    hidden, told = problems(table(*rows), parameters())
    assert hidden.found.startswith("11 different values") and "cohort.values.surgery" in hidden.remedy
    assert told.found == "GTR" and "Name" not in f"{hidden} {told}"


@pytest.mark.parametrize("words", [NAMES[:3], [*NAMES[:4], *["biopsy"] * 4], NAMES[:10] + ["biopsy"] * 9])
def test_a_sites_own_small_vocabulary_is_told_word_by_word(parameters, words):
    told = [found.found for found in problems(table(*named_in("surgery", words)), parameters())]
    assert told == list(dict.fromkeys(word for word in words if word != "biopsy"))


# 11 missing predictors: see also the patient flow (tests/cohort/test_preprocessing_nodes.py)


def test_a_missing_predictor_is_missing_and_no_category(parameters):
    cohort, *_ = read_cohort(table("P2,NA,,N/A,unknown,331,1"), parameters(), "stop")
    assert cohort.loc[1, ["age_years", "sex", "who_status", "surgery"]].isna().all()


# all of them at once


def test_every_problem_of_a_table_is_told_at_once(parameters):
    rows = ('P2,"67,5",X,7,Complete,-40,1', "P2,65,F,1,biopsy,a date,3", "P 3,65,F,1,biopsy,331,1")
    told = problems(table(*rows, header=HEADER.replace("event_observed", "died")), parameters())
    assert sorted({found.where.split(" ")[0] for found in told}) == [
        "age_years",
        "column",
        "patient_id",
        "sex",
        "surgery",
        "survival_days",
        "who_status",
    ]


def test_no_problem_shows_more_than_one_cell_of_a_row(parameters):
    rows = ("P2,91.25,X,7,Complete,-4057,1", "P3,91.5,F,1,wrong,331,1")
    for found in problems(table(*rows), parameters()):
        assert sum(cell in str(found) for cell in ("91.25", "-4057", "Complete", "wrong")) <= 1
