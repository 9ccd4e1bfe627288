"""From the logits of nine slices to one logit of the patient."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from gliocast.model.classes import long_term_logit
from gliocast.model.device import whole_float32
from gliocast.model.parameters import ModelParameters, Pooling
from gliocast.model.tensors import Module, Tensor

PATIENTS_AT_ONCE = 4  # some thirty slices, about a batch of the training: scoring never takes more memory than it


def stack_logits(
    network: Module, stacks: Float[Tensor, "patients slices height width"], params: ModelParameters
) -> tuple[Tensor, Tensor | None]:
    """Logits of the slices, `[patients, slices, outputs]`, and of the patients where attention was trained.

    In float32 whatever the training computed in, so that a network scores alike on another machine.
    """
    import torch

    network.eval()
    slice_logits, patient_logits = [], []
    with torch.inference_mode(), whole_float32():
        for some in stacks.split(PATIENTS_AT_ONCE):
            if params.pooling == "attention":
                attentive: Any = network
                of_slices, of_patients = attentive.logits(some)
                slice_logits.append(of_slices)
                patient_logits.append(of_patients)
            else:
                slice_logits.append(network(some.flatten(0, 1).unsqueeze(1)).unflatten(0, some.shape[:2]))
    return torch.cat(slice_logits), torch.cat(patient_logits) if patient_logits else None


def long_term_logits(
    slice_logits: Tensor, patient_logits: Tensor | None, params: ModelParameters
) -> tuple[Float[np.ndarray, "patients slices"], Float[np.ndarray, " patients"]]:
    """Logit of long-term survival of every slice and of every patient."""
    first = params.first_long_term_class
    of_slices = long_term_logit(_float64(slice_logits), params.loss, first).numpy()
    if patient_logits is None:
        return of_slices, pooled(of_slices, params.pooling)
    return of_slices, long_term_logit(_float64(patient_logits), params.loss, first).numpy()


def pooled(slice_logit: Float[np.ndarray, "*patients slices"], pooling: Pooling) -> Float[np.ndarray, "*patients"]:
    """The patient's logit: the mean of its slices' logits, or the logit of the mean of their probabilities."""
    if pooling == "mean_logit":
        return slice_logit.mean(axis=-1)
    from scipy.special import expit, logit

    smallest = np.finfo(np.float64).eps  # a mean of exactly 0 or 1 has no logit
    return logit(np.clip(expit(slice_logit).mean(axis=-1), smallest, 1 - smallest))


def probability(
    slice_logits: Tensor, patient_logits: Tensor | None, params: ModelParameters
) -> Float[np.ndarray, " patients"]:
    """Probability of long-term survival of every patient: one sigmoid, applied once."""
    from scipy.special import expit

    return expit(long_term_logits(slice_logits, patient_logits, params)[1])


def _float64(logits: Tensor) -> Float[Tensor, "..."]:
    return logits.cpu().double()
