"""What a fold's training learns from, and in which portions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from gliocast.model.classes import UNDETERMINED
from gliocast.model.parameters import ModelParameters
from gliocast.model.tensors import Tensor
from gliocast.types import Fold


@dataclass(frozen=True)
class FoldIndices:
    """Positions of the patients of a fold in the stacks: fitted on, and stopping the training early."""

    fit: Int[np.ndarray, " fit"]
    stop: Int[np.ndarray, " stop"]

    @classmethod
    def of(cls, fold: Fold, patient_ids: Sequence[str]) -> FoldIndices:
        """Where the fold's patients stand among `patient_ids`."""
        return cls(positions(fold.fit, patient_ids), positions(fold.stop, patient_ids))


@dataclass(frozen=True)
class Material:
    """What a fold trains on, resident on the device: one example is a slice, or a patient's stack with attention."""

    fit_examples: Tensor
    fit_classes: Tensor
    stop_stacks: Tensor
    stop_classes: Tensor
    stop_long_term: Bool[np.ndarray, " stop"]


def positions(patients: Sequence[str], among: Sequence[str]) -> Int[np.ndarray, " patients"]:
    """Where the patients stand among others."""
    place = {patient: position for position, patient in enumerate(among)}
    return np.array([place[patient] for patient in patients], dtype=np.int64)


def determined(fold: FoldIndices, classes: Int[np.ndarray, " patients"]) -> FoldIndices:
    """The fold without the patients whose class is not known."""
    known = classes != UNDETERMINED
    return FoldIndices(fold.fit[known[fold.fit]], fold.stop[known[fold.stop]])


def prepare(
    stacks: Tensor, classes: Int[np.ndarray, " patients"], fold: FoldIndices, params: ModelParameters
) -> Material:
    """The fold's examples: every slice with its patient's class, or whole stacks with attention."""
    import torch

    fit_stacks = stacks[torch.as_tensor(fold.fit, device=stacks.device)]
    fit_classes = torch.as_tensor(classes[fold.fit], device=stacks.device)
    if params.pooling != "attention":
        fit_classes = fit_classes.repeat_interleave(fit_stacks.shape[1])
        fit_stacks = fit_stacks.flatten(0, 1).unsqueeze(1)
    stop_stacks = stacks[torch.as_tensor(fold.stop, device=stacks.device)]
    stop_classes = torch.as_tensor(classes[fold.stop], device=stacks.device)
    stop_long_term = classes[fold.stop] >= params.first_long_term_class
    return Material(fit_stacks, fit_classes, stop_stacks, stop_classes, stop_long_term)


def batches_of(order: Int[Tensor, " examples"], params: ModelParameters, slices: int) -> list[Tensor]:
    """Examples in batches of `params.batch_size` slices; batch statistics need two, so a last single one joins in."""
    size = params.batch_size if params.pooling != "attention" else max(2, params.batch_size // slices)
    batches = list(order.split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        import torch

        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
