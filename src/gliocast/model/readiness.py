"""Whether a network can be trained here at all, asked before the first slice is made for it."""

from __future__ import annotations

from gliocast.errors import ConfigurationError, Problem, raise_if_any
from gliocast.model.backbone import build_network
from gliocast.model.device import choose_devices
from gliocast.model.endings import refuse_unfit_slices
from gliocast.model.parameters import ModelParameters
from gliocast.model.precision import arithmetic
from gliocast.model.tensorboard import refuse_without_tensorboard
from gliocast.model.weights import weights_file


def refuse_untrainable_network(params: ModelParameters, side_px: int) -> None:
    """Refuse, all at once, what training would refuse one after the other.

    Args:
        params: the model's parameters.
        side_px: of the slices that will be made.

    Raises:
        ConfigurationError: the weights or a device are not on this machine; timm knows no such backbone, or it takes
            no such slices or does not end as attention needs; bfloat16 is asked of a processor for slices too small
            for it; learning curves are asked for without TensorBoard.
    """
    problems: list[Problem] = []
    for look in (_weights, _arithmetic, _slices, _curves):
        try:
            look(params, side_px)
        except ConfigurationError as error:
            problems += error.problems
    raise_if_any(list(dict.fromkeys(problems)), ConfigurationError)


def _weights(params: ModelParameters, _side_px: int) -> None:
    weights_file(params)


def _arithmetic(params: ModelParameters, side_px: int) -> None:
    for device in choose_devices(params.devices):
        arithmetic(params, device, side_px)


def _slices(params: ModelParameters, side_px: int) -> None:
    import torch

    with torch.device("meta"):  # shapes alone: neither weights nor time
        network = build_network(params, params.dropout)
        refuse_unfit_slices(network, torch.empty(1, 1, side_px, side_px), params.backbone)


def _curves(params: ModelParameters, _side_px: int) -> None:
    refuse_without_tensorboard(params.tensorboard_folder)
