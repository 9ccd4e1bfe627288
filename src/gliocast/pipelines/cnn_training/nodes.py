"""Nodes of the cnn_training pipeline that train and score. None of them knows the outcome of a test patient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from gliocast.model.checkpoints import Checkpoints
from gliocast.model.classes import UNDETERMINED, classes_of
from gliocast.model.ensemble import Ensemble
from gliocast.model.parameters import ModelParameters
from gliocast.model.stacks import SliceStacks
from gliocast.types import ImageScoreKind, Partition, Scores, Table

CURVE_COLUMNS = ("split", "fold", "epoch", "train_loss", "stop_loss", "learning_rate", "best")


def train_cnn(
    slice_stacks: SliceStacks,
    training_cohort: pd.DataFrame,
    partition: Partition,
    hyperparameters: Mapping[str, Any],
    model: ModelParameters,
    image_score: ImageScoreKind,
    seed: int,
    cnn_checkpoints: Checkpoints,
) -> tuple[Ensemble, Table, Scores, Scores]:
    """Train one network a fold, and the paper's single network beside them (Moreau et al., section 2.3).

    Returns:
        The networks of the folds, the learning curves, the scores of the patients that each fold held out, and the
        scores that the paper's network gives to everyone (empty where `model.paper_protocol` is off).
    """
    from gliocast.model.out_of_fold import train_out_of_fold
    from gliocast.model.scoring import no_scores

    if image_score != "cnn":
        return Ensemble(model, (), not_asked(image_score)), no_curves(), no_scores(), no_scores()
    patients = partition.patients
    trained = train_out_of_fold(
        slice_stacks.load(patients),
        patients,
        known_classes(patients, training_cohort, model),
        partition,
        hyperparameters,
        model,
        seed,
        cnn_checkpoints,
    )
    return trained.ensemble, trained.curves, trained.scores, trained.paper_scores


def score_test_slices(
    cnn_ensemble: Ensemble, slice_stacks: SliceStacks, partition: Partition, image_score: ImageScoreKind
) -> Scores:
    """Score every split's test patients by the networks of that split's folds, none of which has seen them."""
    from gliocast.model.scoring import joined, score_patients

    if image_score != "cnn":
        return joined([])
    return joined(
        [score_patients(cnn_ensemble, slice_stacks.load(split.test), split.test, split) for split in partition.splits]
    )


def known_classes(
    patients: tuple[str, ...], training_cohort: pd.DataFrame, model: ModelParameters
) -> Int[np.ndarray, " patients"]:
    """Class of every patient; -1 for all of whom the training cohort says nothing."""
    known = pd.Series(classes_of(training_cohort, model), index=training_cohort["patient_id"])
    return known.reindex(list(patients), fill_value=UNDETERMINED).to_numpy(dtype=np.int64)


def no_curves() -> Table:
    """A table of learning curves without rows."""
    return pd.DataFrame(columns=list(CURVE_COLUMNS))


def not_asked(image_score: ImageScoreKind) -> str:
    """Why no network is trained."""
    return f"image_score is {image_score}"
