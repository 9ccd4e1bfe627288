"""The network: any timm backbone with one input channel, and what pools nine slices into a patient."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from gliocast.errors import ConfigurationError, Problem
from gliocast.model.parameters import ModelParameters
from gliocast.model.tensors import Device, Module, Tensor


def import_timm() -> ModuleType:
    """Import timm, also beside a CPU build of torch.

    timm imports torchvision, and torchvision fails where torch lacks its compiled operators. timm needs none of them:
    declaring the two missing operators lets the import pass. It is done after the failure only.
    """
    try:
        import timm
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _declare_missing_operators()
        import timm
    return timm


_declared: list[Any] = []  # a torch library forgets its operators once it is collected


def _declare_missing_operators() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)


def build_network(params: ModelParameters, dropout: float, pretrained: Mapping[str, Tensor] | None = None) -> Module:
    """The network of a fold: `params.backbone` with one input channel and `params.outputs` logits.

    Args:
        params: the model's parameters.
        dropout: rate of the dropout before the classifier, which timm applies as `drop_rate`.
        pretrained: a state of the backbone to start from, converted by timm to one channel and a new classifier;
            None starts from random weights, drawn from torch's current seed.

    Returns:
        A module that takes `[batch, 1, height, width]` (slices) or, with attention, `[batch, slices, height, width]`.

    Raises:
        ConfigurationError: timm knows no such backbone.
    """
    timm = import_timm()
    if not timm.is_model(params.backbone):
        raise ConfigurationError(_unknown_backbone(params.backbone, timm.list_models()))
    overlay = {} if pretrained is None else {"pretrained_cfg_overlay": {"state_dict": dict(pretrained)}}
    backbone = timm.create_model(
        params.backbone,
        pretrained=pretrained is not None,
        in_chans=1,
        num_classes=params.outputs,
        drop_rate=dropout,
        **overlay,
    )
    if params.pooling != "attention":
        return backbone
    from gliocast.model.attention import AttentionNetwork

    return AttentionNetwork(backbone)


def placed(network: Module, params: ModelParameters, device: Device) -> Module:
    """The network on its device, its convolutions in the memory format that they run fastest in."""
    import torch

    layout: Any = torch.channels_last if params.channels_last else torch.contiguous_format
    moved: Any = network.to(device)
    return moved.to(memory_format=layout)


def _unknown_backbone(name: str, known: list[str]) -> Problem:
    near = difflib.get_close_matches(name, known, n=3)
    return Problem(
        "–",
        "model.backbone",
        name,
        f"a timm model, such as {', '.join(near or ['resnet51q', 'resnet10t'])}",
        "Correct the name; `timm.list_models()` shows all.",
    )
