from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tuning_fakes import a_tuning

from gliocast.errors import ConfigurationError, TrainingError
from gliocast.model import precision
from gliocast.model.parameters import Hyperparameters, ModelParameters
from gliocast.model.training import EpochReport
from gliocast.pipelines.tuning.nodes import tune_hyperparameters
from gliocast.tuning.results import TRIAL_COLUMNS
from gliocast.tuning.storage import StudyStorage
from gliocast.tuning.study import fold_positions, searched_patients
from gliocast.tuning.training import BestEpoch, FoldTrainer, measured
from gliocast.types import LONG_TERM, SHORT_TERM, Fold, Partition, Split
from shipped import section

PATIENTS = tuple(f"P{number:02d}" for number in range(16))
FOLD = Fold(fit=PATIENTS[:8], stop=PATIENTS[8:12], held_out=PATIENTS[12:14])
PARTITION = Partition("holdout", 0, (Split("holdout", PATIENTS[14:], (FOLD,)),), FOLD)


class Stacks:
    """A store of small random slices that remembers whose it was asked for; some may be altered."""

    def __init__(self, altered: Sequence[str] = (), side_px: int = 16) -> None:
        self.altered, self.side_px = set(altered), side_px
        self.asked: set[str] = set()

    def load(self, patient_ids: Sequence[str]) -> np.ndarray:
        self.asked |= set(patient_ids)
        return np.stack([self.stack(patient) for patient in patient_ids])

    def stack(self, patient: str) -> np.ndarray:
        number = int(patient[1:])
        stack = np.random.default_rng(number).normal(number % 2, 1, (2, self.side_px, self.side_px))
        return (stack * (100 if patient in self.altered else 1)).astype(np.float32)


def a_model(**changes: Any) -> ModelParameters:
    return ModelParameters.model_validate(
        {**section("model", "cnn_training"), "epochs": 2, "devices": ["cpu"], "threads": 1, **changes}
    )


def a_cohort(**altered: str) -> pd.DataFrame:
    outcome = {patient: LONG_TERM if int(patient[1:]) % 2 else SHORT_TERM for patient in PATIENTS} | altered
    return pd.DataFrame({"patient_id": list(outcome), "outcome": list(outcome.values())}).astype("str")


def tuned(
    folder: Path,
    stacks: Stacks | None = None,
    cohort: pd.DataFrame | None = None,
    image_score: Any = "cnn",
    partition: Partition = PARTITION,
    **changes: Any,
) -> tuple[Any, ...]:
    cohort = a_cohort() if cohort is None else cohort
    tuning = a_tuning(**{"trials": 2, "epochs": 2, **changes})
    storage = StudyStorage(folder / "study.log")
    return tune_hyperparameters(stacks or Stacks(), cohort, partition, a_model(), tuning, image_score, 1, storage)


def test_the_network_itself_is_tuned(tmp_path: Path):
    hyperparameters, trials, *figures = tuned(tmp_path)
    assert hyperparameters["source"] == "tuned"
    assert trials["state"].tolist() == ["complete", "complete"]
    assert trials["epochs"].tolist() == [2, 2]
    assert len(figures) == 4


def test_the_network_takes_what_tuning_found(tmp_path: Path):
    found = tuned(tmp_path, trials=1)[0]
    assert Hyperparameters.model_validate(found).learning_rate == found["learning_rate"]
    assert found["split"] == "holdout"


def nested() -> Partition:
    """Three splits, in which everyone is tested once but P12 to P15."""
    splits = []
    for place in range(3):
        test = PATIENTS[4 * place : 4 * place + 4]
        training = [patient for patient in PATIENTS[:12] if patient not in test]
        splits.append(Split(f"fold{place + 1}", test, (Fold(tuple(training[:4]), tuple(training[4:]), PATIENTS[12:]),)))
    return Partition("nested_cv", 0, tuple(splits), FOLD)


def found_in_splits(folder: Path, *, altered: Sequence[str] = (), **changes: Any) -> tuple[Any, ...]:
    """The search of each of three splits; altered patients have other images and the other outcome."""
    turned = {p: SHORT_TERM if int(p[1:]) % 2 else LONG_TERM for p in altered}
    return tuned(folder, Stacks(altered), a_cohort(**turned), partition=nested(), **changes)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory):
    return found_in_splits(tmp_path_factory.mktemp("clean"))


def test_each_split_has_a_search_of_its_own(clean):
    hyperparameters, trials, history, *_ = clean
    assert list(hyperparameters["splits"]) == ["fold1", "fold2", "fold3"]
    assert len({found["study_name"] for found in hyperparameters["splits"].values()}) == 3
    assert trials["split"].tolist() == ["fold1"] * 2 + ["fold2"] * 2 + ["fold3"] * 2
    assert history["layout"]["title"]["text"].endswith("split fold1, the first of 3")
    assert history["data"][0]["y"] == trials["value"][:2].tolist()


def test_the_order_of_the_rows_of_the_cohort_changes_nothing(tmp_path: Path):
    hyperparameters, trials, *_ = tuned(tmp_path)
    turned_over = tuned(tmp_path / "turned over", cohort=a_cohort()[::-1])
    assert turned_over[0] == hyperparameters
    assert turned_over[1]["value"].equals(trials["value"])


@pytest.mark.parametrize("split", nested().splits, ids=lambda split: split.name)
def test_a_splits_test_patients_have_no_part_in_its_hyperparameters(tmp_path: Path, clean, split: Split):
    found, poisoned = clean[0]["splits"], found_in_splits(tmp_path, altered=split.test)[0]["splits"]
    assert poisoned[split.name] == found[split.name]
    assert all(poisoned[name]["best_value"] != found[name]["best_value"] for name in found if name != split.name)


def test_a_split_whose_patients_are_unchanged_is_not_searched_again(tmp_path: Path):
    before = found_in_splits(tmp_path)[1]
    after = found_in_splits(tmp_path, altered=nested().splits[0].test)[1]
    kept = before["split"] == "fold1"
    assert after[kept].equals(before[kept])
    assert not (after["duration_s"] == before["duration_s"])[~kept].any()


WIDE = {"low": 1e-6, "high": 1e-3, "log": True}
OTHER_RANGES = {"learning_rate": WIDE, "weight_decay": WIDE, "dropout": {"low": 0.1, "high": 0.5, "log": False}}


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"stacks": Stacks(["P00"])}, "images"),
        ({"cohort": a_cohort(P00=LONG_TERM)}, "outcomes"),
        ({"ranges": OTHER_RANGES}, "ranges"),
        ({"measure": "auc"}, "measure"),
        ({"pruning": {"method": "median"}}, "method"),
        ({"epochs": 3}, "training"),
    ],
)
def test_a_named_study_refuses_to_go_on_with_other_images_outcomes_ranges_or_direction(
    tmp_path: Path, changes: dict[str, Any], part: str
):
    tuned(tmp_path, trials=1, study_name="mine")
    with pytest.raises(ConfigurationError, match=f"its {part} differ"):
        tuned(tmp_path, **{"trials": 2, "study_name": "mine", **changes})


def test_a_machine_with_other_arithmetic_has_a_study_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def on_a_machine(has_bfloat16: bool, **changes: Any) -> str:
        monkeypatch.setattr(precision, "has_bfloat16", lambda _: has_bfloat16)
        return str(tuned(tmp_path, Stacks(side_px=32), trials=1, **changes)[0]["study_name"])

    names = [on_a_machine(has_bfloat16=True), on_a_machine(has_bfloat16=False), on_a_machine(has_bfloat16=True)]
    assert names[0] == names[2] != names[1]
    on_a_machine(has_bfloat16=True, study_name="mine")
    with pytest.raises(ConfigurationError, match="its training differ"):
        on_a_machine(has_bfloat16=False, study_name="mine")


def test_another_file_of_weights_makes_another_search(tmp_path: Path):
    def settings_with(content: bytes, name: str = "weights.safetensors") -> dict[str, Any]:
        weights = tmp_path / name
        weights.write_bytes(content)
        model = a_model(weights=str(weights))
        return FoldTrainer(np.zeros((1, 1, 8, 8)), np.zeros(1, dtype=np.int64), [], model, "auc", 1).settings()

    assert settings_with(b"one") == settings_with(b"one", "moved.safetensors") != settings_with(b"other")


@pytest.mark.parametrize(("change", "is_another"), [({"threads": 2}, True), ({"checkpoint_seconds": 1}, False)])
def test_whatever_a_value_depends_on_to_its_last_digits_makes_another_search(change: dict[str, Any], is_another: bool):
    """Another number of threads adds up in another order: a search from scratch would not find the same values."""

    def settings_with(**changes: Any) -> dict[str, Any]:
        return FoldTrainer(
            np.zeros((1, 1, 8, 8)), np.zeros(1, dtype=np.int64), [], a_model(**changes), "auc", 1
        ).settings()

    assert (settings_with(**change) != settings_with()) is is_another


def test_splits_share_a_configured_name_and_no_study(tmp_path: Path):
    found = found_in_splits(tmp_path, trials=1, study_name="mine")[0]["splits"]
    assert [one["study_name"] for one in found.values()] == ["mine-fold1", "mine-fold2", "mine-fold3"]


def test_only_patients_who_fit_and_stop_are_read(tmp_path: Path):
    stacks = Stacks()
    tuned(tmp_path, stacks, trials=1)
    assert stacks.asked == set(FOLD.fit + FOLD.stop)


def test_held_out_and_test_patients_change_nothing(tmp_path: Path):
    poisoned = {"P12": "long_term", "P13": "short_term", "P14": "long_term", "P15": "short_term"}
    clean = tuned(tmp_path / "clean")[1]
    altered = tuned(tmp_path / "altered", Stacks(altered=list(poisoned)), a_cohort(**poisoned))[1]
    assert clean.drop(columns="duration_s").equals(altered.drop(columns="duration_s"))


def test_a_stopping_patient_changes_the_search_and_so_its_study(tmp_path: Path):
    first = tuned(tmp_path)[0]
    second = tuned(tmp_path, Stacks(altered=["P08"]))[0]
    assert first["study_name"] != second["study_name"]
    assert first["best_value"] != second["best_value"]


def test_zero_trials_take_the_configured_hyperparameters_and_read_no_image(tmp_path: Path):
    stacks = Stacks()
    hyperparameters, trials, history, *_ = tuned(tmp_path, stacks, trials=0)
    assert hyperparameters["source"] == "configured"
    assert hyperparameters["learning_rate"] == a_model().learning_rate
    assert hyperparameters["best_value"] is None
    assert list(trials.columns) == list(TRIAL_COLUMNS)
    assert trials.empty
    assert "tuning.trials is 0" in str(history)
    assert not stacks.asked
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("image_score", ["none", "features"])
def test_without_the_network_nothing_is_tuned_and_the_reason_is_given(tmp_path: Path, image_score: str):
    hyperparameters, trials, *_ = tuned(tmp_path, image_score=image_score)
    assert hyperparameters["reason"] == f"image_score is {image_score}"
    assert trials.empty


def test_no_patient_is_named_in_the_journal(tmp_path: Path):
    tuned(tmp_path, trials=1)
    journal = (tmp_path / "study.log").read_text()
    assert not any(patient in journal for patient in PATIENTS)


def test_more_folds_than_the_partition_has_are_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"tuning.folds: 2; expected at most 1"):
        tuned(tmp_path, folds=2)


def test_a_fold_that_lacks_a_class_is_refused_before_the_first_trial(tmp_path: Path):
    one_outcome = a_cohort(**dict.fromkeys(PATIENTS[4:12], LONG_TERM))
    second = Fold(fit=PATIENTS[4:8], stop=PATIENTS[8:12], held_out=PATIENTS[12:14])
    partition = replace(PARTITION, splits=(replace(PARTITION.splits[0], folds=(FOLD, second)),))
    with pytest.raises(TrainingError, match="holdout/fold1: 0, 4 patients by class to fit on, 4 to stop by"):
        tuned(tmp_path, cohort=one_outcome, partition=partition, folds=2)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_trained_after_the_search_is_refused_before_it(tmp_path: Path):
    """Folds beyond those that are searched in, and the paper's network where its share of validation is nobody."""
    one_outcome = a_cohort(**dict.fromkeys(PATIENTS[4:8], LONG_TERM))
    second = Fold(fit=PATIENTS[4:8], stop=PATIENTS[8:12], held_out=PATIENTS[12:14])
    splits = (replace(PARTITION.splits[0], folds=(FOLD, second)),)
    unstopped = replace(PARTITION, splits=splits, paper=replace(FOLD, stop=()))
    with pytest.raises(TrainingError, match=r"the share partition\.fractions\.validation: raise it") as error:
        tuned(tmp_path, cohort=one_outcome, partition=unstopped, folds=1)
    assert [problem.where for problem in error.value.problems] == ["holdout/fold1", "paper"]
    assert not list(tmp_path.iterdir())


def test_an_auc_of_stopping_patients_of_one_outcome_is_refused_before_the_first_trial(tmp_path: Path):
    one_outcome = a_cohort(**dict.fromkeys(FOLD.stop, SHORT_TERM))
    with pytest.raises(ConfigurationError, match="auc, and the 4 patients that stop holdout/fold0 have one outcome"):
        tuned(tmp_path, cohort=one_outcome, measure="auc")
    assert not list(tmp_path.iterdir())
    assert tuned(tmp_path, cohort=one_outcome, trials=1)[0]["source"] == "tuned"


@pytest.mark.parametrize(
    ("turned", "measure", "folds"),
    [
        (PATIENTS[:4], "log_loss", ["fold2/fold0", "fold3/fold0"]),  # all whom these are fitted on
        (PATIENTS[8:12], "auc", ["fold1/fold0", "fold2/fold0"]),  # all by whom these are stopped
    ],
)
def test_folds_of_one_outcome_are_told_of_all_splits_before_the_first_is_searched(
    tmp_path: Path, turned: tuple[str, ...], measure: str, folds: list[str]
):
    stacks = Stacks()
    with pytest.raises((TrainingError, ConfigurationError)) as error:
        tuned(tmp_path, stacks, a_cohort(**dict.fromkeys(turned, SHORT_TERM)), partition=nested(), measure=measure)
    assert re.findall(r"fold\d/fold\d", str(error.value)) == folds
    assert not stacks.asked
    assert not list(tmp_path.iterdir())


def test_positions_are_those_of_the_stacks():
    patients = searched_patients(PARTITION.splits[0], folds=1)
    (positions,) = fold_positions(PARTITION.splits[0], patients, folds=1)
    assert patients == PATIENTS[:12]
    assert positions.fit.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert positions.stop.tolist() == [8, 9, 10, 11]


def test_patients_of_folds_that_are_not_searched_are_not_read():
    (split,) = PARTITION.splits
    further = Fold(fit=PATIENTS[4:10], stop=PATIENTS[10:14], held_out=PATIENTS[:4])
    two = replace(split, folds=(split.folds[0], further))
    assert searched_patients(two, folds=1) == PATIENTS[:12]
    assert searched_patients(two, folds=2) == PATIENTS[:14]


def test_log_loss_of_one_half_is_the_logarithm_of_two():
    assert measured("log_loss", np.array([True, False]), np.array([0.5, 0.5])) == pytest.approx(math.log(2))


def test_auc_counts_pairs_and_a_tie_as_one_half():
    outcome = np.array([True, True, False, False])
    assert measured("auc", outcome, np.array([0.9, 0.5, 0.5, 0.1])) == 3.5 / 4
    assert math.isnan(measured("auc", np.array([True, True]), np.array([0.9, 0.5])))


def test_the_value_is_that_of_the_epoch_that_the_training_would_keep():
    reported: list[tuple[int, float]] = []
    best = BestEpoch(np.array([True, False]), "auc", lambda epoch, value: reported.append((epoch, value)))
    for epoch, is_best, probability in [(1, True, [0.2, 0.8]), (2, True, [0.9, 0.1]), (3, False, [0.3, 0.7])]:
        best.follow(EpochReport(epoch, 0.6, 0.5, np.array(probability), 1e-3, is_best))
    assert reported == [(1, 0.0), (2, 1.0), (3, 1.0)]


@pytest.mark.parametrize(
    ("asked", "others", "threads"), [(None, 0, None), (None, 1, 4), (None, 3, 2), (None, 20, 1), (6, 3, 6)]
)
def test_processes_on_one_machine_divide_its_threads(monkeypatch, asked: int | None, others: int, threads: int | None):
    monkeypatch.setattr("gliocast.tuning.training.n_cores", lambda: 8)
    trainer = FoldTrainer(np.zeros((1, 1, 8, 8)), np.zeros(1, dtype=np.int64), [], a_model(threads=asked), "auc", 1)
    assert trainer.beside(others).params.threads == threads
    assert trainer.for_worker(0, others + 1).params.threads == threads
