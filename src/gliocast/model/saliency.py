"""Where on its slices a network looks: Grad-CAM (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74), through captum."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from gliocast.model.device import choose_devices, private_randomness, resident
from gliocast.model.ensemble import Ensemble, Member
from gliocast.model.parameters import ModelParameters
from gliocast.model.scoring import rebuilt
from gliocast.model.tensors import Module, Tensor

PLACES_A_SIDE = 7


def ensemble_saliency(
    ensemble: Ensemble, stacks: Float[Any, "patients slices height width"], split: str
) -> Float[np.ndarray, "patients slices height width"]:
    """What speaks for long-term survival on every slice: the mean map of the split's networks, 0 to 1 a patient."""
    params = ensemble.params
    maps = [_member_saliency(member, params, stacks) for member in ensemble.of_split(split)]
    return _to_one(np.mean(maps, axis=0))


def saliency(
    network: Module, stacks: Float[Tensor, "patients slices height width"], params: ModelParameters
) -> Float[np.ndarray, "patients slices height width"]:
    """Grad-CAM of the logit of long-term survival at the last stage that still tells places apart; not negative."""
    import torch
    from captum.attr import LayerAttribution, LayerGradCam

    backbone = getattr(network, "backbone", network)
    slices = stacks.flatten(0, 1).unsqueeze(1)
    explained = LayerGradCam(backbone.eval(), spatial_layer(backbone, min(stacks.shape[2:])))
    target = params.first_long_term_class - (0 if params.loss == "softmax" else 1)
    with torch.enable_grad():
        coarse = explained.attribute(slices, target=target, relu_attributions=True)
    fine = LayerAttribution.interpolate(coarse, tuple(stacks.shape[2:]), interpolate_mode="bilinear")
    return fine.detach().cpu().numpy()[:, 0].reshape(tuple(stacks.shape)).astype(np.float64)


def spatial_layer(backbone: Any, side_px: int) -> Module:
    """The last stage whose map has at least seven places a side, as Grad-CAM's own have at 224 px; else the first.

    At 64 px the last stage of a network of stride 32 has two places a side, too few to point at anything. timm names
    the stages of any backbone, and their strides, in `feature_info`.
    """
    stages = list(backbone.feature_info)
    fine = [stage for stage in stages if side_px >= PLACES_A_SIDE * stage["reduction"]]
    chosen: Module = backbone.get_submodule((fine[-1] if fine else stages[0])["module"])
    return chosen


def randomised(network: Module, seed: int) -> Module:
    """The same network with all weights drawn anew: a map that does not change with it explains nothing.

    Sanity check of Adebayo et al. 2018, arXiv:1810.03292.
    """
    import copy

    import torch

    fresh = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in fresh.parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(drawn * parameter.detach().cpu().std(correction=0) + parameter.detach().cpu().mean())
    return fresh


def _member_saliency(
    member: Member, params: ModelParameters, stacks: Float[Any, "patients slices height width"]
) -> Float[np.ndarray, "patients slices height width"]:
    device = choose_devices(params.devices)[0]
    with private_randomness(device):
        return saliency(rebuilt(member, params, device), resident(stacks, device), params)


def _to_one(
    maps: Float[np.ndarray, "patients slices height width"],
) -> Float[np.ndarray, "patients slices height width"]:
    highest = maps.max(axis=(1, 2, 3), keepdims=True)
    return np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0)
