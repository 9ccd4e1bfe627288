"""A search in each split, each inside that split's training patients, so that no test patient has a part in any."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pandas as pd

from gliocast.model.classes import classes_of
from gliocast.model.parameters import ModelParameters
from gliocast.model.stacks import SliceStacks
from gliocast.tuning.figures import of_first_split
from gliocast.tuning.parameters import TuningParameters
from gliocast.tuning.storage import StudyStorage
from gliocast.tuning.study import Tuned, searched_patients, tune
from gliocast.types import Partition, Split

logger = logging.getLogger(__name__)


def tune_splits(
    slice_stacks: SliceStacks,
    training_cohort: pd.DataFrame,
    partition: Partition,
    model: ModelParameters,
    tuning: TuningParameters,
    seed: int,
    storage: StudyStorage,
) -> Tuned:
    """Search in every split; one split's slices are in memory at a time.

    Each split has a study of its own in the same storage, so one whose patients are unchanged is not searched again.

    Raises:
        as `tune` does.
    """

    def tuned(split: Split, own: TuningParameters) -> Tuned:
        logger.info("Tuning: split %s.", split.name)
        patients = searched_patients(split, own.folds)
        classes = classes_of(training_cohort.set_index("patient_id").loc[list(patients)], model)
        return tune(slice_stacks.load(patients), patients, classes, split, model, own, seed, storage)

    if len(partition.splits) == 1:
        return tuned(partition.splits[0], tuning)
    return joined([tuned(split, named_by_split(tuning, split)) for split in partition.splits])


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
