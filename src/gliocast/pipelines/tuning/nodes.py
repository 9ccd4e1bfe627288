"""The node of the tuning pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gliocast.model.parameters import ModelParameters
from gliocast.model.stacks import SliceStacks
from gliocast.tuning.figures import FIGURES
from gliocast.tuning.parameters import TuningParameters
from gliocast.tuning.storage import StudyStorage
from gliocast.types import Figure, ImageScoreKind, Partition, Table

TuningOutputs = tuple[dict[str, Any], Table, Figure, Figure, Figure, Figure]


def tune_hyperparameters(
    slice_stacks: SliceStacks,
    training_cohort: pd.DataFrame,
    partition: Partition,
    model: ModelParameters,
    tuning: TuningParameters,
    image_score: ImageScoreKind,
    seed: int,
    tuning_study: StudyStorage,
) -> TuningOutputs:
    """Seek the network's hyperparameters inside each split's training patients (Moreau et al., section 2.3).

    Returns:
        The hyperparameters (by split, under `splits`, where there are several), the table of trials, and the figures
        named in `tuning.figures.FIGURES`.
    """
    from gliocast.tuning.study import tune, untuned

    if image_score != "cnn" or tuning.trials == 0:
        reason = f"image_score is {image_score}" if image_score != "cnn" else "tuning.trials is 0"
        hyperparameters, trials, figures = untuned(model, reason)
    else:
        hyperparameters, trials, figures = tune(
            slice_stacks, training_cohort, partition, model, tuning, seed, tuning_study
        )
    return hyperparameters, trials, *(figures[name] for name in FIGURES)  # type: ignore[return-value]
