"""From slices and outcomes of training patients to the hyperparameters to train with."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

from gliocast.errors import ConfigurationError, Problem, TrainingError
from gliocast.model.classes import classes_of
from gliocast.model.material import FoldIndices, determined
from gliocast.model.out_of_fold import refuse_untrainable_partition
from gliocast.model.parameters import ModelParameters
from gliocast.model.stacks import SliceStacks
from gliocast.progress import bars
from gliocast.tuning.figures import of_first_split, reasoned_figures, study_figures
from gliocast.tuning.fingerprint import fingerprint_of_search
from gliocast.tuning.ledger import give_back_failed, places_taken
from gliocast.tuning.optuna_types import Study
from gliocast.tuning.parameters import TuningParameters
from gliocast.tuning.presence import running
from gliocast.tuning.results import (
    as_asked_for,
    configured_hyperparameters,
    shown_trials,
    trials_table,
    tuned_hyperparameters,
)
from gliocast.tuning.search import Search, Watch
from gliocast.tuning.storage import StudyStorage
from gliocast.tuning.training import FoldTrainer, refuse_unmeasurable
from gliocast.tuning.workers import work_together
from gliocast.types import Figure, Partition, Split

logger = logging.getLogger(__name__)
Tuned = tuple[dict[str, Any], pd.DataFrame, dict[str, Figure]]  # hyperparameters, trials, figures by name


def tune(
    slice_stacks: SliceStacks,
    training_cohort: pd.DataFrame,
    partition: Partition,
    model: ModelParameters,
    tuning: TuningParameters,
    seed: int,
    storage: StudyStorage,
) -> Tuned:
    """Seek learning rate, weight decay and dropout by tree-structured Parzen estimators (Moreau et al., section 2.3).

    Each split has a search of its own inside its training patients, so that no test patient has a part in any; and a
    study of its own in the same storage, so that one whose patients are unchanged is not searched again. Each trial
    fits on a fold's fitting patients and is judged by its stopping patients; those whom the fold holds out, and the
    test patients, are not read. One split's slices are in memory at a time.

    Args:
        slice_stacks: the patients' slices.
        training_cohort: the training patients of all splits with their outcomes.
        partition: the splits; of each the first `tuning.folds` folds are used.
        model: the network; its hyperparameters are the configured ones.
        tuning: the search.
        seed: of all draws and all trainings.
        storage: where the studies are kept, and continued from.

    Raises:
        as `refuse_unsearchable` does before the first search.
        ConfigurationError: a study searched something else before, or its storage cannot be reached.
        ArtefactError: a study's journal is damaged or cannot be written.
        TrainingError: no trial succeeded, or too many failed one after the other.
    """
    refuse_unsearchable(training_cohort, partition, model, tuning)

    def tuned(split: Split, own: TuningParameters) -> Tuned:
        logger.info("Tuning: split %s.", split.name)
        search = search_in(split, slice_stacks, training_cohort, model, own, seed, storage)
        hyperparameters, trials, figures = run_search(search)
        return {**hyperparameters, "split": split.name}, trials.assign(split=split.name), figures

    if len(partition.splits) == 1:
        return tuned(partition.splits[0], tuning)
    return joined([tuned(split, named_by_split(tuning, split)) for split in partition.splits])


def refuse_unsearchable(
    training_cohort: pd.DataFrame, partition: Partition, model: ModelParameters, tuning: TuningParameters
) -> None:
    """Refuse the folds that no trial could train on or be judged by, or no network after it, before any is searched.

    Raises:
        ConfigurationError: there are fewer folds than `tuning.folds`, or an AUC is asked of patients of one outcome.
        TrainingError: a fold lacks a class, or nobody stops its training.
    """
    patients, classes = tuple(training_cohort["patient_id"]), classes_of(training_cohort, model)
    searched = {
        name: determined(fold, classes)
        for split in partition.splits
        for name, fold in zip(split.named_folds, fold_positions(split, patients, tuning.folds), strict=False)
    }
    refuse_untrainable_partition(partition, patients, classes, model)
    refuse_unmeasurable(searched, classes, model, tuning.measure)


def untuned(model: ModelParameters, reason: str) -> Tuned:
    """The configured hyperparameters, no trials, and in each figure the reason."""
    return configured_hyperparameters(model.hyperparameters, reason), trials_table([]), reasoned_figures(reason)


def search_in(
    split: Split,
    slice_stacks: SliceStacks,
    training_cohort: pd.DataFrame,
    model: ModelParameters,
    tuning: TuningParameters,
    seed: int,
    storage: StudyStorage,
) -> Search:
    """The search inside one split; see `tune`."""
    patients = searched_patients(split, tuning.folds)
    classes = classes_of(training_cohort.set_index("patient_id").loc[list(patients)], model)
    params = model.model_copy(update={"epochs": tuning.epochs or model.epochs})
    folds = fold_positions(split, patients, tuning.folds)
    trainer = FoldTrainer(slice_stacks.load(patients), classes, folds, params, tuning.measure, seed)
    return Search(
        train=trainer,
        tuning=tuning,
        configured=model.hyperparameters,
        fingerprint=fingerprint_of_search(
            tuning, model.hyperparameters, params.epochs, seed, trainer.settings(), trainer.digests()
        ),
        epochs=params.epochs,
        seed=seed,
        storage=storage,
        patient_ids=patients,
    )


def run_search(search: Search) -> Tuned:
    """Work on the study until all its trials have ended, and tell what it has come to.

    Raises:
        TrainingError: no trial succeeded, or too many failed one after the other.
    """
    try:
        with trial_bar(search.tuning.trials) as watch:
            work_together(search, watch)
        return _told(search)
    except TrainingError:
        with search.opened() as (study, _):
            give_back_failed(study)
        raise


@contextmanager
def trial_bar(trials: int) -> Iterator[Watch]:
    """A bar of the trials that have ended in all processes, with the time left; none where nobody watches."""
    with bars() as shown:
        bar = shown.add_task("Tuning, trials", total=trials)

        def watch(study: Study) -> None:
            ended = places_taken(study) - len(running(study))
            shown.update(bar, completed=min(ended, trials))

        yield watch


def named_by_split(tuning: TuningParameters, split: Split) -> TuningParameters:
    """A configured study name with the split's behind it; none stays none, and the content names the study."""
    name = tuning.study_name and f"{tuning.study_name}-{split.name}"
    return tuning.model_copy(update={"study_name": name})


def joined(tuned: Sequence[Tuned]) -> Tuned:
    """Hyperparameters by split, one table of all trials, and the figures of the first split, which say so."""
    found = {hyperparameters["split"]: hyperparameters for hyperparameters, _, _ in tuned}
    trials = pd.concat([trials for _, trials, _ in tuned], ignore_index=True)
    first, *_ = found
    figures = {name: of_first_split(figure, first, len(found)) for name, figure in tuned[0][2].items()}
    return {"source": "tuned", "splits": found}, trials, figures


def searched_patients(split: Split, folds: int) -> tuple[str, ...]:
    """The patients that a search on the split's first folds reads: those fitted on and those that stop; sorted."""
    return tuple(sorted({patient for fold in split.folds[:folds] for patient in fold.seen}))


def fold_positions(split: Split, patient_ids: Sequence[str], folds: int) -> list[FoldIndices]:
    """Where the patients of the split's first folds stand in the stacks; those held out are left out.

    Raises:
        ConfigurationError: the split has fewer folds.
    """
    if folds > len(split.folds):
        raise ConfigurationError(_too_many_folds(folds, len(split.folds)))
    return [FoldIndices.of(fold, patient_ids) for fold in split.folds[:folds]]


def _told(search: Search) -> Tuned:
    """What the study has come to."""
    with search.opened() as (whole, _):
        study = as_asked_for(whole, search.tuning.trials)
        hyperparameters = tuned_hyperparameters(study, search.tuning)
        logger.info("Tuning: trial %(best_trial)d is the best of %(n_trials)d, %(best_value).4g.", hyperparameters)
        return hyperparameters, trials_table(shown_trials(study)), study_figures(study, search.tuning.measure)


def _too_many_folds(asked: int, there: int) -> Problem:
    remedy = "Lower tuning.folds, or use a partition with more folds."
    return Problem("–", "tuning.folds", str(asked), f"at most {there}, the folds of the split", remedy)
