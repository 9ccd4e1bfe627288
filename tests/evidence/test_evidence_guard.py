"""The leakage guard. Each guard is also broken on purpose: without it, the leak would pass."""

import numpy as np
import pandas as pd
import pytest

from gliocast.cohort import partition_checks
from gliocast.datasets.openings import Openings
from gliocast.errors import ArtefactError, LeakageError, PartitionError, raise_if_any
from gliocast.evidence import guard
from gliocast.pipelines.evidence import nodes
from gliocast.pipelines.evidence.nodes import record_test_opening
from gliocast.types import SCORE_COLUMNS, Fold, Partition, Scores, Split


def scores(*rows, fitted_on):
    table = pd.DataFrame([("s", patient, -1, role, model, 0.0, 0.5) for patient, role, model in rows])
    return Scores(table.set_axis(list(SCORE_COLUMNS), axis=1), fitted_on)


def slices_of(n=8):
    """Heads alike in outline, each with a texture of its own."""
    generator = np.random.default_rng(1)
    coarse = generator.random((1, 9, 8, 8)) * 4 + generator.random((n, 9, 8, 8))
    return coarse.repeat(8, axis=2).repeat(8, axis=3)


def check_slices(stacks):
    names = [f"P{number}" for number in range(len(stacks))]
    guard.check_distinct_slices(names, lambda patients: stacks[[names.index(patient) for patient in patients]])


def test_scores_of_patients_that_the_model_has_not_seen_pass():
    guard.check_unseen(scores(("P1", "test", "a"), ("P2", "out_of_fold", "b"), fitted_on={"a": ("P2",), "b": ("P1",)}))


def test_a_test_patient_that_the_model_was_fitted_on_is_refused():
    leaking = scores(("P1", "test", "a"), ("P2", "test", "a"), fitted_on={"a": ("P1", "P3")})
    with pytest.raises(LeakageError) as refusal:
        guard.check_unseen(leaking)
    assert [problem.patient for problem in refusal.value.problems] == ["P1"]


def test_a_held_out_patient_scored_by_the_wrong_fold_is_refused():
    with pytest.raises(LeakageError, match="P1"):
        guard.check_unseen(scores(("P1", "out_of_fold", "fold 2"), fitted_on={"fold 2": ("P1",)}))


def test_a_model_that_does_not_say_whom_it_has_seen_is_refused():
    with pytest.raises(LeakageError, match="silent"):
        guard.check_unseen(scores(("P1", "test", "a"), fitted_on={}))


def test_every_leaking_patient_is_named_at_once():
    rows = [(f"P{number}", "test", "a") for number in range(5)]
    with pytest.raises(LeakageError) as refusal:
        guard.check_unseen(scores(*rows, fitted_on={"a": tuple(f"P{number}" for number in range(5))}))
    assert len(refusal.value.problems) == 5


def test_in_sample_scores_claim_nothing_and_pass():
    guard.check_unseen(scores(("P1", "in_sample", "a"), fitted_on={"a": ("P1",)}))


def test_a_threshold_chosen_on_test_patients_is_refused():
    guard.check_not_fitted_on("threshold", fitted_on=["P1", "P2"], scored=["P3"])
    with pytest.raises(LeakageError, match="threshold"):
        guard.check_not_fitted_on("threshold", fitted_on=["P1", "P2"], scored=["P2", "P3"])


def test_different_heads_are_no_twins():
    check_slices(slices_of())


@pytest.mark.parametrize("rows", [1, 3, 256])
def test_all_pairs_are_compared_however_few_rows_are_taken_at_a_time(monkeypatch, rows):
    monkeypatch.setattr(guard, "ROWS_AT_A_TIME", rows)
    with pytest.raises(LeakageError) as refusal:
        check_slices(slices_of()[[0, 1, 2, 3, 0, 5, 6, 3]])
    assert [problem.patient for problem in refusal.value.problems] == ["P0 = P4", "P3 = P7"]


@pytest.mark.parametrize("change", [lambda s: s, lambda s: 3 * s + 1, lambda s: s.astype(np.float16)])
def test_a_copy_of_an_image_is_refused_also_with_other_grey_values_or_rounded(change):
    stacks = slices_of()
    stacks[5] = change(stacks[2])
    with pytest.raises(LeakageError) as refusal:
        check_slices(stacks)
    assert [problem.patient for problem in refusal.value.problems] == ["P2 = P5"]


def test_openings_of_the_test_partition_are_counted_once_for_each_set_of_predictions():
    assert guard.count_openings([], "partition", "first") == 1
    before = [("partition", "first"), ("partition", "second"), ("another partition", "other")]
    assert guard.count_openings(before, "partition", "second") == 2
    assert guard.count_openings(before, "partition", "third") == 3


def test_the_second_look_at_the_test_partition_is_reported(tmp_path):
    ledger = Openings(tmp_path)
    looks = [predictions_of(probability) for probability in (0.5, 0.5, 0.7)]
    found = [record_test_opening(look, a_partition(), ledger)["n_openings"] for look in looks]
    assert found == [1, 1, 2]
    assert record_test_opening(predictions_of(0.7), a_partition(seed=2), ledger)["n_openings"] == 1


@pytest.mark.parametrize("content", ["[[", "[1]", "{}x"])
def test_a_damaged_ledger_is_not_taken_for_an_empty_one(tmp_path, content):
    (tmp_path / "test_openings.json").write_text(content)
    with pytest.raises(ArtefactError, match="damaged"):
        Openings(tmp_path).read()


def predictions_of(probability):
    one = scores(("P1", "test", "a"), fitted_on={"a": ("P2",)})
    return Scores(one.table.assign(probability=probability), one.fitted_on)


def a_partition(seed=1):
    fold = Fold(("P2",), (), ("P3",))
    return Partition("holdout", seed, (Split("s", ("P1",), (fold,)),), fold)


def test_fingerprint_of_patients_does_not_depend_on_order_or_repeats():
    assert guard.fingerprint_of_patients(["B", "A", "B"]) == guard.fingerprint_of_patients(["A", "B"])
    assert guard.fingerprint_of_patients(["A", "B"]) != guard.fingerprint_of_patients(["A", "C"])


def a_patient_on_both_sides():
    folds = Fold(("P2",), (), ("P1", "P3")), Fold(("P1", "P3"), (), ("P2",))
    partition = Partition("holdout", 1, (Split("s", ("P1",), folds),), Fold(("P1", "P2", "P3"), (), ("P1",)))
    raise_if_any(partition_checks.check_partition(partition), PartitionError)


@pytest.mark.parametrize(
    ("broken", "leak"),
    [
        ("_seen_by_models", lambda: guard.check_unseen(scores(("P1", "test", "a"), fitted_on={"a": ("P1",)}))),
        ("_unknown_models", lambda: guard.check_unseen(scores(("P1", "test", "a"), fitted_on={}))),
        ("_taught", lambda: guard.check_not_fitted_on("threshold", ["P1", "P2"], ["P2"])),
        ("near_twins", lambda: check_slices(slices_of()[[0, 1, 2, 3, 0]])),
    ],
)
def test_each_guard_is_what_stops_its_leak(monkeypatch, broken, leak):
    with pytest.raises(LeakageError):
        leak()
    monkeypatch.setattr(guard, broken, lambda *_: [])
    leak()  # the mutant lets it pass, so nothing else does the guard's work


def test_the_guard_of_the_partition_is_what_stops_a_patient_on_both_sides(monkeypatch):
    with pytest.raises(PartitionError, match="P1"):
        a_patient_on_both_sides()
    monkeypatch.setattr(partition_checks, "places", lambda parts: {})
    a_patient_on_both_sides()


def test_mutant_that_does_not_tell_predictions_apart_counts_one_opening(monkeypatch, tmp_path):
    monkeypatch.setattr(nodes, "sha256_of_value", lambda value: "the same")
    looks = [record_test_opening(predictions_of(chance), a_partition(), Openings(tmp_path)) for chance in (0.5, 0.7)]
    assert [look["n_openings"] for look in looks] == [1, 1]  # where the real one counts two, see above
