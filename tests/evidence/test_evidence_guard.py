"""The leakage guard. Each guard is also broken on purpose: without it, the leak would pass."""

import pandas as pd
import pytest

from gliocast.errors import LeakageError, PartitionError
from gliocast.evidence import guard
from gliocast.types import SCORE_COLUMNS, Fold, Partition, Scores, Split


def scores(*rows, fitted_on):
    table = pd.DataFrame([("s", patient, -1, role, model, 0.0, 0.5) for patient, role, model in rows])
    return Scores(table.set_axis(list(SCORE_COLUMNS), axis=1), fitted_on)


def partition(test, fit, stop=(), held_out=("P3",)):
    return Partition("holdout", 1, (Split("s", test, (Fold(fit, stop, held_out),)),), Fold(fit, stop, test))


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


def test_a_scaler_fitted_on_everyone_is_refused():
    with pytest.raises(LeakageError, match="scaler"):
        guard.check_not_fitted_on("scaler", fitted_on=["P1", "P2", "P3"], scored=["P3"])


def test_a_threshold_chosen_on_test_patients_is_refused():
    guard.check_not_fitted_on("threshold", fitted_on=["P1", "P2"], scored=["P3"])
    with pytest.raises(LeakageError, match="threshold"):
        guard.check_not_fitted_on("threshold", fitted_on=["P1", "P2"], scored=["P2", "P3"])


def test_a_patient_in_training_and_test_is_refused():
    guard.check_partition_disjoint(partition(test=("P1",), fit=("P2",)))
    with pytest.raises(PartitionError, match="P1"):
        guard.check_partition_disjoint(partition(test=("P1",), fit=("P1", "P2")))


def test_a_patient_who_stops_the_training_of_the_fold_that_scores_him_is_refused():
    with pytest.raises(PartitionError, match="P3"):
        guard.check_partition_disjoint(partition(test=("P1",), fit=("P2",), stop=("P3",)))


def test_one_image_under_two_patients_is_refused_naming_both():
    guard.check_distinct_images(["P1", "P2"], ["aa", "bb"])
    with pytest.raises(LeakageError) as refusal:
        guard.check_distinct_images(["P1", "P2", "P3"], ["aa", "bb", "aa"])
    assert [problem.patient for problem in refusal.value.problems] == ["P1", "P3"]


def test_patients_without_image_are_no_twins():
    guard.check_distinct_images(["P1", "P2"], [None, None])


def test_two_scans_of_one_patient_are_refused():
    guard.check_one_scan_a_patient(["UCSF-PDGM-429", "UCSF-PDGM-430"])
    with pytest.raises(LeakageError) as refusal:
        guard.check_one_scan_a_patient(["UCSF-PDGM-429", "UCSF-PDGM-429_FU003d", "UPENN-GBM-00001_11"])
    assert [problem.patient for problem in refusal.value.problems] == ["UCSF-PDGM-429", "UCSF-PDGM-429_FU003d"]


def test_numbered_patients_of_one_site_are_not_scans_of_one_patient():
    guard.check_one_scan_a_patient(["GBM_01", "GBM_02", "TCGA-02-0001", "TCGA-02-0003", "P001", "P002"])


def test_numbered_scans_of_one_patient_are_refused():
    with pytest.raises(LeakageError):
        guard.check_one_scan_a_patient(["UPENN-GBM-00001_11", "UPENN-GBM-00001_21"])


def test_openings_of_the_test_partition_are_counted_once_for_each_set_of_predictions():
    assert guard.count_openings(None, "partition", "first") == 1
    before = {"first": "partition", "second": "partition", "other": "another partition"}
    assert guard.count_openings(before, "partition", "second") == 2
    assert guard.count_openings(before, "partition", "third") == 3


def test_fingerprint_of_patients_does_not_depend_on_order_or_repeats():
    assert guard.fingerprint_of_patients(["B", "A", "B"]) == guard.fingerprint_of_patients(["A", "B"])
    assert guard.fingerprint_of_patients(["A", "B"]) != guard.fingerprint_of_patients(["A", "C"])


@pytest.mark.parametrize(
    ("broken", "leak"),
    [
        ("_seen_by_models", lambda: guard.check_unseen(scores(("P1", "test", "a"), fitted_on={"a": ("P1",)}))),
        ("_unknown_models", lambda: guard.check_unseen(scores(("P1", "test", "a"), fitted_on={}))),
        ("_taught_and_tested", lambda: guard.check_partition_disjoint(partition(test=("P1",), fit=("P1",)))),
        (
            "_seen_and_held_out",
            lambda: guard.check_partition_disjoint(partition(test=("P1",), fit=("P2",), stop=("P3",))),
        ),
        ("_twins", lambda: guard.check_distinct_images(["P1", "P2"], ["aa", "aa"])),
        ("_scans_of_one_patient", lambda: guard.check_one_scan_a_patient(["P1", "P1_FU1"])),
    ],
)
def test_each_guard_is_what_stops_its_leak(monkeypatch, broken, leak):
    with pytest.raises((LeakageError, PartitionError)):
        leak()
    monkeypatch.setattr(guard, broken, lambda *_: [])
    leak()  # the mutant lets it pass, so nothing else does the guard's work
