"""The encoding learns nothing; the preprocessing learns from its patients alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hybrid_examples import configured

from gliocast.errors import CohortError, ConfigurationError
from gliocast.hybrid.features import build_preprocessor, encode
from gliocast.hybrid.parameters import PredictorFacts

FACTS = configured().predictor_facts


def patients(**columns: list[object]) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"patient_id": [f"P{place}" for place in range(n)], **columns})


def test_an_ordinal_is_its_place_in_the_vocabulary():
    table = patients(surgery=["complete", "biopsy", "incomplete"])
    assert encode(table, {"surgery": FACTS["surgery"]}).ravel().tolist() == [2, 0, 1]


def test_a_value_has_the_same_code_whoever_else_is_there():
    alone = encode(patients(surgery=["complete"]), {"surgery": FACTS["surgery"]})
    assert alone[0, 0] == 2


def test_missing_values_of_every_dtype_become_nan():
    table = patients(
        age_years=[np.nan],
        sex=pd.array([pd.NA], dtype="string"),
        who_status=pd.array([pd.NA], dtype="Int64"),
        surgery=[None],
    )
    facts = {name: FACTS[name] for name in ("age_years", "sex", "who_status", "surgery")}
    assert np.isnan(encode(table, facts)).all()


def test_a_value_outside_the_vocabulary_is_an_error_that_names_the_patient():
    with pytest.raises(CohortError, match="P1: surgery: subtotal"):
        encode(patients(surgery=["biopsy", "subtotal"]), {"surgery": FACTS["surgery"]})


def test_text_in_a_predictor_that_is_said_to_be_a_number_is_an_error_that_shows_no_cell():
    table = patients(centre=pd.array(["12", "Lyon", pd.NA], dtype="string"))
    with pytest.raises(CohortError, match=r"P1: centre: no number; expected a number") as error:
        encode(table, {"centre": FACTS["age_years"]})
    assert "Lyon" not in str(error.value)


@pytest.mark.parametrize("cell", ["12.03.1951", "tested 12.03.1951"])
def test_a_date_in_place_of_a_word_is_not_told(cell):
    table = pd.DataFrame({"patient_id": [*"AB"], "mgmt": [cell, "methylated"]})
    with pytest.raises(CohortError, match="A: mgmt: a value, not shown") as told:
        encode(table, {"mgmt": FACTS["mgmt"]})
    assert "1951" not in str(told.value)


def test_a_word_of_many_patients_is_told_once_and_names_are_not_told():
    three = [f"P{number}" for number in range(3)]
    table = pd.DataFrame({"patient_id": [*three, *"ABCD"], "mgmt": ["1"] * 3 + ["methylated"] * 4})
    with pytest.raises(CohortError, match=r"P0, P1, P2: mgmt: 1; .* Map it in cohort\.values\.mgmt") as told:
        encode(table, {"mgmt": FACTS["mgmt"]})
    assert len(told.value.problems) == 1
    names = ["Doe, Jane", "Roe, Mary", "Poe, Anne", "Moe, Lea", "Coe, Eva"]
    with pytest.raises(CohortError, match="5 different values, not shown") as hidden:
        encode(pd.DataFrame({"patient_id": [*"ABCDE"], "mgmt": names}), {"mgmt": FACTS["mgmt"]})
    assert not any(name in str(hidden.value) for name in names)


def test_an_absent_column_is_an_error_of_the_configuration():
    with pytest.raises(ConfigurationError, match="karnofsky"):
        encode(patients(surgery=["biopsy"]), {"karnofsky": FACTS["karnofsky"]})


def test_a_missing_number_gets_the_median_and_a_column_that_says_so():
    encoded = np.array([[1.0], [3.0], [np.nan], [3.0]])
    features = build_preprocessor([FACTS["age_years"]]).fit_transform(encoded)
    assert features.shape == (4, 2)
    assert features[2, 0] == features[1, 0]  # the median is 3
    assert features[2, 1] > features[0, 1]


def test_a_missing_level_gets_the_most_frequent_one():
    encoded = np.array([[2.0], [2.0], [0.0], [np.nan]])
    features = build_preprocessor([FACTS["who_status"]]).fit_transform(encoded)
    assert features[3, 0] == features[0, 0] != features[2, 0]


def test_a_patient_without_a_category_has_zeros_in_all_its_columns():
    colour = PredictorFacts(kind="category", known_when="pre_operative", values=("red", "green", "blue"))
    encoded = encode(patients(colour=["blue", None]), {"colour": colour})
    features = build_preprocessor([colour]).fit_transform(encoded)
    assert features.tolist() == [[0, 0, 1], [0, 0, 0]]


def test_a_predictor_missing_in_everybody_keeps_its_column():
    encoded = np.array([[np.nan, 1.0], [np.nan, 2.0]])
    assert build_preprocessor([FACTS["karnofsky"], FACTS["age_years"]]).fit(encoded).transform(encoded).shape[1] == 3


def test_the_preprocessing_never_leaves_a_nan():
    generator = np.random.default_rng(0)
    encoded = generator.normal(size=(30, 2))
    encoded[generator.random((30, 2)) < 0.5] = np.nan
    assert np.isfinite(build_preprocessor([FACTS["age_years"], FACTS["karnofsky"]]).fit_transform(encoded)).all()
