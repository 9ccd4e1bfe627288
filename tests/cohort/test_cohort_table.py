from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliocast.cohort.table import read_cohort
from gliocast.errors import CohortError
from gliocast.types import OPTIONAL_COLUMNS, REQUIRED_COLUMNS

HEADER = "patient_id,age_years,sex,who_status,surgery,survival_days"
DTYPES = {
    "patient_id": "string",
    "age_years": "float64",
    "sex": "string",
    "who_status": "Int64",
    "surgery": "string",
    "survival_days": "Int64",
    "event_observed": "boolean",
    "centre": "string",
    "scanner_field_t": "float64",
    "idh": "string",
    "mgmt": "string",
    "karnofsky": "Int64",
    "central_slice_mm": "float64",
    "outcome": "string",
}


def table(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *rows]) + "\n"


def test_the_cohort_has_every_canonical_column_in_its_type(cohort_parameters):
    cohort, *_ = read_cohort(table("P1,65,M,1,biopsy,331"), cohort_parameters(), "exclude")
    assert list(cohort) == [*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS, "outcome"]
    assert {name: str(dtype) for name, dtype in cohort.dtypes.items()} == DTYPES


def test_the_cohort_is_sorted_by_patient(cohort_parameters):
    rows = ["P2,65,M,1,biopsy,331", "P1,65,M,1,biopsy,332"]
    cohort, *_ = read_cohort(table(*rows), cohort_parameters(), "exclude")
    assert cohort["patient_id"].tolist() == ["P1", "P2"]
    assert cohort["outcome"].tolist() == ["long_term", "short_term"]


def test_a_table_without_events_means_that_all_died(cohort_parameters):
    cohort, *_ = read_cohort(table("P1,65,M,1,biopsy,331"), cohort_parameters(), "exclude")
    assert cohort["event_observed"].tolist() == [True]


def test_the_threshold_is_a_parameter(cohort_parameters):
    cohort, *_ = read_cohort(table("P1,65,M,1,biopsy,331"), cohort_parameters(survival_threshold_days=331), "exclude")
    assert cohort["outcome"].tolist() == ["long_term"]


def test_a_sites_own_names_values_and_decimal_mark_are_mapped(cohort_parameters):
    columns = {
        "patient_id": "Nr",
        "age_years": "Alter",
        "sex": "Geschlecht",
        "who_status": "ECOG",
        "surgery": "OP",
        "survival_days": "OS",
    }
    values = {"sex": {"w": "F", "m": "M"}, "surgery": {"Biopsie": "biopsy", "unklar": None}}
    parameters = cohort_parameters(separator=";", decimal=",", columns=columns, values=values)
    rows = ["7;67,5;w;1;Biopsie;331", "8;50;m;0;unklar;400"]
    cohort, *_ = read_cohort(table(*rows, header="Nr;Alter;Geschlecht;ECOG;OP;OS"), parameters, "exclude")
    assert cohort.loc[0, ["patient_id", "age_years", "sex", "surgery"]].tolist() == ["7", 67.5, "F", "biopsy"]
    assert pd.isna(cohort.loc[1, "surgery"])


def test_the_first_of_several_columns_that_has_a_value_counts(cohort_parameters):
    columns = cohort_parameters().columns | {"survival_days": ["death", "last_contact"], "event_observed": "dead"}
    header = HEADER.replace("survival_days", "death,last_contact,dead")
    rows = ["P1,65,M,1,biopsy,100,,1", "P2,65,M,1,biopsy,NA,200,0", "P3,65,M,1,biopsy,300,400,1"]
    cohort, *_ = read_cohort(table(*rows, header=header), cohort_parameters(columns=columns), "exclude")
    assert cohort["survival_days"].tolist() == [100, 200, 300]


def test_one_column_can_tell_survival_and_fate(cohort_parameters):
    columns = cohort_parameters().columns | {"event_observed": "survival_days"}
    values = {
        "survival_days": {"ALIVE (361 days later)": 361},
        "event_observed": {"ALIVE (361 days later)": 0, "*": 1},
    }
    rows = ["P1,65,M,1,biopsy,ALIVE (361 days later)", "P2,65,M,1,biopsy,120", "P3,65,M,1,biopsy,"]
    cohort, exclusions, _ = read_cohort(table(*rows), cohort_parameters(columns=columns, values=values), "exclude")
    assert cohort["survival_days"].tolist() == [361, 120]
    assert cohort["event_observed"].tolist() == [False, True]
    assert exclusions["patient_id"].tolist() == ["P3"]


@pytest.mark.parametrize(
    ("karnofsky", "who_status"),
    [(100, 0), (90, 1), (80, 1), (70, 2), (60, 2), (50, 3), (40, 3), (30, 4), (20, 4), (10, 4), (0, 5)],
)
def test_who_status_is_derived_from_the_karnofsky_status(cohort_parameters, karnofsky, who_status):
    rows = [f"P1,65,M,,biopsy,331,{karnofsky}"]
    reading = read_cohort(table(*rows, header=f"{HEADER},karnofsky"), cohort_parameters(), "exclude")
    assert reading.cohort["who_status"].tolist() == [who_status]
    assert reading.notes["who_status_from_karnofsky"] == 1


def test_a_known_who_status_is_not_overwritten(cohort_parameters):
    reading = read_cohort(
        table("P1,65,M,3,biopsy,331,100", header=f"{HEADER},karnofsky"), cohort_parameters(), "exclude"
    )
    assert reading.cohort["who_status"].tolist() == [3]
    assert reading.notes["who_status_from_karnofsky"] == 0


def test_columns_that_are_not_read_are_named_and_not_shown(cohort_parameters, caplog):
    reading = read_cohort(
        table("P1,65,M,1,biopsy,331,Smith", header=f"{HEADER},remarks"), cohort_parameters(), "exclude"
    )
    assert reading.notes["columns_ignored"] == ["remarks"]
    assert "Smith" not in str(reading.notes) + caplog.text


def test_rows_that_fail_a_rule_are_left_out_with_its_reason(cohort_parameters):
    keep = [
        {"column": "scan", "one_of": ["baseline", 1], "code": "follow_up_scan", "reason": "not the first scan"},
        {"column": "patient_id", "lacks": "_TEST", "code": "phantom", "reason": "no patient"},
    ]
    rows = [
        "P1,65,M,1,biopsy,331,baseline",
        "P1,66,M,1,biopsy,331,follow-up",
        "P2_TEST,66,X,1,biopsy,331,1",
        "P3,66,M,1,biopsy,331,1",
    ]
    cohort, exclusions, _ = read_cohort(table(*rows, header=f"{HEADER},scan"), cohort_parameters(keep=keep), "exclude")
    assert cohort["patient_id"].tolist() == ["P1", "P3"]
    assert exclusions.to_dict("records") == [
        {"patient_id": "P1", "stage": "row_selection", "code": "follow_up_scan", "reason": "not the first scan"},
        {"patient_id": "P2_TEST", "stage": "row_selection", "code": "phantom", "reason": "no patient"},
    ]


@pytest.mark.parametrize("pattern", ["base(line)?", "(b)?(?(1)ase|x)", "a{1001}|line"])
@pytest.mark.filterwarnings("error")
def test_a_rule_may_hold_whatever_its_check_has_accepted(cohort_parameters, pattern):
    keep = [{"column": "scan", "matches": pattern, "code": "follow_up_scan", "reason": "not the first scan"}]
    rows = ("P1,65,M,1,biopsy,331,baseline", "P2,66,M,1,biopsy,331,follow-up")
    cohort, *_ = read_cohort(table(*rows, header=f"{HEADER},scan"), cohort_parameters(keep=keep), "exclude")
    assert cohort["patient_id"].tolist() == ["P1"]


def test_rules_that_leave_no_row_are_an_error_with_their_counts(cohort_parameters):
    keep = [{"column": "sex", "none_of": ["M"], "code": "man", "reason": "a man"}]
    with pytest.raises(CohortError, match=r"no row left of 1 \(man 1\)"):
        read_cohort(table("P1,65,M,1,biopsy,331"), cohort_parameters(keep=keep), "exclude")


def test_a_rule_about_an_absent_column_is_an_error(cohort_parameters):
    keep = [{"column": "Sex", "one_of": ["M"], "code": "woman", "reason": "a woman"}]
    with pytest.raises(CohortError, match=r"no column Sex; expected a column\. Did you mean `sex`"):
        read_cohort(table("P1,65,M,1,biopsy,331"), cohort_parameters(keep=keep), "exclude")


def test_the_scans_number_is_not_part_of_the_patients_identifier(cohort_parameters):
    identifier = {"pattern": r"(P-\d+)_\d+", "digits": 3, "scan_mark": None}
    cohort, *_ = read_cohort(table("P-7_11,65,M,1,biopsy,331"), cohort_parameters(identifier=identifier), "exclude")
    assert cohort["patient_id"].tolist() == ["P-007"]


def test_two_scans_of_one_patient_are_never_two_patients(cohort_parameters):
    identifier = {"pattern": r"P-\d+", "digits": 4, "scan_mark": None}
    rows = ["P-429,65,M,1,biopsy,331", "P-0429_FU003d,65,M,1,biopsy,331"]
    with pytest.raises(CohortError, match="P-0429: patient_id: 2 rows"):
        read_cohort(table(*rows), cohort_parameters(identifier=identifier), "exclude")


def test_patients_who_agree_in_everything_are_told_as_perhaps_one_person(cohort_parameters):
    rows = ["A,65.5,M,1,biopsy,331", "B,65.5,M,1,biopsy,331", "C,65.5,F,1,biopsy,331"]
    notes = read_cohort(table(*rows), cohort_parameters(), "exclude").notes
    assert notes["n_groups_alike"] == 1
    assert notes["patients_alike"] == [["A", "B"]]


def test_a_given_table_reads_like_its_file(cohort_parameters):
    text = table("P1,65.5,M,1,biopsy,331", "P2,,F,,complete,400")
    given_table = pd.DataFrame(
        {
            "patient_id": ["P1", "P2"],
            "age_years": [65.5, None],
            "sex": ["M", "F"],
            "who_status": [1.0, None],
            "surgery": ["biopsy", "complete"],
            "survival_days": [331, 400],
        }
    )
    parameters = cohort_parameters()
    pd.testing.assert_frame_equal(
        read_cohort(text, parameters, "exclude")[0], read_cohort(given_table, parameters, "exclude")[0]
    )


CELLS = st.sampled_from(["", "P1", "65", "67,5", "M", "x", "-1", "1e9", "2020-01-01", "NaN", "biopsy", '"', "7.0", "€"])


@settings(max_examples=60)
@given(rows=st.lists(st.lists(CELLS, min_size=6, max_size=6), max_size=6), policy=st.sampled_from(["exclude", "stop"]))
def test_any_table_is_read_completely_or_refused_in_our_words(rows, policy, cohort_parameters):
    text = table(*(",".join(row) for row in rows))
    try:
        cohort, exclusions, _ = read_cohort(text, cohort_parameters(), policy)
    except CohortError as error:
        assert error.problems
        return
    assert len(cohort) + len(exclusions) == sum(any(cell for cell in row) for row in rows)
    assert cohort["patient_id"].is_unique


@settings(max_examples=60)
@given(text=st.text(max_size=200))
def test_any_text_is_a_table_or_refused_in_our_words(text, cohort_parameters):
    try:
        read_cohort(text, cohort_parameters(), "exclude")
    except CohortError as error:
        assert error.problems
