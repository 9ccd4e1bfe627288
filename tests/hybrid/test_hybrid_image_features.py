"""An image score from precomputed features."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hybrid_examples import a_cohort, a_partition, feature_parameters, features_of, training_of

from gliocast.datasets.image_features import ImageFeaturesDataset
from gliocast.errors import CohortError, ConfigurationError, TrainingError
from gliocast.hybrid.image_features import (
    patients_with_features,
    read_features,
    score_features,
    score_features_as_paper,
)


def test_everyone_is_scored_by_a_model_that_has_not_seen_them(cohort, partition):
    scores, _ = score_features(features_of(cohort), cohort, partition, feature_parameters(), seed=0)
    assert len(scores.table) == len(cohort)
    for model, patient in zip(scores.table["model"], scores.table["patient_id"], strict=True):
        assert patient not in scores.fitted_on[model]


def test_a_signal_is_found_on_test_patients():
    cohort = a_cohort(200)
    partition = a_partition(cohort, n_test=80)
    scores = score_features(features_of(cohort), cohort, partition, feature_parameters(), seed=0)[0].table
    tested = scores[scores["role"] == "test"].set_index("patient_id")["probability"]
    outcome = cohort.set_index("patient_id")["outcome"].loc[tested.index]
    assert tested[outcome == "long_term"].mean() > tested[outcome == "short_term"].mean() + 0.2


def test_only_rows_that_match_the_pattern_are_used(cohort):
    table = features_of(cohort.head(3))
    table.loc[2, "scan"] = "P002_21"  # a follow-up scan
    assert list(read_features(table, feature_parameters()).index) == ["P000", "P001"]


def test_two_rows_of_one_patient_are_an_error_that_names_them(cohort):
    table = pd.concat([features_of(cohort.head(3)), features_of(cohort.head(1))])
    with pytest.raises(CohortError, match="P000: image_features: several rows"):
        read_features(table, feature_parameters())


def test_an_absent_table_says_where_to_give_its_path():
    with pytest.raises(ConfigurationError, match="catalog entry image_features"):
        read_features(pd.DataFrame(), feature_parameters())


def test_a_table_without_its_identifier_column_is_told_without_a_row_that_may_be_a_patients():
    table = pd.DataFrame([["Roe", "2.5", "F"]], columns=["Doe", "1.5", "M"])
    with pytest.raises(ConfigurationError, match="not among the table's 3 columns; expected scan") as error:
        read_features(table, feature_parameters())
    assert "Doe" not in str(error.value) and "1.5" not in str(error.value)


def test_the_column_that_may_hold_the_identifiers_is_told():
    with pytest.raises(ConfigurationError, match="Did you mean `scans`"):
        read_features(pd.DataFrame({"scans": ["P1_11"], "volume": ["1.5"]}), feature_parameters())


def test_a_name_in_place_of_an_identifier_of_features_is_told_by_its_row():
    table = pd.DataFrame({"patient_id": ["Doe, Jane", "P2", "P3", "Doe, Jane"], "volume": ["1,5", "2.5", "3.5", "1"]})
    with pytest.raises(CohortError) as error:
        read_features(table, feature_parameters(id_column="patient_id", id_pattern="(.*)"))
    assert [found.patient for found in error.value.problems] == ["row 2, row 5", "row 2"]


def test_ignored_columns_and_text_are_no_features(cohort):
    table = features_of(cohort).assign(site="a")
    columns = read_features(table, feature_parameters(ignore_columns=("noise0",))).columns
    assert list(columns) == ["signal", "noise1", "noise2", "noise3", "noise4"]


def test_a_column_to_ignore_that_the_training_table_lacks_is_refused_since_another_was_meant(cohort, partition):
    table, wrong = features_of(cohort), feature_parameters(ignore_columns=("Signal", "noise0"))
    with pytest.raises(ConfigurationError, match=r"no column Signal; .*Did you mean `signal`\?"):
        score_features(table, training_of(cohort, partition), partition, wrong, seed=0)


def test_a_table_of_new_patients_need_not_hold_the_columns_that_are_ignored(cohort):
    later = features_of(cohort).drop(columns="noise0")
    assert "signal" in read_features(later, feature_parameters(ignore_columns=("noise0",)))


def test_a_column_of_numbers_with_a_cell_that_is_none_is_an_error_that_names_the_patient():
    table = pd.DataFrame({"patient_id": ["A", "B", "C"], "volume": ["1.5", "2,5", "3.5"], "remark": ["", "seen", "1"]})
    with pytest.raises(
        CohortError, match=r"B: image_features: volume: no number; expected a number, with a decimal point"
    ):
        read_features(table, feature_parameters(id_column="patient_id", id_pattern="(.*)"))


def test_a_column_of_decimal_commas_is_an_error_and_not_left_out():
    table = pd.DataFrame({"patient_id": ["A", "B"], "volume": ["1,5", "2,5"], "surface": ["3", "4"]})
    with pytest.raises(CohortError, match=r"A, B: image_features: volume: no number"):
        read_features(table, feature_parameters(id_column="patient_id", id_pattern="(.*)"))


def test_a_file_of_features_keeps_the_zeros_of_identifiers_in_any_column(tmp_path):
    path = tmp_path / "features.csv"
    path.write_text("centre,patient_id,volume,remark\n01,007,1.5,\n02,008,,seen\n")
    table = ImageFeaturesDataset(str(path)).load()
    read = read_features(table, feature_parameters(id_column="patient_id", id_pattern="(.+)"))
    assert list(read.index) == ["007", "008"]
    assert read["volume"].tolist() == [1.5, pytest.approx(np.nan, nan_ok=True)]
    assert list(read) == ["centre", "volume"]


def test_a_row_without_an_identifier_is_not_used(tmp_path):
    path = tmp_path / "features.csv"
    path.write_text("patient_id,volume\nA,1.5\n,\n,2\n")
    table, everybody = ImageFeaturesDataset(str(path)).load(), "(.+)"
    read = read_features(table, feature_parameters(id_column="patient_id", id_pattern=everybody))
    assert list(read.index) == patients_with_features(table, "patient_id", everybody) == ["A"]


def test_a_patient_of_whom_no_feature_is_known_has_none(tmp_path):
    path = tmp_path / "features.csv"
    path.write_text("patient_id,volume,surface,remark\nA,1.5,\nB,,,\nC,,,not segmented\nD,inf,,\n")
    table, everybody = ImageFeaturesDataset(str(path)).load(), "(.+)"
    read = read_features(table, feature_parameters(id_column="patient_id", id_pattern=everybody))
    assert list(read.index) == ["A"]
    assert patients_with_features(table, "patient_id", everybody, ignored=["remark"]) == ["A", "D"]


def test_a_patient_without_features_gets_no_score(cohort, partition):
    scores, _ = score_features(features_of(cohort).iloc[1:], cohort, partition, feature_parameters(), seed=0)
    assert "P000" not in set(scores.table["patient_id"])
    assert all("P000" not in patients for patients in scores.fitted_on.values())


def test_fewer_patients_of_an_outcome_than_inner_folds_are_an_error_and_choose_no_penalty(cohort, partition):
    long_term = cohort.loc[cohort["outcome"] == "long_term", "patient_id"]
    few = features_of(cohort[~cohort["patient_id"].isin(long_term[5:])])
    with pytest.raises(TrainingError, match=r"5 long-term and .* lower hybrid\.features\.inner_folds"):
        score_features(few, cohort, partition, feature_parameters(inner_folds=6), seed=0)


def test_missing_features_are_filled_from_the_patients_that_the_model_sees(cohort, partition):
    table = features_of(cohort)
    table.loc[::4, "signal"] = np.nan
    scores, _ = score_features(table, cohort, partition, feature_parameters(), seed=0)
    assert scores.table["probability"].notna().all()


def test_changing_a_test_patient_changes_nobody_elses_score(cohort, partition):
    table = features_of(cohort)
    poisoned = table.copy()
    poisoned.loc[poisoned["scan"].isin([f"{p}_11" for p in partition.splits[0].test[1:]]), "signal"] = 1e9
    first, second = (
        score_features(one, cohort, partition, feature_parameters(), seed=0)[0].table.set_index("patient_id")
        for one in (table, poisoned)
    )
    kept = [*partition.splits[0].training, partition.splits[0].test[0]]
    pd.testing.assert_frame_equal(first.loc[kept], second.loc[kept])


def test_the_papers_model_says_whom_it_has_seen(cohort, partition):
    scores = score_features_as_paper(features_of(cohort), cohort, partition, feature_parameters(), seed=0)
    in_sample = scores.table.loc[scores.table["role"] == "in_sample", "patient_id"]
    assert set(in_sample) == set(scores.fitted_on["paper"]) == set(partition.paper.seen)
