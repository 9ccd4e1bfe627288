"""Faults of the partition: too few patients before any training; a patient on both sides at every load."""

from __future__ import annotations

import copy
import json

import pandas as pd
import pytest
from kedro.io import DatasetError

from gliocast.cohort.parameters import CohortParameters, PartitionParameters
from gliocast.cohort.partition_checks import check_cohort_unchanged, check_partition
from gliocast.cohort.partition_json import partition_from_json, partition_to_json
from gliocast.cohort.partitions import partition_patients
from gliocast.datasets.partition import PartitionDataset
from gliocast.errors import PartitionError
from gliocast.pipelines.preprocessing.nodes import open_test_partition, separate_test_patients
from shipped import section

PARAMETERS = PartitionParameters(
    scheme="holdout", fractions={"train": 0.6, "validation": 0.2}, inner_folds=5, outer_folds=5, repeats=1
)


def cohort(n_long: int, n_short: int) -> pd.DataFrame:
    patients = [f"P{number:03d}" for number in range(n_long + n_short)]
    outcome = ["long_term"] * n_long + ["short_term"] * n_short
    return pd.DataFrame({"patient_id": patients, "outcome": outcome}, dtype="string")


@pytest.fixture
def stored():
    """A partition of forty patients as its file holds it."""
    return json.loads(json.dumps(partition_to_json(partition_patients(cohort(20, 20), PARAMETERS, seed=1))))


def told(stored) -> str:
    with pytest.raises(PartitionError) as error:
        partition_from_json(stored)
    return str(error.value)


# 12 one class only, or too small


@pytest.mark.parametrize(("n_long", "n_short"), [(40, 0), (0, 40), (40, 4), (3, 3)])
def test_too_few_patients_of_an_outcome_stop_before_any_training(n_long, n_short):
    with pytest.raises(PartitionError, match=f"{n_long} long_term, {n_short} short_term"):
        partition_patients(cohort(n_long, n_short), PARAMETERS, seed=1)


# 27 a patient in two partitions, also after editing the file by hand


def test_a_sound_file_is_read(stored):
    assert check_partition(partition_from_json(stored)) == []


def test_a_patient_who_trains_and_is_tested_is_named(stored):
    patient = stored["splits"][0]["test"][0]
    stored["splits"][0]["folds"][2]["fit"].append(patient)
    assert f"{patient}: split holdout, fold 3: not a training patient of the split" in told(stored)


def test_a_test_patient_who_is_held_out_in_training_is_named(stored):
    patient = stored["splits"][0]["test"][0]
    stored["splits"][0]["folds"][0]["held_out"].append(patient)
    assert f"{patient}: split holdout: test and training" in told(stored)


@pytest.mark.parametrize(("one", "other"), [("fit", "stop"), ("fit", "held_out"), ("stop", "held_out")])
def test_a_patient_in_two_parts_of_a_fold_is_named(stored, one, other):
    fold = stored["splits"][0]["folds"][0]
    patient = fold[one][0]
    fold[other].append(patient)
    assert f"{patient}: split holdout, fold 1: {one} and {other.replace('_', ' ')}" in told(stored)


def test_a_patient_who_stands_twice_in_the_test_is_named(stored):
    patient = stored["splits"][0]["test"][0]
    stored["splits"][0]["test"].append(patient)
    assert f"{patient}: split holdout: test and test" in told(stored)


def test_a_patient_in_two_parts_of_the_papers_fold_is_named(stored):
    patient = stored["paper"]["held_out"][0]
    stored["paper"]["fit"].append(patient)
    assert f"{patient}: paper: fit and held out" in told(stored)


def test_a_patient_tested_twice_in_one_repeat_is_named():
    parameters = PARAMETERS.model_copy(update={"scheme": "nested_cv"})
    stored = partition_to_json(partition_patients(cohort(20, 20), parameters, seed=1))
    patient = stored["splits"][1]["test"][0]
    stored["splits"][0]["test"] = (*stored["splits"][0]["test"], patient)
    assert f"{patient}: repeat 1: test of repeat1_fold1 and test of repeat1_fold2" in told(stored)


def test_a_patient_tested_by_two_centres_is_named():
    parameters = PARAMETERS.model_copy(update={"scheme": "leave_one_centre_out"})
    centres = cohort(20, 20).assign(centre=["A", "B"] * 20)
    stored = partition_to_json(partition_patients(centres, parameters, seed=1))
    patient = stored["splits"][1]["test"][0]
    stored["splits"][0]["test"] = (*stored["splits"][0]["test"], patient)
    assert f"{patient}: leave_one_centre_out: test of centre1 and test of centre2" in told(stored)


def test_a_training_patient_missing_from_a_fold_is_named(stored):
    patient = stored["splits"][0]["folds"][0]["fit"].pop()
    assert f"{patient}: split holdout, fold 1: absent" in told(stored)


def test_another_test_for_the_paper_is_told(stored):
    stored["paper"]["held_out"] = stored["paper"]["held_out"][1:]
    assert "the test patients of the first split" in told(stored)


def test_a_stranger_among_the_papers_training_patients_is_named(stored):
    stored["paper"]["fit"].append("GHOST")
    assert "GHOST: paper: in one of the two training sets only" in told(stored)


def test_two_splits_of_one_name_are_told():
    parameters = PARAMETERS.model_copy(update={"scheme": "nested_cv"})
    stored = partition_to_json(partition_patients(cohort(20, 20), parameters, seed=1))
    stored["splits"][1]["name"] = stored["splits"][0]["name"]
    assert "2 splits of this name" in told(stored)


def test_the_file_is_checked_each_time_that_it_is_loaded(tmp_path, stored):
    path = tmp_path / "partition.json"
    dataset = PartitionDataset(str(path))
    dataset.save(partition_from_json(copy.deepcopy(stored)))
    edited = json.loads(path.read_text())
    edited["splits"][0]["folds"][0]["held_out"].append(edited["splits"][0]["test"][0])
    path.write_text(json.dumps(edited))
    with pytest.raises(DatasetError, match="test and training") as error:  # Kedro wraps, the command line unwraps
        dataset.load()
    assert isinstance(error.value.__cause__, PartitionError)


@pytest.mark.parametrize(("seed", "n_long", "told"), [(1, 20, False), (2, 20, True), (1, 21, True)])
def test_28_a_partition_that_takes_another_ones_place_is_told(tmp_path, stored, caplog, seed, n_long, told):
    dataset = PartitionDataset(str(tmp_path / "partition.json"))
    dataset.save(partition_from_json(stored))
    assert not caplog.text
    dataset.save(partition_patients(cohort(n_long, 20), PARAMETERS, seed=seed))
    assert ("Another partition takes the stored one's place" in caplog.text) == told


def test_28_a_partition_that_cannot_be_read_is_replaced(tmp_path, stored):
    path = tmp_path / "partition.json"
    path.write_text("{")
    PartitionDataset(str(path)).save(partition_from_json(stored))
    assert PartitionDataset(str(path)).load() == partition_from_json(stored)


@pytest.mark.parametrize("stored", [None, [], "x", {}, {"scheme": "holdout", "seed": "a", "splits": 1, "paper": None}])
def test_what_is_no_partition_is_refused_in_our_words(stored):
    assert "partition" in told(stored)


def test_a_partition_without_splits_is_refused(stored):
    stored["splits"] = []
    assert "no split" in told(stored)


# 28 unknown patients, or a cohort that changed since


def test_a_patient_added_to_the_file_on_both_parts_changes_the_fingerprint(stored):
    stored["splits"][0]["test"].append("NEW")
    stored["paper"]["held_out"].append("NEW")
    assert "fingerprint of the partition's patients" in told(stored)


def test_patients_gained_and_lost_are_named_with_both_fingerprints_and_the_way_out(stored):
    partition = partition_from_json(stored)
    found = check_cohort_unchanged(partition, [f"P{number:03d}" for number in range(1, 41)])
    assert [problem.patient for problem in found] == ["–", "P040", "P000"]
    assert "40 patients (" in found[0].found
    assert found[0].found != found[0].expected
    assert "drawn anew" in found[0].remedy


@pytest.mark.parametrize("door", ["separate", "open"])
def test_neither_door_opens_for_another_cohort(stored, door):
    partition = partition_from_json(stored)
    function = {"separate": separate_test_patients, "open": open_test_partition}[door]
    with pytest.raises(PartitionError, match="P039"):
        function(cohort(20, 19), partition, CohortParameters(**section("cohort", "preprocessing")))
