from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from hashlib import sha256

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliocast.cohort.parameters import Fractions, PartitionParameters
from gliocast.cohort.partition_checks import check_partition, cohort_sha256
from gliocast.cohort.partition_json import partition_from_json, partition_sha256, partition_to_json
from gliocast.cohort.partitions import check_size, partition_patients, rotated
from gliocast.errors import PartitionError
from gliocast.pipelines.preprocessing import create_pipeline

PAPER = Fractions(train=0.6, validation=0.2)
SCHEMES = ("holdout", "nested_cv", "leave_one_centre_out")


def parameters(scheme: str = "holdout", inner: int = 5, outer: int = 5, repeats: int = 1) -> PartitionParameters:
    return PartitionParameters(scheme=scheme, fractions=PAPER, inner_folds=inner, outer_folds=outer, repeats=repeats)


def cohorts(least: int) -> st.SearchStrategy[pd.DataFrame]:
    """Cohorts of any identifiers, with at least so many patients of each outcome."""
    identifiers = st.lists(
        st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True), min_size=2 * least, max_size=60, unique=True
    )
    return identifiers.flatmap(
        lambda found: st.integers(least, len(found) - least).map(lambda n_long: labelled(found, n_long))
    )


def labelled(identifiers: list[str], n_long: int) -> pd.DataFrame:
    outcome = ["long_term"] * n_long + ["short_term"] * (len(identifiers) - n_long)
    centre = ["ABC"[place % 3] for place in range(len(identifiers))]
    return pd.DataFrame({"patient_id": identifiers, "outcome": outcome, "centre": centre}, dtype="string")


def shares(patients: tuple[str, ...], cohort: pd.DataFrame) -> Counter[str]:
    return Counter(cohort.set_index("patient_id")["outcome"][list(patients)])


def test_the_papers_175_patients_are_parted_into_104_34_and_37(a_cohort):
    partition = partition_patients(a_cohort(89, 86), parameters(), seed=1)
    assert [len(part) for part in (partition.paper.fit, partition.paper.stop, partition.paper.held_out)] == [
        104,
        34,
        37,
    ]
    assert partition.splits[0].test == partition.paper.held_out


def test_a_cohort_that_cannot_be_parted_is_refused_before_its_images_are_cut():
    nodes = [node.name for node in create_pipeline().nodes]
    assert nodes.index("check_cohort_size") < nodes.index("extract_slices")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_too_few_patients_to_part_are_refused_before_anybody_is_left_out(a_cohort, scheme):
    enough = a_cohort(20, 20)
    check_size(enough, parameters(scheme))
    with pytest.raises(PartitionError, match=r"[23] short_term; expected at least"):
        check_size(a_cohort(20, 3), parameters(scheme))
    undetermined = enough.assign(outcome=enough["outcome"].mask(enough["outcome"] == "short_term"))
    with pytest.raises(PartitionError, match="0 short_term"):
        check_size(undetermined, parameters(scheme))
    check_size(enough.assign(outcome=pd.NA), parameters(scheme))  # nobody is left: the patient flow says why


def test_patients_without_a_centre_may_still_be_left_out_unless_nobody_has_one(a_cohort):
    cohort = a_cohort(20, 20)
    first = cohort.index == 0
    check_size(cohort.assign(centre=cohort["centre"].mask(first)), parameters("leave_one_centre_out"))
    with pytest.raises(PartitionError, match="missing for 40 patients"):
        check_size(cohort.assign(centre=pd.NA), parameters("leave_one_centre_out"))


def test_every_outcome_is_parted_in_the_same_proportion(a_cohort):
    cohort = a_cohort(100, 50)
    partition = partition_patients(cohort, parameters(), seed=1)
    assert shares(partition.paper.held_out, cohort) == {"long_term": 20, "short_term": 10}
    assert shares(partition.paper.fit, cohort) == {"long_term": 60, "short_term": 30}


def test_each_training_patient_is_held_out_once_and_stops_once(a_cohort):
    split = partition_patients(a_cohort(40, 40), parameters(), seed=1).splits[0]
    assert Counter(patient for fold in split.folds for patient in fold.held_out) == Counter(split.training)
    assert Counter(patient for fold in split.folds for patient in fold.stop) == Counter(split.training)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_order_of_the_rows_does_not_matter(a_cohort, scheme):
    cohort = a_cohort(30, 33)
    shuffled = cohort.sample(frac=1, random_state=5)
    assert partition_patients(cohort, parameters(scheme), 7) == partition_patients(shuffled, parameters(scheme), 7)


def test_another_seed_draws_another_test(a_cohort):
    cohort = a_cohort(30, 33)
    first, second = (partition_patients(cohort, parameters(), seed) for seed in (1, 2))
    assert first.splits[0].test != second.splits[0].test


def test_nested_cross_validation_tests_everyone_once_a_repeat(a_cohort):
    cohort = a_cohort(30, 33)
    splits = partition_patients(cohort, parameters("nested_cv", outer=4, repeats=3), seed=1).splits
    assert len(splits) == 12
    for repeat in ("repeat 1", "repeat 2", "repeat 3"):
        tested = [patient for split in splits if split.stratum == repeat for patient in split.test]
        assert sorted(tested) == sorted(cohort["patient_id"])
    assert splits[0].test != splits[4].test


def test_leaving_one_centre_out_tests_each_centre_and_trains_on_the_others(a_cohort):
    cohort = a_cohort(30, 33)
    splits = partition_patients(cohort, parameters("leave_one_centre_out"), seed=1).splits
    assert [split.stratum for split in splits] == ["A", "B", "C"]
    for split in splits:
        assert sorted(split.test) == sorted(cohort.loc[cohort["centre"] == split.stratum, "patient_id"])


@settings(max_examples=40)
@given(cohort=cohorts(least=12), scheme=st.sampled_from(SCHEMES), seed=st.integers(0, 2**32), inner=st.integers(3, 5))
def test_any_partition_is_disjoint_complete_and_stratified(cohort, scheme, seed, inner):
    try:
        partition = partition_patients(cohort, parameters(scheme, inner), seed)
    except PartitionError:  # a centre without which too few of one outcome train
        assert scheme == "leave_one_centre_out"
        return
    assert check_partition(partition) == []
    assert partition.patients == tuple(sorted(cohort["patient_id"]))
    for split in partition.splits:
        assert {*split.training, *split.test} == set(cohort["patient_id"])
        for outcome in ("long_term", "short_term"):
            sizes = [shares(fold.held_out, cohort)[outcome] for fold in split.folds]
            assert min(sizes) >= 1
            assert max(sizes) - min(sizes) <= 1
        sizes = [len(fold.held_out) for fold in split.folds]
        assert max(sizes) - min(sizes) <= 1
    assert partition_from_json(json.loads(json.dumps(partition_to_json(partition)))) == partition


@settings(max_examples=25)
@given(cohort=cohorts(least=8), seed=st.integers(0, 99))
def test_any_holdout_tests_a_fifth_of_each_outcome_or_a_little_more(cohort, seed):
    partition = partition_patients(cohort, parameters(inner=3), seed)
    for outcome, n in cohort["outcome"].value_counts().items():
        tested = shares(partition.splits[0].test, cohort)[outcome]
        assert 0.2 * n <= tested + 1e-9 < 0.2 * n + 2


@pytest.mark.parametrize(("n_long", "n_short"), [(30, 0), (30, 6), (6, 30)])
def test_too_few_of_one_outcome_is_told_with_the_counts(a_cohort, n_long, n_short):
    with pytest.raises(PartitionError, match=f"{n_long} long_term, {n_short} short_term; expected at least 7"):
        partition_patients(a_cohort(n_long, n_short), parameters(), seed=1)


def test_just_enough_patients_can_be_parted(a_cohort):
    cohort = a_cohort(30, 7)
    for fold in partition_patients(cohort, parameters(), seed=1).splits[0].folds:
        assert shares(fold.held_out, cohort)["short_term"] == 1


def test_outer_folds_need_a_patient_of_each_outcome_too(a_cohort):
    with pytest.raises(PartitionError, match="at least 10 of each outcome"):
        partition_patients(a_cohort(30, 9), parameters("nested_cv", inner=3, outer=10), seed=1)


def test_seven_of_an_outcome_are_enough_for_five_outer_and_five_inner_folds_and_six_are_not(a_cohort):
    """Of seven, two at most are tested and five train; of six, two are tested and four train."""
    cohort = a_cohort(30, 7)
    for split in partition_patients(cohort, parameters("nested_cv"), seed=1).splits:
        assert all(shares(fold.held_out, cohort)["short_term"] >= 1 for fold in split.folds)
    with pytest.raises(PartitionError, match="at least 7 of each outcome"):
        partition_patients(a_cohort(30, 6), parameters("nested_cv"), seed=1)


def test_a_centre_can_be_left_out_where_as_many_of_each_outcome_as_there_are_folds_train(a_cohort):
    cohort = a_cohort(20, 10)  # five short-term survivors in each centre
    halves = cohort.assign(centre=pd.Series(["A", "B"] * 15, dtype="string"))
    assert len(partition_patients(halves, parameters("leave_one_centre_out"), seed=1).splits) == 2
    with pytest.raises(PartitionError, match="at least 6 of each outcome"):
        partition_patients(halves, parameters("leave_one_centre_out", inner=6), seed=1)


def test_folds_by_hand():
    """Each group is held out once, the next one stops, and the others are fitted on."""
    first, second, third, fourth = rotated([["a"], ["b"], ["c"], ["d"]])
    assert (first.held_out, first.stop, first.fit) == (("a",), ("b",), ("c", "d"))
    assert (second.held_out, second.stop, second.fit) == (("b",), ("c",), ("a", "d"))
    assert (third.held_out, third.stop, third.fit) == (("c",), ("d",), ("a", "b"))
    assert (fourth.held_out, fourth.stop, fourth.fit) == (("d",), ("a",), ("b", "c"))


def test_a_patient_without_centre_cannot_be_left_out_by_centre(a_cohort):
    cohort = a_cohort(30, 30).assign(centre=pd.Series([pd.NA] + ["A", "B"] * 29 + ["A"], dtype="string"))
    with pytest.raises(PartitionError, match="missing for 1 patients"):
        partition_patients(cohort, parameters("leave_one_centre_out"), seed=1)


def test_a_single_centre_cannot_be_left_out(a_cohort):
    with pytest.raises(PartitionError, match="0 long_term, 0 short_term"):
        partition_patients(a_cohort(30, 30).assign(centre="A"), parameters("leave_one_centre_out"), seed=1)


def test_a_patient_without_outcome_cannot_be_parted(a_cohort):
    cohort = a_cohort(30, 30)
    cohort.loc[0, "outcome"] = pd.NA
    with pytest.raises(PartitionError, match="P000: outcome: undetermined"):
        partition_patients(cohort, parameters(), seed=1)


def test_the_fingerprint_changes_with_a_single_patient(a_cohort):
    partition = partition_patients(a_cohort(30, 30), parameters(), seed=1)
    assert partition_sha256(partition) == partition_sha256(replace(partition))
    assert partition_sha256(partition) != partition_sha256(replace(partition, seed=2))


def test_the_fingerprint_of_the_patients_is_that_of_their_sorted_list():
    """A file written today is read tomorrow, when sets have another order."""
    assert cohort_sha256(["B", "A", "B"]) == sha256(b'["A", "B"]').hexdigest()
