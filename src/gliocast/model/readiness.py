"""Whether a network can be trained here at all, asked before a run begins that is to train it."""

from __future__ import annotations

import logging
from functools import partial

from gliocast.errors import refuse_together
from gliocast.model.backbone import build_network
from gliocast.model.device import choose_devices, refuse_unusable
from gliocast.model.endings import clear_ending, refuse_unfit_slices
from gliocast.model.parameters import ModelParameters
from gliocast.model.precision import arithmetic
from gliocast.model.tensorboard import refuse_unusable_folder
from gliocast.model.tensors import Device
from gliocast.model.weights import pretrained_weights
from gliocast.processes import n_cores

CROWDED = (
    "model.threads is %d, and %d processor cores are at hand: threads that wait for each other can take many times as "
    "long."
)
UNUSED = "Graphics cards here: %d, none of which this torch can use. Look at their driver, and at how torch was built."

log = logging.getLogger(__name__)


def refuse_untrainable_network(params: ModelParameters, side_px: int) -> None:
    """Refuse, all at once, what training would refuse one after the other.

    Args:
        params: the model's parameters.
        side_px: of the slices.

    Raises:
        ConfigurationError: the weights or a device are not on this machine, or the device cannot be used; the weights
            are not the pinned ones, no safetensors, or another network's; timm knows no such backbone, or it takes no
            such slices or does not end as attention needs; bfloat16 is asked of a processor for slices too small for
            it; nothing can be compiled here, and it is asked for; learning curves are asked for without TensorBoard, or
            where nothing can be written.
    """
    refuse_together(
        partial(_refuse_unfit_weights, params),
        partial(_refuse_unfit_arithmetic, params, side_px),
        partial(_refuse_unfit_backbone, params, side_px),
        partial(refuse_unusable_folder, params.tensorboard_folder),
    )
    _tell_crowded_threads(params.threads)
    _tell_unused_cards()


def _refuse_unfit_weights(params: ModelParameters) -> None:
    """By starting from them as training does: a file's header does not tell which weights timm takes over."""
    if (state := pretrained_weights(params)) is not None:
        build_network(params, params.dropout, state)


def _refuse_unfit_arithmetic(params: ModelParameters, side_px: int) -> None:
    for device in dict.fromkeys(choose_devices(params.devices)):  # one that is named twice trains two at once
        refuse_unusable(device)
        refuse_together(partial(arithmetic, params, device, side_px), partial(_refuse_uncompiled, params, device))


def _refuse_uncompiled(params: ModelParameters, device: Device) -> None:
    """By compiling something small: a compiler, or what it needs of Python, may be absent where all else is there."""
    import torch

    if params.compile:
        with clear_ending("the compilation"):
            torch.compile(torch.sin)(torch.zeros(1, device=device))


def _refuse_unfit_backbone(params: ModelParameters, side_px: int) -> None:
    import torch

    with torch.device("meta"):  # shapes alone: neither weights nor time
        network = build_network(params, params.dropout)
        refuse_unfit_slices(network, torch.empty(1, 1, side_px, side_px), params.backbone)


def _tell_crowded_threads(threads: int | None) -> None:
    """No refusal: a training that was begun on a larger machine goes on to the same bits with its own number."""
    if threads and threads > n_cores():
        log.warning(CROWDED, threads, n_cores())


def _tell_unused_cards() -> None:
    import torch

    if (count := torch.cuda.device_count()) and not torch.cuda.is_available():
        log.warning(UNUSED, count)
