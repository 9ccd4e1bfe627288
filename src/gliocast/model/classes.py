"""From survival to classes, and from logits to a loss and to the logit of long-term survival."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Num

from gliocast.model.parameters import Loss, ModelParameters
from gliocast.model.tensors import Tensor
from gliocast.types import LONG_TERM, SHORT_TERM

UNDETERMINED = -1  # such a patient is scored, but teaches nothing


def classes_of(cohort: pd.DataFrame, params: ModelParameters) -> Int[np.ndarray, " patients"]:
    """The class of each patient that the network is trained on, -1 where undetermined."""
    if params.classes == 2:
        return binary_classes(cohort["outcome"])
    return survival_classes(cohort["survival_days"], cohort["event_observed"], params.survival_cut_points_days)


def binary_classes(outcome: pd.Series) -> Int[np.ndarray, " patients"]:
    """1 for long-term, 0 for short-term survivors, -1 where the outcome is undetermined."""
    return outcome.map({SHORT_TERM: 0, LONG_TERM: 1}).fillna(UNDETERMINED).to_numpy(dtype=np.int64)


def survival_classes(
    survival_days: pd.Series, event_observed: pd.Series, cut_points_days: Sequence[int]
) -> Int[np.ndarray, " patients"]:
    """Number of cut points that each patient has survived, -1 where censoring hides it.

    Survival at a cut point counts as having reached it (Moreau et al., section 2.1, for the cut at 332 days).
    """
    reached = np.searchsorted(np.asarray(cut_points_days), survival_days.to_numpy(dtype=float), side="right")
    hidden = ~event_observed.to_numpy(dtype=bool) & (reached < len(cut_points_days))
    return np.where(hidden, UNDETERMINED, reached).astype(np.int64)


def auc(long_term: Bool[np.ndarray, " patients"], probability: Float[np.ndarray, " patients"]) -> float:
    """Share of pairs of a long-term and a short-term survivor that the probabilities put in order; a tie is half.

    One half where there is no such pair.
    """
    above = probability[long_term][:, None] - probability[~long_term][None, :]
    return float(((above > 0) + (above == 0) / 2).mean()) if above.size else 0.5


def loss_of(logits: Num[Tensor, "batch outputs"], classes: Int[Tensor, " batch"], loss: Loss) -> Tensor:
    """Mean loss of a batch of determined classes.

    `binary`: binary cross-entropy with logits (section 2.3). `ordinal`: the same at every cut point at once
    (Cheng et al. 2008, doi:10.1109/IJCNN.2008.4633963). `softmax`: cross-entropy.
    """
    from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

    logits = logits.float()
    if loss == "softmax":
        return cross_entropy(logits, classes)
    return binary_cross_entropy_with_logits(logits, reached_cut_points(classes, logits.shape[1]))


def reached_cut_points(classes: Int[Tensor, " batch"], cut_points: int) -> Tensor:
    """For each example and cut point, 1.0 where the class lies beyond it; `[batch, cut_points]`."""
    import torch

    return (classes[:, None] > torch.arange(cut_points, device=classes.device)).float()


def long_term_logit(
    logits: Float[Tensor, "*scored outputs"], loss: Loss, first_long_term_class: int
) -> Float[Tensor, "*scored"]:
    """Logit of surviving the cohort's threshold, that is of belonging to `first_long_term_class` or beyond."""
    if loss != "softmax":
        return logits[..., first_long_term_class - 1]
    return logits[..., first_long_term_class:].logsumexp(-1) - logits[..., :first_long_term_class].logsumexp(-1)
