"""Where on its slices a network looks: Grad-CAM (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74), through captum."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from gliocast.model.classes import long_term_logit
from gliocast.model.device import device_to_score_on, private_randomness, resident, whole_float32
from gliocast.model.endings import clear_ending
from gliocast.model.ensemble import Ensemble, Member
from gliocast.model.parameters import ModelParameters
from gliocast.model.scoring import rebuilt
from gliocast.model.tensors import Module, Tensor

PLACES_A_SIDE = 7


class NoFeatureMapError(Exception):
    """No stage of a network gives a map whose places are places of the slice."""


def ensemble_saliency(
    ensemble: Ensemble, stacks: Float[Any, "patients slices height width"], split: str
) -> Float[np.ndarray, "patients slices height width"]:
    """What speaks for long-term survival on every slice: the mean map of the split's networks, 0 to 1 a patient.

    Raises:
        NoFeatureMapError: the backbone has no stage that gives maps.
    """
    params = ensemble.params
    maps = [_member_saliency(member, params, stacks) for member in ensemble.of_split(split)]
    return _to_one(np.mean(maps, axis=0))


def saliency(
    network: Module, stacks: Float[Tensor, "patients slices height width"], params: ModelParameters
) -> Float[np.ndarray, "patients slices height width"]:
    """Grad-CAM of the logit of long-term survival at the last stage that still tells places apart; not negative.

    Raises:
        NoFeatureMapError: the network has no such stage, as one of tokens has none.
    """
    import torch
    from captum.attr import LayerAttribution, LayerGradCam

    backbone = getattr(network, "backbone", network).eval()
    slices = stacks.flatten(0, 1).unsqueeze(1)

    def logit(given: Tensor) -> Tensor:
        return long_term_logit(backbone(given), params.loss, params.first_long_term_class)

    with read_as_map(spatial_stage(backbone, slices[:1])) as layer, torch.enable_grad():
        coarse = LayerGradCam(logit, layer).attribute(slices, relu_attributions=True)
    fine = LayerAttribution.interpolate(coarse, tuple(stacks.shape[2:]), interpolate_mode="bilinear")
    return fine.detach().cpu().numpy()[:, 0].reshape(tuple(stacks.shape)).astype(np.float64)


@dataclass(frozen=True)
class Stage:
    """A stage of a network that gives a map: `[batch, channels, side, side]`, or with its channels last."""

    module: Module
    side: int
    channels_last: bool


@contextmanager
def read_as_map(stage: Stage) -> Iterator[Module]:
    """A layer through which the stage's map passes, channels first and unchanged, for captum to look at."""
    import torch

    layer = torch.nn.Identity()

    def through(_module: Module, _given: Any, output: Tensor) -> Any:
        return layer(output.movedim(-1, 1)).movedim(1, -1) if stage.channels_last else layer(output)

    hook = stage.module.register_forward_hook(through)
    try:
        yield layer
    finally:
        hook.remove()


def spatial_stage(backbone: Any, example: Float[Tensor, "1 1 height width"]) -> Stage:
    """The last stage whose map has at least seven places a side, as Grad-CAM's own have at 224 px; else the first.

    At 64 px the last stage of a network of stride 32 has two places a side, too few to point at anything. timm names
    the stages of a backbone in `feature_info`; what they give is looked at, since some give tokens and no maps. Tokens
    could be laid out as a map, and Grad-CAM of it would mislead: in small vision transformers that had learnt which of
    two squares decides, it pointed at the other one or at neither.

    Raises:
        NoFeatureMapError: no stage gives a map.
    """
    stages = stages_with_maps(backbone, example)
    if not stages:
        raise NoFeatureMapError
    fine = [stage for stage in stages if stage.side >= PLACES_A_SIDE]
    return fine[-1] if fine else stages[0]


def stages_with_maps(backbone: Any, example: Float[Tensor, "1 1 height width"]) -> list[Stage]:
    """The stages that give one map, in their order."""
    import torch

    known = dict(backbone.named_modules())
    stages = {info["module"]: info["num_chs"] for info in getattr(backbone, "feature_info", [])}
    found: list[Stage] = []

    def note(channels: int, module: Module, _given: Any, output: Any) -> None:
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else ()
        if len(shape) == 4 and shape[1] == channels and shape[2] == shape[3]:
            found.append(Stage(module, shape[3], channels_last=False))
        elif len(shape) == 4 and shape[3] == channels and shape[1] == shape[2]:
            found.append(Stage(module, shape[1], channels_last=True))

    hooks = [known[name].register_forward_hook(partial(note, stages[name])) for name in stages if name in known]
    try:
        with torch.no_grad():
            backbone(example)
    finally:
        for hook in hooks:
            hook.remove()
    return found


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
    device = device_to_score_on(params.devices)
    with clear_ending(f"the maps of {member.name}"), private_randomness(device), whole_float32():
        return saliency(rebuilt(member, params, device), resident(stacks, device), params)


def _to_one(
    maps: Float[np.ndarray, "patients slices height width"],
) -> Float[np.ndarray, "patients slices height width"]:
    highest = maps.max(axis=(1, 2, 3), keepdims=True)
    return np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0)
