"""New patients are looked at before a model answers: all that is wrong with them is told at once, in our words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gliocast.errors import CohortError, InputError
from gliocast.hybrid.bundle import Bundle
from gliocast.hybrid.image_scores import no_scores, score_rows
from gliocast.hybrid.new_patients import known_of, unlike
from gliocast.hybrid.parameters import PredictorFacts
from gliocast.types import Scores

RANGES = {"age_years": {"min": 10.0, "max": 110.0}}


@pytest.fixture(scope="module")
def bundle(fitting):
    return Bundle(None, (), fitting.models, {"parameters": {"cohort": {"ranges": RANGES}}})


def a_patient(**changes):
    values = {"patient_id": "0101", "age_years": 64.0, "sex": "F", "surgery": "complete", "who_status": 1}
    return pd.DataFrame([{**values, **changes}])


def image_scores_of(*patients):
    return Scores(score_rows("holdout", patients, "test", "holdout", np.full(len(patients), 0.5)), {"holdout": ()})


def problems(bundle, patients, image_scores=None):
    with pytest.raises(CohortError) as error:
        bundle.score(patients, image_scores or no_scores())
    return list(error.value.problems)


@pytest.mark.parametrize(
    ("changes", "where", "found", "expected"),
    [
        ({"age_years": 675.0}, "age_years", "675", "10 to 110"),
        ({"age_years": "64,5"}, "age_years", "the text '64,5'", "a number"),
        ({"age_years": np.inf}, "age_years", "inf", "10 to 110"),
        ({"who_status": "1"}, "who_status", "the text '1'", "the number 1"),
        ({"who_status": 7}, "who_status", "7", "0, 1, 2, 3, 4, 5"),
        ({"sex": "Femme"}, "sex", "Femme", "F, M"),
        ({"surgery": "totale"}, "surgery", "totale", "biopsy, incomplete, complete"),
    ],
)
def test_a_value_that_no_model_knows_is_told_with_what_is_expected(bundle, changes, where, found, expected):
    (problem,) = problems(bundle, a_patient(**changes))
    assert (problem.patient, problem.where, problem.found, problem.expected) == ("0101", where, found, expected)


@pytest.mark.parametrize("column", ["sex", "age_years"])
def test_a_column_of_names_is_one_problem_that_repeats_none_of_them(bundle, column):
    patients = pd.concat([a_patient(patient_id=f"N{number}", **{column: f"Name{number}"}) for number in range(4)])
    (problem,) = problems(bundle, patients)
    assert (problem.patient, problem.where) == ("N0, N1, N2, N3", column)
    assert problem.found.startswith("4 different values") and "Name" not in str(problem)


@pytest.mark.parametrize("column", ["sex", "age_years", "who_status"])
@pytest.mark.parametrize(
    "date", ["12.03.1954", " 12 Mar 1954", "born 1954-3-12", "19540312", 19540312.0, pd.Timestamp(1954, 3, 12)]
)
def test_a_date_is_told_as_one_and_not_shown(bundle, column, date):
    (problem,) = problems(bundle, a_patient(**{column: date}))
    assert (problem.where, problem.found) == (column, "a date")
    assert "1954" not in str(problem)


def test_dates_are_one_problem_and_make_no_column_of_names(bundle):
    patients = pd.concat([a_patient(patient_id=f"N{day}", age_years=f"0{day}.03.1954") for day in range(1, 6)])
    (problem,) = problems(bundle, patients)
    assert (problem.patient, problem.found, problem.expected) == ("N1, N2, N3, N4, N5", "a date", "a number")


def test_a_patient_whose_identifier_is_a_name_is_one_patient_in_however_many_rows(bundle):
    names = [f"Name {number}" for number in range(4)]
    patients = pd.concat([a_patient(patient_id=name, sex=name) for name in names for _ in range(5)])
    (sex,) = (problem for problem in problems(bundle, patients) if problem.where == "sex")
    assert (sex.patient, sex.found[:18]) == ("row 1, row 6, row 11, row 16", "4 different values")


def test_known_words_in_another_type_are_told_though_each_is_of_one_patient(bundle):
    patients = pd.concat([a_patient(patient_id=f"N{number}", who_status=str(number)) for number in range(5)])
    assert len(problems(bundle, patients)) == 5


def test_identifiers_that_were_read_as_numbers_are_told(bundle):
    (problem,) = problems(bundle, a_patient(patient_id=101))
    assert (problem.patient, problem.where, problem.expected) == ("row 1", "patient_id", "text")
    assert "zeros" in problem.remedy


def test_a_patient_who_stands_twice_is_told(bundle):
    (problem,) = problems(bundle, pd.concat([a_patient(), a_patient(age_years=30.0)]))
    assert (problem.patient, problem.found) == ("0101", "2 rows")


def test_a_patient_with_two_rows_is_named_once_for_the_fault_of_both(bundle):
    age, _ = problems(bundle, pd.concat([a_patient(age_years=675.0)] * 2))
    assert (age.patient, age.found) == ("0101", "675")


def test_a_name_in_place_of_an_identifier_is_not_shown(bundle):
    (problem,) = problems(bundle, a_patient(patient_id="Doe, Jane", age_years=675.0))
    assert problem.patient == "row 1"


@pytest.mark.parametrize(
    ("scored", "changes", "seen"),
    [
        (["Doe, Jane"], {"probability": 2.0}, ()),
        (["Doe, Jane"], {"role": "in_sample"}, ()),
        (["Doe, Jane", "Doe, Jane"], {}, ()),
        (["Doe, Jane"], {}, ("Doe, Jane",)),
    ],
)
def test_a_name_in_place_of_an_identifier_is_not_shown_where_its_image_score_is_wrong(bundle, scored, changes, seen):
    table = image_scores_of(*scored).table.assign(**changes)
    with pytest.raises(InputError) as told:
        bundle.score(a_patient(patient_id="Doe, Jane"), Scores(table, {"holdout": seen}))
    assert {problem.patient for problem in told.value.problems} == {"(not shown)"}


def test_all_that_is_wrong_is_told_at_once(bundle):
    patients = pd.concat([a_patient(age_years=675.0), a_patient(patient_id=None)]).drop(columns=["surgery", "sex"])
    assert [problem.where for problem in problems(bundle, patients)] == [
        "age_years",
        "patient_id",
        "column sex",
        "column surgery",
    ]


def test_a_table_without_identifiers_is_told(bundle):
    (problem,) = problems(bundle, a_patient().drop(columns="patient_id"))
    assert problem.where == "column patient_id"


def test_the_first_row_of_a_table_without_a_header_is_not_shown(bundle):
    told = problems(bundle, pd.DataFrame([["Roe", 64.0, "F"]], columns=["Doe", "65.0", "M"]))
    assert {problem.found for problem in told} == {"not among the table's 3 columns"}


def test_a_table_without_patients_is_told(bundle):
    (problem,) = problems(bundle, a_patient().iloc[:0])
    assert problem.found == "no row"


def test_unknown_values_are_answered_for(bundle):
    answers = bundle.score(a_patient(age_years=np.nan, sex=None, surgery=None, who_status=None), no_scores())
    assert answers.loc[answers["name"] == "clinical", "probability"].notna().all()


def test_an_image_score_whose_identifier_lost_its_zero_is_not_dropped(bundle):
    (problem,) = problems(bundle, a_patient(), image_scores_of("101"))
    assert (problem.patient, problem.found, problem.expected) == ("0101", "of 101", "of 0101")


@pytest.mark.parametrize(("probability", "found"), [(np.nan, "nan"), (1.7, "1.7")])
def test_an_image_score_that_is_no_probability_is_not_taken_for_a_missing_one(bundle, probability, found):
    scores = Scores(score_rows("holdout", ["0101"], "test", "holdout", np.array([probability])), {"holdout": ()})
    with pytest.raises(InputError) as error:
        bundle.score(a_patient(), scores)
    assert str(error.value.problems[0]).startswith(f"0101: score of holdout: {found}; expected a probability")


def test_image_scores_of_nobody_who_is_asked_about_are_told(bundle):
    (problem,) = problems(bundle, a_patient(), image_scores_of("N7", "N8"))
    assert (problem.patient, problem.found) == ("0101", "of N7, N8 only")


def test_those_who_do_not_match_are_counted_where_others_do(bundle, caplog):
    patients = pd.concat([a_patient(), a_patient(patient_id="N5")])
    answers = bundle.score(patients, image_scores_of("0101", "N7"))
    assert answers.groupby("patient_id")["image_score_missing"].any().to_dict() == {"0101": False, "N5": True}
    assert caplog.messages == [
        "1 image scores are of nobody who is asked about.",
        "1 patients have no image score, or not that of every split.",
    ]


def test_nobodys_image_scores_are_no_fault(bundle, caplog):
    bundle.score(a_patient(), no_scores())
    assert not caplog.messages


AGE = PredictorFacts(kind="number", known_when="pre_operative", values=())
SEX = PredictorFacts(kind="category", known_when="pre_operative", values=("F", "M"))
LEARNT_FROM = pd.DataFrame({"age_years": [41.0, 70.0, np.nan], "sex": ["F", "F", None]})


def test_what_training_patients_were_like_is_their_range_and_their_values():
    known = known_of(LEARNT_FROM, {"age_years": AGE, "sex": SEX, "image_score": AGE})
    assert known == {"age_years": {"min": 41.0, "max": 70.0}, "sex": {"values": ["F"]}}


def test_patients_unlike_all_who_are_known_are_told_by_predictor():
    new = pd.DataFrame({"age_years": [41.0, 70.0, 70.5, np.nan], "sex": ["F", "M", "M", None]})
    told = unlike(new, known_of(LEARNT_FROM, {"age_years": AGE, "sex": SEX}))
    assert told.tolist() == ["", "sex", "age_years, sex", ""]


def test_no_model_answers_for_a_patient_unlike_all_whom_it_has_learnt_from(bundle):
    known = {"holdout/clinical": {"age_years": {"min": 40.0, "max": 70.0}}}
    patients = pd.concat([a_patient(age_years=71.0), a_patient(patient_id="N5", age_years=70.0)])
    answers = replace(bundle, record={**bundle.record, "known": known}).score(patients, no_scores())
    clinical = answers[answers["name"] == "clinical"].set_index("patient_id")
    assert clinical["unlike_training"].to_dict() == {"0101": "age_years", "N5": ""}
    assert clinical.loc["0101", ["probability", "logit", "predicted"]].isna().all()
    assert clinical.loc["N5", ["probability", "logit", "predicted"]].notna().all()
    assert answers.loc[answers["name"] == "majority", "probability"].notna().all()
