"""Out-of-fold training as one job: the folds share the loaded slices, and each can be restarted alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from gliocast.model.checkpoints import Checkpoints
from gliocast.model.device import choose_devices, derived_seed, resident
from gliocast.model.endings import clear_ending, refuse_untrainable
from gliocast.model.ensemble import Ensemble, Member
from gliocast.model.material import FoldIndices, determined, positions
from gliocast.model.parameters import Hyperparameters, ModelParameters
from gliocast.model.precision import arithmetic
from gliocast.model.progress import OnEpoch, Told, fold_progress, logged_through, relayed
from gliocast.model.scoring import joined, member_logits, score_table
from gliocast.model.tensorboard import followed_in
from gliocast.model.tensors import Device
from gliocast.model.training import EpochReport, train_fold
from gliocast.processes import in_processes
from gliocast.types import Fold, Partition, Role, Scores

log = logging.getLogger(__name__)
PAPER_MODEL = "paper"
PAPER_STREAM = 1_000_003  # keeps the paper's model's random numbers apart from those of any fold


@dataclass(frozen=True)
class OutOfFold:
    """The networks of all folds, all learning curves, and the scores of the patients each fold held out.

    `paper_scores` are those that the paper's single network gives to everyone (section 2.3), as the paper does: its
    scores of patients that it has seen bear the role `in_sample`. They are for showing the leak, never for a result.
    """

    ensemble: Ensemble
    curves: pd.DataFrame  # split, fold, epoch, train_loss, stop_loss, learning_rate, best
    scores: Scores
    paper_scores: Scores


@dataclass(frozen=True)
class Job:
    """The training of one fold: its name, its split, its fold, its seed and the hyperparameters of its split."""

    name: str
    split: str
    fold: Fold
    seed: int
    hyperparameters: Hyperparameters


def train_out_of_fold(
    stacks: Float[Any, "patients slices height width"],
    patient_ids: Sequence[str],
    classes: Int[np.ndarray, " patients"],
    partition: Partition,
    hyperparameters: Hyperparameters | Mapping[str, Any],
    params: ModelParameters,
    seed: int,
    checkpoints: Checkpoints | None = None,
) -> OutOfFold:
    """Train one network a fold of every split, and score with it only the patients that it has not seen.

    With `params.paper_protocol` the paper's single network is trained in the same job: on the paper's partition, with
    the first split's hyperparameters. The classes of its test patients, who are those of the first split, are not read.

    Args:
        stacks: the patients' slices.
        patient_ids: one a stack; every patient of every fold is among them.
        classes: class of each patient (see `train_fold`).
        partition: the splits and their folds.
        hyperparameters: learning rate, weight decay and dropout, for all splits or by split (see `of_split`).
        params: everything else of network and training.
        seed: of the whole job; every fold has its own, derived from it.
        checkpoints: where to go on from; finished folds are not trained again.

    Raises:
        TrainingError: a fold cannot be trained.
    """
    refuse_untrainable_partition(partition, patient_ids, classes, params)
    jobs = jobs_of(partition, hyperparameters, seed)
    papers = [_papers_job(partition, hyperparameters, seed)] if params.paper_protocol else []
    cohort = TrainingMaterial(stacks, tuple(patient_ids), classes, params)
    trained = _train_all([*jobs, *papers], cohort, checkpoints)
    members = tuple(member for member, _ in trained)
    of_folds, of_paper = members[: len(jobs)], members[len(jobs) :]
    scores = [_held_out_scores(job, member, cohort) for job, member in zip(jobs, of_folds, strict=True)]
    paper_scores = [_papers_scores(job, member, cohort) for job, member in zip(papers, of_paper, strict=True)]
    curves = pd.concat([curve for _, curve in trained], ignore_index=True)
    return OutOfFold(Ensemble(params, of_folds), curves, joined(scores), joined(paper_scores))


def refuse_untrainable_partition(
    partition: Partition, patient_ids: Sequence[str], classes: Int[np.ndarray, " patients"], params: ModelParameters
) -> None:
    """Refuse, all at once, the folds of all splits, and the paper's own, that cannot be trained on.

    Raises:
        TrainingError: a fold lacks a class, or nobody stops its training.
    """
    folds = {name: fold for split in partition.splits for name, fold in split.named_folds.items()}
    papers = {PAPER_MODEL: partition.paper} if params.paper_protocol else {}
    known = {name: determined(FoldIndices.of(fold, patient_ids), classes) for name, fold in (folds | papers).items()}
    refuse_untrainable(known, classes, params.classes)


def jobs_of(partition: Partition, hyperparameters: Hyperparameters | Mapping[str, Any], seed: int) -> list[Job]:
    """The training of each fold of each split, with a seed of its own and the split's hyperparameters."""
    found = {split.name: of_split(hyperparameters, split.name) for split in partition.splits}
    return [
        Job(name, split.name, fold, derived_seed(seed, number, place), found[split.name])
        for number, split in enumerate(partition.splits)
        for place, (name, fold) in enumerate(split.named_folds.items())
    ]


def of_split(hyperparameters: Hyperparameters | Mapping[str, Any], split: str) -> Hyperparameters:
    """The hyperparameters of one split: those under its name in `splits`, where there are any; else they hold for all.

    Those chosen with another split's training patients may have been chosen with this split's test patients.
    """
    if isinstance(hyperparameters, Mapping) and "splits" in hyperparameters:
        return Hyperparameters.model_validate(hyperparameters["splits"][split])
    return Hyperparameters.model_validate(hyperparameters)


def _papers_job(partition: Partition, hyperparameters: Hyperparameters | Mapping[str, Any], seed: int) -> Job:
    found = of_split(hyperparameters, partition.splits[0].name)
    return Job(PAPER_MODEL, PAPER_MODEL, partition.paper, derived_seed(seed, PAPER_STREAM), found)


@dataclass(frozen=True)
class TrainingMaterial:
    """What all folds share."""

    stacks: Any
    patient_ids: tuple[str, ...]
    classes: Int[np.ndarray, " patients"]
    params: ModelParameters


def _train_all(
    jobs: Sequence[Job], cohort: TrainingMaterial, checkpoints: Checkpoints | None
) -> list[tuple[Member, pd.DataFrame]]:
    """One after the other on one device; with several, as many at once as there are devices."""
    devices = choose_devices(cohort.params.devices)
    for device in dict.fromkeys(devices):
        precision = arithmetic(cohort.params, device, cohort.stacks.shape[-1])
        log.info("Networks are trained on %s in %s.", device, precision)
    if len(devices) > 1 and len(jobs) > 1:
        return _train_side_by_side(jobs, cohort, checkpoints, devices)
    shared = replace(cohort, stacks=resident(cohort.stacks, devices[0]))
    with fold_progress([job.name for job in jobs], cohort.params.epochs) as start:
        return [_train_one(job, shared, checkpoints, devices[0], start(job.name)) for job in jobs]


def _train_side_by_side(
    jobs: Sequence[Job], cohort: TrainingMaterial, checkpoints: Checkpoints | None, devices: Sequence[Device]
) -> list[tuple[Member, pd.DataFrame]]:
    """A process a device, each with its share of the folds; joblib maps the slices into all of them once."""
    used = devices[: len(jobs)]
    count = len(used)
    with fold_progress([job.name for job in jobs], cohort.params.epochs, count) as start, relayed(start) as told:
        in_turn = partial(_train_in_turn, cohort, checkpoints, told)
        work = [(jobs[n::count], used[n]) for n in range(count)]
        shares = list(in_processes(count, in_turn, work, mmap_mode="c"))  # c: torch wants arrays that it may write to
    return [shares[place % count][place // count] for place in range(len(jobs))]


def _train_in_turn(
    cohort: TrainingMaterial, checkpoints: Checkpoints | None, told: Told, share: tuple[Sequence[Job], Device]
) -> list[tuple[Member, pd.DataFrame]]:
    def tell(name: str, report: EpochReport) -> None:
        told.put((name, report))

    jobs, device = share
    with logged_through(told):
        shared = replace(cohort, stacks=resident(cohort.stacks, device))
        return [_train_one(job, shared, checkpoints, device, partial(tell, job.name)) for job in jobs]


def _train_one(
    job: Job,
    cohort: TrainingMaterial,
    checkpoints: Checkpoints | None,
    device: Device,
    on_epoch: OnEpoch | None = None,
) -> tuple[Member, pd.DataFrame]:
    with followed_in(cohort.params.tensorboard_folder, job.name, on_epoch) as follow:
        trained = train_fold(
            cohort.stacks,
            cohort.classes,
            FoldIndices.of(job.fold, cohort.patient_ids),
            job.hyperparameters,
            cohort.params,
            job.seed,
            name=job.name,
            device=device,
            checkpoints=checkpoints,
            on_epoch=follow,
        )
    log.info("%s: best epoch %d of %d, loss %.3f", job.name, trained.best_epoch, len(trained.curve), trained.stop_loss)
    curve = trained.curve.assign(split=job.split, fold=job.name, best=trained.curve["epoch"] == trained.best_epoch)
    return Member(job.name, job.split, trained.weights, job.fold.seen, job.hyperparameters.dropout), curve


def _scores(
    job: Job, member: Member, cohort: TrainingMaterial, patients: Sequence[str], roles: Role | Sequence[Role]
) -> Scores:
    with clear_ending(job.name):
        logits = member_logits(member, cohort.params, cohort.stacks[positions(patients, cohort.patient_ids)])
    return Scores(score_table(*logits, patients, job.split, roles, job.name), {job.name: job.fold.seen})


def _held_out_scores(job: Job, member: Member, cohort: TrainingMaterial) -> Scores:
    return _scores(job, member, cohort, job.fold.held_out, "out_of_fold")


def _papers_scores(job: Job, member: Member, cohort: TrainingMaterial) -> Scores:
    scored, seen = (*job.fold.seen, *job.fold.held_out), set(job.fold.seen)
    roles: list[Role] = ["in_sample" if patient in seen else "test" for patient in scored]
    return _scores(job, member, cohort, scored, roles)
