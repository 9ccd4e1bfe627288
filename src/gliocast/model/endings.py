"""How a training ends when it cannot go on: with a sentence, and with everything that was stored still there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Int

from gliocast.errors import UNWRITABLE, ConfigurationError, Problem, TrainingError, raise_if_any
from gliocast.model.checkpoints import Checkpoints
from gliocast.model.material import FoldIndices
from gliocast.model.tensors import Module, Tensor

KEPT = "What was stored is kept."
STATES_A_CHECKPOINT = 4  # weights, best weights, and the optimiser's two moments
CHECKPOINTS_AT_ONCE = 3  # the last, the one before, and the one that is being written
COMPILER = ("torch._dynamo", "torch._inductor")  # whose errors share no class that is public
CARD_SAYS = ("cuDNN", "CUDNN", "CUDA", "CUBLAS")  # of a failure of their libraries, which has no class of its own
ALLOCATOR_SAYS = ("not enough memory", "can't allocate memory", "alloc failed", "ALLOC_FAILED", "out of memory")


@contextmanager
def clear_ending(name: str) -> Iterator[None]:
    """Turn a full memory, a full disk or a failed compilation into our error, in training or scoring.

    Raises:
        TrainingError: memory or disk is full.
        ConfigurationError: the network cannot be compiled on this machine.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise TrainingError(_unwritable(name, error)) from error
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise TrainingError(_out_of_memory(name)) from error
        if type(error).__module__.startswith(COMPILER):
            raise ConfigurationError(_uncompilable(error)) from error
        raise


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch or Python ran out of memory; the processor's allocator raises a plain RuntimeError."""
    import torch

    said = str(error)
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in said for words in ALLOCATOR_SAYS)


def refuse_nonfinite(name: str, epoch: int, fit_loss: float, stop_loss: float) -> None:
    """Stop at a loss that is no number.

    Raises:
        TrainingError: one of the losses is NaN or infinite.
    """
    if math.isfinite(fit_loss) and math.isfinite(stop_loss):
        return
    found = f"{fit_loss} on the fitted, {stop_loss} on the stopping patients"
    rates = "Lower the learning rate (model.learning_rate; where it was searched for, tuning.ranges.learning_rate)"
    remedy = f"{rates}, or look for slices with extreme values. {KEPT}"
    raise TrainingError(Problem("–", f"the loss of {name} in epoch {epoch}", found, "a finite number", remedy))


def refuse_full_disk(name: str, network: Module, checkpoints: Checkpoints | None) -> None:
    """Refuse to start a training whose checkpoints would not fit on the disk.

    Raises:
        TrainingError: there is too little room.
    """
    if checkpoints is None:
        return
    network_bytes = sum(tensor.nbytes for tensor in network.state_dict().values())
    needed, free = STATES_A_CHECKPOINT * CHECKPOINTS_AT_ONCE * network_bytes, checkpoints.free_bytes()
    if free < needed:
        found, expected = f"{free >> 20} MB free", f"at least {math.ceil(needed / 2**20)} MB"
        remedy = "Make room, or point cnn_checkpoints in conf/local/catalog.yml to a larger disk."
        raise TrainingError(Problem("–", f"the disk for the checkpoints of {name}", found, expected, remedy))


def refuse_unfit_slices(network: Module, example: Tensor, backbone: str) -> None:
    """Refuse a backbone that takes no slices of this size, such as a transformer that is made for another one.

    Raises:
        ConfigurationError: the network cannot look at `example`, or at a slice of any size.
    """
    error = _failure(network, example)
    if error is not None:
        is_the_size = _failure(network, _of_own_size(network, example)) is None
        raise ConfigurationError(_unfit(backbone, example.shape[-1]) if is_the_size else _unfit(backbone)) from error


def _failure(network: Module, example: Tensor) -> Exception | None:
    """How the network fails to look at `example`; None where it can."""
    import torch

    try:
        with torch.no_grad():
            network.eval()(example)
    except (RuntimeError, AssertionError, ValueError) as error:
        is_the_card = isinstance(error, torch.AcceleratorError) or any(words in str(error) for words in CARD_SAYS)
        if is_out_of_memory(error) or is_the_card:  # whatever the size
            raise
        return error
    return None


def _of_own_size(network: Module, example: Tensor) -> Tensor:
    """As many slices as `example` has, of the size that timm made the network for."""
    backbone: Any = getattr(network, "backbone", network)
    return example.new_zeros((*example.shape[:2], *backbone.pretrained_cfg["input_size"][1:]))


def refuse_untrainable(folds: Mapping[str, FoldIndices], classes: Int[np.ndarray, " patients"], count: int) -> None:
    """Refuse, before any work is done and all at once, the folds that lack one of `count` classes.

    Args:
        folds: the patients of each whose class is known (see `determined`).
        classes: class of each patient.
        count: number of classes.

    Raises:
        TrainingError: a class is absent among the fitted patients of a fold, or nobody stops its training.
    """
    problems = []
    for name, fold in folds.items():
        counts = np.bincount(classes[fold.fit], minlength=count)
        if counts.min() == 0 or len(fold.stop) == 0:
            problems.append(_untrainable(name, counts.tolist(), len(fold.stop)))
    raise_if_any(problems, TrainingError)


def _untrainable(name: str, counts: Sequence[int], stop: int) -> Problem:
    found = f"{', '.join(map(str, counts))} patients by class to fit on, {stop} to stop by"
    remedy = "Add patients, use fewer folds, or move the survival threshold."
    if not stop:
        remedy += " The paper's network is stopped by the share partition.fractions.validation: raise it."
    return Problem("–", name, found, "every class among the fitted, and someone to stop by", remedy)


def _unfit(backbone: str, side_px: int | None = None) -> Problem:
    """The problem of a network that takes no slices of this size; None: of its own size neither."""
    if side_px is None:
        expected, remedy = "a network that takes slices of one channel", "Choose another backbone."
    else:
        expected = f"a network that takes slices of {side_px} px"
        remedy = "Set slices.size_px to what the network takes (224 for most), or choose another backbone."
    return Problem("–", "model.backbone", backbone, expected, remedy)


def _uncompilable(error: Exception) -> Problem:
    remedy = "Install a C++ compiler, or set model.compile to false: it is for speed alone."
    found = f"true, and the compilation failed ({type(error).__name__})"
    return Problem("–", "model.compile", found, "a network and a machine that torch.compile works on", remedy)


def _out_of_memory(name: str) -> Problem:
    remedy = f"Use a smaller model.batch_size, smaller slices, or a lighter model.backbone. {KEPT}"
    return Problem("–", f"the memory for {name}", "full", "room for one batch", remedy)


def _unwritable(name: str, error: OSError) -> Problem:
    remedy = f"Make room or give write access, and run again: it goes on from the last checkpoint. {KEPT}"
    found = error.strerror or "unwritable"
    return Problem("–", f"the disk on which {name} is stored", found, "a writable disk with room", remedy)
