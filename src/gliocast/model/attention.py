"""Attention over the slices of a patient: a trained alternative to the mean.

Import it where it is used: it needs torch.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

ATTENTION_FEATURES = 32  # small on purpose: a cohort has hundreds of patients, not millions


def ends_linearly(backbone: Any) -> bool:
    """Whether one linear layer turns a backbone's features into logits, so that it may be applied to their mean.

    VOLO adds the logits of a second one, which would stay as it was drawn, and decide what Grad-CAM shows.
    """
    return isinstance(backbone.get_classifier(), nn.Linear) and getattr(backbone, "aux_head", None) is None


class AttentionNetwork(nn.Module):
    """Gated attention pooling over a patient's slices (Ilse et al. 2018, arXiv:1802.04712, equation 9).

    A slice's logit is the backbone's classifier applied to that slice alone; a patient's logit is the same classifier
    applied to the attention-weighted mean of the slices' features.

    The dropout before the classifier is ours: some of timm's networks give their features as they are before it.
    """

    def __init__(self, backbone: Any, dropout: float) -> None:
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        features = backbone.get_classifier().in_features
        self.content = nn.Linear(features, ATTENTION_FEATURES)
        self.gate = nn.Linear(features, ATTENTION_FEATURES)
        self.weight = nn.Linear(ATTENTION_FEATURES, 1)

    def slice_features(self, stacks: Float[Tensor, "patients slices height width"]) -> Tensor:
        """Features before the classifier, `[patients, slices, features]`, dropout included."""
        slices = stacks.flatten(0, 1).unsqueeze(1)
        features = self.backbone.forward_head(self.backbone.forward_features(slices), pre_logits=True)
        return self.dropout(features).unflatten(0, stacks.shape[:2])

    def attention(self, features: Float[Tensor, "patients slices features"]) -> Tensor:
        """Weight of each slice, `[patients, slices, 1]`, positive, summing to one in each patient."""
        gated = torch.tanh(self.content(features)) * torch.sigmoid(self.gate(features))
        return torch.softmax(self.weight(gated), dim=1)

    def forward(self, stacks: Float[Tensor, "patients slices height width"]) -> Tensor:
        """Logits of the patients, `[patients, outputs]`."""
        return self.patient_logits(self.slice_features(stacks))

    def patient_logits(self, features: Float[Tensor, "patients slices features"]) -> Tensor:
        """Logits of patients whose slices have these features, `[patients, outputs]`."""
        return self.backbone.get_classifier()((self.attention(features) * features).sum(dim=1))

    def logits(self, stacks: Float[Tensor, "patients slices height width"]) -> tuple[Tensor, Tensor]:
        """Logits of the slices, `[patients, slices, outputs]`, and of the patients, by one look at them."""
        features = self.slice_features(stacks)
        return self.backbone.get_classifier()(features), self.patient_logits(features)
