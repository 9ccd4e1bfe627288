"""From slices and outcomes of training patients to the hyperparameters to train with."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from gliocast.errors import ConfigurationError, Problem, TrainingError
from gliocast.model.endings import refuse_untrainable
from gliocast.model.material import FoldIndices
from gliocast.model.parameters import ModelParameters
from gliocast.tuning.figures import reasoned_figures, study_figures
from gliocast.tuning.fingerprint import fingerprint_of_search
from gliocast.tuning.ledger import give_back_failed
from gliocast.tuning.parameters import TuningParameters
from gliocast.tuning.progress import trial_bar
from gliocast.tuning.results import configured_hyperparameters, shown_trials, trials_table, tuned_hyperparameters
from gliocast.tuning.search import Search
from gliocast.tuning.storage import StudyStorage
from gliocast.tuning.training import FoldTrainer
from gliocast.tuning.workers import work_together
from gliocast.types import Figure, Split

logger = logging.getLogger(__name__)
Tuned = tuple[dict[str, Any], pd.DataFrame, dict[str, Figure]]  # hyperparameters, trials, figures by name


def tune(
    stacks: Float[np.ndarray, "patients slices height width"],
    patient_ids: Sequence[str],
    classes: Int[np.ndarray, " patients"],
    split: Split,
    model: ModelParameters,
    tuning: TuningParameters,
    seed: int,
    storage: StudyStorage,
) -> Tuned:
    """Seek learning rate, weight decay and dropout by tree-structured Parzen estimators (Moreau et al., section 2.3).

    Each trial fits on a fold's fitting patients and is judged by its stopping patients; the patients that the fold
    holds out, and the test patients, are not read.

    Args:
        stacks: slice stacks of the split's training patients.
        patient_ids: one a stack.
        classes: class of each patient, -1 where undetermined.
        split: of which the first `tuning.folds` folds are used.
        model: the network; its hyperparameters are the configured ones.
        tuning: the search.
        seed: of all draws and all trainings.
        storage: where the study is kept, and continued from.

    Raises:
        ConfigurationError: the study searched something else before, its storage cannot be reached, there are fewer
            folds than `tuning.folds`, or an AUC is asked of patients who have one outcome.
        ArtefactError: the study's journal is damaged or cannot be written.
        TrainingError: a fold lacks a class, no trial succeeded, or too many failed one after the other.
    """
    params = model.model_copy(update={"epochs": tuning.epochs or model.epochs})
    folds = fold_positions(split, patient_ids, tuning.folds)
    refuse_untrainable({f"{split.name}/fold{place}": fold for place, fold in enumerate(folds)}, classes, params.classes)
    trainer = FoldTrainer(stacks, classes, folds, params, tuning.measure, seed)
    trainer.refuse_unmeasurable()
    hyperparameters, trials, figures = run_search(search_with(trainer, patient_ids, model, tuning, seed, storage))
    return {**hyperparameters, "split": split.name}, trials.assign(split=split.name), figures


def untuned(model: ModelParameters, reason: str) -> Tuned:
    """The configured hyperparameters, no trials, and in each figure the reason."""
    return configured_hyperparameters(model.hyperparameters, reason), trials_table([]), reasoned_figures(reason)


def search_with(
    trainer: FoldTrainer,
    patient_ids: Sequence[str],
    model: ModelParameters,
    tuning: TuningParameters,
    seed: int,
    storage: StudyStorage,
) -> Search:
    """The search whose trials `trainer` trains."""
    epochs = trainer.params.epochs
    return Search(
        train=trainer,
        tuning=tuning,
        configured=model.hyperparameters,
        fingerprint=fingerprint_of_search(
            tuning, model.hyperparameters, epochs, seed, trainer.settings(), trainer.digests()
        ),
        epochs=epochs,
        seed=seed,
        storage=storage,
        patient_ids=tuple(patient_ids),
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
    with search.opened() as (study, _):
        hyperparameters = tuned_hyperparameters(study, search.tuning)
        logger.info("Tuning: trial %(best_trial)d is the best of %(n_trials)d, %(best_value)r.", hyperparameters)
        return hyperparameters, trials_table(shown_trials(study)), study_figures(study, search.tuning.measure)


def _too_many_folds(asked: int, there: int) -> Problem:
    remedy = "Lower tuning.folds, or use a partition with more folds."
    return Problem("–", "tuning.folds", str(asked), f"at most {there}, the folds of the split", remedy)
