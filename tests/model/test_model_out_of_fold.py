"""Folds: who is scored by whom, the ensemble on test patients, the paper's protocol beside it, several devices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from model_fakes import MemoryCheckpoints, a_cohort, a_partition, names, tiny

from gliocast.errors import ConfigurationError, LeakageError, TrainingError
from gliocast.model import out_of_fold, scoring
from gliocast.model.ensemble import Ensemble, Member
from gliocast.model.out_of_fold import jobs_of, train_out_of_fold
from gliocast.types import PATIENT_LEVEL, SCORE_COLUMNS

PATIENTS = names(24)
STACKS, CLASSES = a_cohort(24, contrast=2.0)
PARTITION = a_partition(PATIENTS, test=6)
PARAMS = tiny(epochs=6, batch_size=6, paper_protocol=False)


def trained(params=PARAMS, stacks=STACKS, seed=3, checkpoints=None, classes=CLASSES, partition=PARTITION):
    return train_out_of_fold(stacks, PATIENTS, classes, partition, params.hyperparameters, params, seed, checkpoints)


@pytest.fixture(scope="module")
def result():
    return trained()


def patient_level(scores):
    return scores.table[scores.table["slice"] == PATIENT_LEVEL].set_index("patient_id")


def test_every_training_patient_is_scored_once_by_a_network_that_has_not_seen_them(result):
    scored = patient_level(result.scores)
    assert sorted(scored.index) == list(PARTITION.splits[0].training)
    assert all(patient not in result.scores.fitted_on[model] for patient, model in scored["model"].items())


def test_scores_have_the_shared_columns_and_one_row_a_slice_and_a_patient(result):
    assert tuple(result.scores.table.columns) == SCORE_COLUMNS
    assert len(result.scores.table) == len(PARTITION.splits[0].training) * (3 + 1)


def test_a_patients_logit_is_the_mean_of_the_slices(result):
    table = result.scores.table
    of_slices = table[table["slice"] != PATIENT_LEVEL].groupby("patient_id")["logit"].mean()
    assert np.allclose(patient_level(result.scores)["logit"].sort_index(), of_slices.sort_index())


def test_the_planted_signal_is_found_on_patients_held_out(result):
    scored = patient_level(result.scores)["logit"]
    long_term = np.array([CLASSES[PATIENTS.index(patient)] == 1 for patient in scored.index])
    assert scored[long_term].mean() > scored[~long_term].mean()


def test_full_memory_while_scoring_ends_in_a_sentence(monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(out_of_fold, "member_logits", full)
    with pytest.raises(TrainingError, match=r"the memory for holdout/fold0 is full"):
        trained()


def test_full_memory_while_new_patients_are_scored_ends_in_a_sentence(result, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(scoring, "stack_logits", full)
    with pytest.raises(TrainingError, match=r"the memory for the scores of holdout is full"):
        scoring.scorer_of(result.ensemble, "holdout").score(STACKS[:1], ("P999",))


def test_patients_are_scored_in_whole_float32(result, monkeypatch):
    scorer, seen = scoring.scorer_of(result.ensemble, "holdout"), []
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    scorer.networks[0].register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    scorer.score(STACKS[:1], ("P999",))
    assert seen == [False]


def test_altering_held_out_and_test_patients_changes_no_weight(result):
    fold = PARTITION.splits[0].folds[0]
    poisoned = STACKS.copy()
    poisoned[[PATIENTS.index(patient) for patient in (*fold.held_out, *PARTITION.splits[0].test)]] = 0
    again = trained(stacks=poisoned)
    one, other = result.ensemble.members[0].weights, again.ensemble.members[0].weights
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_test_patients_are_scored_by_the_mean_logit_of_the_folds(result):
    test = PARTITION.splits[0].test
    stacks = STACKS[[PATIENTS.index(patient) for patient in test]]
    scored = patient_level(scoring.score_patients(result.ensemble, stacks, test, PARTITION.splits[0]))
    alone = [scoring.member_logits(member, PARAMS, stacks)[1] for member in result.ensemble.members]
    assert np.allclose(scored.loc[list(test), "logit"], np.mean(alone, axis=0))
    assert set(scored["role"]) == {"test"}


def test_patients_who_come_one_by_one_are_scored_as_together_by_networks_that_are_built_once(result, monkeypatch):
    test, built = PARTITION.splits[0].test, []
    stacks = STACKS[[PATIENTS.index(patient) for patient in test]]
    together = scoring.score_patients(result.ensemble, stacks, test, PARTITION.splits[0]).table
    build = scoring.build_network
    monkeypatch.setattr(scoring, "build_network", lambda *given: built.append(0) or build(*given))
    scorer = scoring.scorer_of(result.ensemble, "holdout")
    alone = scoring.joined([scorer.score(stacks[[place]], (who,)) for place, who in enumerate(test)]).table
    assert len(built) == len(result.ensemble.members)
    assert alone.drop(columns=["logit", "probability"]).equals(together.drop(columns=["logit", "probability"]))
    assert np.allclose(alone["logit"], together["logit"])


def test_a_patient_whom_a_network_has_seen_is_never_scored_as_test(result):
    seen = result.ensemble.members[0].fitted_on[:1]
    with pytest.raises(LeakageError, match=f"{seen[0]}: a test patient is seen in training"):
        scoring.score_patients(result.ensemble, STACKS[:1], seen, PARTITION.splits[0])


@pytest.mark.parametrize(
    ("ensemble", "expected"),
    [
        (Ensemble(PARAMS, (Member("a", "split0", {}, (), 0.1), Member("b", "split1", {}, (), 0.1))), "split0, split1"),
        (Ensemble(PARAMS, (), "image_score is features"), "there is none: image_score is features"),
    ],
)
def test_a_split_without_networks_is_told_beside_those_that_have_some(ensemble, expected):
    with pytest.raises(ConfigurationError, match=f"split is holdout; expected .*{expected}"):
        scoring.scorer_of(ensemble, "holdout")


def test_the_learning_curves_name_their_fold_and_their_best_epoch(result):
    best = result.curves[result.curves["best"]]
    assert best["fold"].tolist() == ["holdout/fold0", "holdout/fold1"]


def test_finished_folds_are_not_trained_again(monkeypatch):
    kept = MemoryCheckpoints()
    params = PARAMS.model_copy(update={"epochs": 1})
    trained(params, checkpoints=kept)
    monkeypatch.setattr("gliocast.model.training.train_epoch", lambda *_: pytest.fail("trained again"))
    trained(params, checkpoints=kept)


def test_the_papers_network_knows_which_patients_it_has_seen():
    done = trained(PARAMS.model_copy(update={"epochs": 1, "paper_protocol": True}))
    roles = patient_level(done.paper_scores)["role"]
    assert set(roles[roles == "in_sample"].index) == set(PARTITION.paper.seen)
    assert done.paper_scores.fitted_on == {"paper": PARTITION.paper.seen}
    assert set(roles[roles == "test"].index) == set(PARTITION.paper.held_out)


def test_the_papers_network_is_none_of_the_folds_and_changes_none_of_them():
    params = PARAMS.model_copy(update={"epochs": 1})
    without, beside = trained(params), trained(params.model_copy(update={"paper_protocol": True}))
    assert [member.name for member in beside.ensemble.members] == ["holdout/fold0", "holdout/fold1"]
    assert beside.scores.table.equals(without.scores.table)
    assert beside.curves["fold"].unique().tolist() == ["holdout/fold0", "holdout/fold1", "paper"]
    assert without.paper_scores.table.empty


def test_several_devices_give_the_same_networks_as_one(caplog, recwarn):
    caplog.set_level("INFO")
    params = PARAMS.model_copy(update={"epochs": 1, "paper_protocol": True})
    three_folds = a_partition(PATIENTS, test=6, folds=3)
    one = trained(params, partition=three_folds)
    both = trained(params.model_copy(update={"devices": ("cpu", "cpu")}), partition=three_folds)
    assert [member.name for member in both.ensemble.members] == [member.name for member in one.ensemble.members]
    for alone, beside in zip(one.ensemble.members, both.ensemble.members, strict=True):
        assert all(np.array_equal(alone.weights[name], beside.weights[name]) for name in alone.weights)
    assert both.paper_scores.table.equals(one.paper_scores.table)
    ends = [line for line in caplog.messages if "best epoch" in line]
    assert len(ends) == 8 and set(ends[:4]) == set(ends[4:]), "other processes log as this one does"
    assert not recwarn


def test_each_fold_has_a_seed_of_its_own():
    seeds = [job.seed for job in jobs_of(PARTITION, PARAMS.hyperparameters, seed=3)]
    assert len(set(seeds)) == 2
    assert seeds == [job.seed for job in jobs_of(PARTITION, PARAMS.hyperparameters, seed=3)]
    assert not set(seeds) & {job.seed for job in jobs_of(PARTITION, PARAMS.hyperparameters, seed=4)}


def test_each_split_trains_with_its_own_hyperparameters():
    (split,) = PARTITION.splits
    two = replace(PARTITION, splits=(split, replace(split, name="other")))
    found = {
        name: {**PARAMS.hyperparameters.model_dump(), "dropout": at}
        for name, at in {split.name: 0.1, "other": 0.4}.items()
    }
    jobs = jobs_of(two, {"source": "tuned", "splits": found}, seed=3)
    assert {(job.split, job.hyperparameters.dropout) for job in jobs} == {(split.name, 0.1), ("other", 0.4)}


def test_a_split_without_hyperparameters_of_its_own_is_not_given_those_of_another():
    with pytest.raises(KeyError):
        jobs_of(PARTITION, {"splits": {"other": PARAMS.hyperparameters.model_dump()}}, seed=3)
