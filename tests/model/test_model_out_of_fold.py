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
from gliocast.model.material import positions
from gliocast.model.out_of_fold import jobs_of, train_out_of_fold
from gliocast.types import PATIENT_LEVEL, SCORE_COLUMNS, Fold

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
    with pytest.raises(TrainingError, match=r"the memory for holdout/fold0: full"):
        trained()


def test_full_memory_while_new_patients_are_scored_ends_in_a_sentence(result, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(scoring, "stack_logits", full)
    with pytest.raises(TrainingError, match=r"the memory for the scores of holdout: full"):
        scoring.scorer_of(result.ensemble, "holdout").score(STACKS[:1], ("P999",))


def test_networks_of_another_machines_card_score_here_and_that_is_told(result, caplog):
    moved = replace(result.ensemble, params=result.ensemble.params.model_copy(update={"devices": ("cuda:7",)}))
    here, there = (scoring.scorer_of(one, "holdout").score(STACKS[:1], ("P999",)) for one in (result.ensemble, moved))
    assert there.table.equals(here.table)
    assert "trained on cuda:7 score on" in caplog.text


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


@pytest.mark.parametrize("pooling", ["mean_logit", "mean_probability"])
def test_slices_and_patients_are_scored_by_the_mean_over_the_networks_as_slices_are_pooled(monkeypatch, pooling):
    """Two stand-ins for networks that give both slices of a patient 2, and -1."""
    params = PARAMS.model_copy(update={"pooling": pooling})
    logits = {network: (np.full((1, 2), value), np.array([value])) for network, value in (("a", 2.0), ("b", -1.0))}
    monkeypatch.setattr(scoring, "stack_logits", lambda network, *_: (network, None))
    monkeypatch.setattr(scoring, "long_term_logits", lambda network, *_: logits[network])
    table = scoring.Scorer(params, "s", ("a", "b"), torch.device("cpu"), frozenset({"P2"})).score(
        torch.zeros(1, 2, 4, 4), ["P1"]
    )
    mean_probability = (1 / (1 + np.exp(-2)) + 1 / (1 + np.exp(1))) / 2
    expected = 1 / (1 + np.exp(-0.5)) if pooling == "mean_logit" else mean_probability
    assert table.table["slice"].tolist() == [0, 1, PATIENT_LEVEL]
    assert table.table["probability"].tolist() == pytest.approx([expected] * 3)
    assert table.fitted_on == {"s": ("P2",)}


def test_a_split_is_scored_by_its_own_networks_and_knows_whom_each_of_them_has_seen(result):
    first, second = result.ensemble.members
    other = replace(first, name="other/fold0", split="other", fitted_on=("P999",))
    scorer = scoring.scorer_of(Ensemble(PARAMS, (first, other, second)), "holdout")
    assert len(scorer.networks) == 2
    assert scorer.seen == {*first.fitted_on, *second.fitted_on}
    for seen in (set(first.fitted_on) - set(second.fitted_on), set(second.fitted_on) - set(first.fitted_on)):
        with pytest.raises(LeakageError):
            scorer.score(STACKS[:1], sorted(seen)[:1])


def test_scores_of_several_are_those_of_all_with_whom_each_model_has_seen():
    one, two = (
        scoring.Scores(scoring.score_table(np.zeros((1, 1)), np.zeros(1), [who], "s", "test", model), {model: (seen,)})
        for who, model, seen in (("P1", "a", "P8"), ("P2", "b", "P9"))
    )
    both = scoring.joined([one, two])
    assert both.table["patient_id"].tolist() == ["P1", "P1", "P2", "P2"]
    assert both.fitted_on == {"a": ("P8",), "b": ("P9",)}


def test_rows_of_scores_are_the_slices_of_each_patient_and_then_the_patient():
    slice_logit, patient_logit = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.5, 3.5])
    table = scoring.score_table(slice_logit, patient_logit, ["P2", "P1"], "s", ["in_sample", "test"], "m")
    assert table["patient_id"].tolist() == ["P2"] * 3 + ["P1"] * 3
    assert table["slice"].tolist() == [0, 1, PATIENT_LEVEL] * 2
    assert table["logit"].tolist() == [1, 2, 1.5, 3, 4, 3.5]
    assert table["role"].tolist() == ["in_sample"] * 3 + ["test"] * 3
    assert table["probability"].tolist() == pytest.approx((1 / (1 + np.exp(-table["logit"]))).tolist())


def test_patients_are_found_where_they_stand_in_the_stacks():
    assert positions(("P0", "P2"), ("P2", "P0", "P1")).tolist() == [1, 0]


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


def test_patients_whom_a_network_has_seen_are_all_named_and_never_scored_as_test(result):
    seen = result.ensemble.members[0].fitted_on[:2]
    with pytest.raises(LeakageError, match=f"{seen[0]}: a test patient: seen in training") as refused:
        scoring.score_patients(result.ensemble, STACKS[:2], seen, PARTITION.splits[0])
    assert [problem.patient for problem in refused.value.problems] == list(seen)


@pytest.mark.parametrize(
    ("ensemble", "expected"),
    [
        (Ensemble(PARAMS, (Member("a", "split0", {}, (), 0.1), Member("b", "split1", {}, (), 0.1))), "split0, split1"),
        (Ensemble(PARAMS, (), "image_score is features"), "there is none: image_score is features"),
    ],
)
def test_a_split_without_networks_is_told_beside_those_that_have_some(ensemble, expected):
    with pytest.raises(ConfigurationError, match=f"split: holdout; expected .*{expected}"):
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


def test_the_papers_network_takes_what_was_found_in_the_first_split():
    (split,) = PARTITION.splits
    two = replace(PARTITION, splits=(split, replace(split, name="other")))
    found = {
        name: {**PARAMS.hyperparameters.model_dump(), "dropout": at}
        for name, at in {"holdout": 0.1, "other": 0.4}.items()
    }
    job = out_of_fold._papers_job(two, {"splits": found}, seed=3)
    assert (job.split, job.hyperparameters.dropout, job.fold) == ("paper", 0.1, PARTITION.paper)
    assert job.seed not in {fold.seed for fold in jobs_of(two, {"splits": found}, seed=3)}


def test_each_network_learns_from_its_fitting_patients_is_stopped_by_others_and_has_seen_both(monkeypatch):
    given, train_fold = {}, out_of_fold.train_fold

    def watched(stacks, classes, fold, *others, name, **more):
        given[name] = [tuple(PATIENTS[place] for place in places) for places in (fold.fit, fold.stop)]
        return train_fold(stacks, classes, fold, *others, name=name, **more)

    monkeypatch.setattr(out_of_fold, "train_fold", watched)
    done = trained(PARAMS.model_copy(update={"epochs": 1, "paper_protocol": True}))
    folds = {"holdout/fold0": PARTITION.splits[0].folds[0], "holdout/fold1": PARTITION.splits[0].folds[1]}
    assert given == {name: [fold.fit, fold.stop] for name, fold in {**folds, "paper": PARTITION.paper}.items()}
    seen = {name: (*fold.fit, *fold.stop) for name, fold in folds.items()}
    assert {member.name: member.fitted_on for member in done.ensemble.members} == done.scores.fitted_on == seen


def test_folds_of_two_splits_have_seeds_of_their_own():
    (split,) = PARTITION.splits
    two = replace(PARTITION, splits=(split, replace(split, name="other")))
    assert len({job.seed for job in jobs_of(two, PARAMS.hyperparameters, seed=3)}) == 4


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


def test_folds_that_lack_a_class_are_all_refused_before_the_first_is_trained(monkeypatch):
    monkeypatch.setattr(out_of_fold, "_train_all", lambda *_: pytest.fail("a fold was trained"))
    fit, stop, held_out = PATIENTS[:6], PATIENTS[6:10], PATIENTS[10:18]
    of_one_class = tuple(patient for patient in PATIENTS[:18] if CLASSES[PATIENTS.index(patient)] == 1)
    folds = (Fold(fit, stop, held_out), Fold(of_one_class, stop, ()), Fold(fit, (), held_out))
    partition = replace(PARTITION, splits=(replace(PARTITION.splits[0], folds=folds),))
    with pytest.raises(TrainingError) as refused:
        trained(partition=partition)
    found = [(problem.where, problem.found) for problem in refused.value.problems]
    assert found == [
        ("holdout/fold1", "0, 9 patients by class to fit on, 4 to stop by"),
        ("holdout/fold2", "3, 3 patients by class to fit on, 0 to stop by"),
    ]


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
