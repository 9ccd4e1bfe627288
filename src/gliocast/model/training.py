"""The training of one fold: a loop that is read in one sitting.

Randomness is a function of (seed, epoch, step) and of nothing else: no generator's state has to be stored, and a
training that was killed goes on to the same bits. Dropout draws from torch's own generator, seeded anew at each step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from gliocast.model.augmentation import augment
from gliocast.model.backbone import build_network, placed
from gliocast.model.checkpoints import Checkpoints, Training
from gliocast.model.classes import auc, loss_of
from gliocast.model.device import choose_devices, derived_seed, private_randomness, processor_threads, whole_float32
from gliocast.model.device import resident as on_device
from gliocast.model.endings import (
    clear_ending,
    refuse_full_disk,
    refuse_nonfinite,
    refuse_unfit_slices,
    refuse_untrainable,
)
from gliocast.model.material import FoldIndices, Material, batches_of, determined, prepare
from gliocast.model.parameters import Hyperparameters, ModelParameters
from gliocast.model.pooling import probability, stack_logits
from gliocast.model.precision import arithmetic, mixed_precision
from gliocast.model.resume import Saver, training_fingerprint
from gliocast.model.tensors import Device, Generator, Module, Tensor
from gliocast.model.weights import pinned, pretrained_weights

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EpochReport:
    """What an epoch has come to; given to `on_epoch`, which may end the training by raising."""

    epoch: int  # from 1
    fit_loss: float
    stop_loss: float
    stop_probability: Float[np.ndarray, " stop"]  # long-term survival of each stopping patient
    learning_rate: float
    is_best: bool  # so far, by `params.stop_by`


@dataclass(frozen=True)
class TrainedFold:
    """The weights of the epoch that the stopping patients judged best, and how it came to them."""

    weights: dict[str, Tensor]
    curve: pd.DataFrame  # epoch, train_loss, stop_loss, learning_rate
    best_epoch: int
    stop_loss: float


def train_fold(
    stacks: Float[Any, "patients slices height width"],
    classes: Int[np.ndarray, " patients"],
    fold: FoldIndices,
    hyperparameters: Hyperparameters | Mapping[str, Any],
    params: ModelParameters,
    seed: int,
    *,
    name: str = "fold",
    device: Device | None = None,
    checkpoints: Checkpoints | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
) -> TrainedFold:
    """Train one network on the fold's fitting patients and stop it by its stopping patients; nobody else is read.

    Args:
        stacks: the cohort's slices, an array or a tensor that already lies on the device.
        classes: class of each patient, 0 to `params.classes` - 1 (1 is long-term with two classes), -1 undetermined.
        fold: positions of the fold's patients in `stacks` and `classes`.
        hyperparameters: learning rate, weight decay and dropout.
        params: everything else of network and training.
        seed: the one source of its randomness.
        name: of the training, in messages and checkpoints.
        device: where to train; by default the first of `params.devices`.
        checkpoints: where to go on from, and to store the way; None keeps nothing.
        on_epoch: called after each epoch; may raise to end the training.

    Raises:
        TrainingError: a class is missing, the loss is no number, memory or disk is full.
        ConfigurationError: the backbone takes no slices of this size.
    """
    settings = Hyperparameters.model_validate(hyperparameters)
    device = device or choose_devices(params.devices)[0]
    precision = arithmetic(params, device, stacks.shape[-1])
    params = pinned(params).model_copy(update={"precision": precision})  # told apart in checkpoints
    fold = determined(fold, classes)
    refuse_untrainable({name: fold}, classes, params.classes)
    fingerprint = training_fingerprint(stacks, classes, fold, settings, params, seed) if checkpoints else ""
    with clear_ending(name), repeatable(params, device, seed) as generator:
        material = prepare(on_device(stacks, device), classes, fold, params)
        training = start(settings, params, device)
        refuse_unfit_slices(training.network, material.fit_examples[:1], params.backbone)
        _say_where_loss_stops(name, material, params)
        saver = Saver(training, checkpoints, name, fingerprint, params.checkpoint_seconds)
        saver.resume()
        if not training.finished:
            refuse_full_disk(name, training.network, checkpoints)
            train_to_the_end(training, material, params, seed, generator, saver, on_epoch)
    return _trained(training)


@contextmanager
def repeatable(params: ModelParameters, device: Device, seed: int) -> Iterator[Generator]:
    """Arithmetic and random numbers by parameters and seed alone; yields the generator that dropout draws from."""
    import torch

    with whole_float32(), processor_threads(params.threads), private_randomness(device) as generator:
        for source in (torch.default_generator, generator):  # timm draws weights on the processor, whatever the device
            source.manual_seed(derived_seed(seed))
        yield generator


def start(hyperparameters: Hyperparameters, params: ModelParameters, device: Device) -> Training:
    """Network, optimiser and scheduler before the first step (section 2.3, and the authors' released scripts)."""
    import torch

    network = placed(build_network(params, hyperparameters.dropout, pretrained_weights(params)), params, device)
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=hyperparameters.learning_rate,
        weight_decay=hyperparameters.weight_decay,
        fused=True,
    )
    scheduler = scheduled(optimizer, params)
    return Training(network, _compiled(network) if params.compile else network, optimizer, scheduler)


def _compiled(network: Module) -> Any:
    """The network as the compiler makes it.

    The compiler forgets what it made before: it compiles one piece of code eight times for values that change, such as
    each trial's dropout, and then leaves it as it is, without a word. Each size of batch is compiled for itself: code
    for any size is made once two have come, and a training that goes on after a kill may see them in another order.
    """
    import torch

    torch.compiler.reset()
    return torch.compile(network, dynamic=False)


def scheduled(optimizer: Any, params: ModelParameters) -> Any:
    """What lowers the learning rate after each epoch."""
    from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

    if params.scheduler.kind == "cosine":
        return CosineAnnealingLR(optimizer, params.epochs)
    return ReduceLROnPlateau(optimizer, factor=params.scheduler.factor, patience=params.scheduler.patience)


def train_to_the_end(
    training: Training,
    material: Material,
    params: ModelParameters,
    seed: int,
    generator: Generator,
    saver: Saver,
    on_epoch: Callable[[EpochReport], None] | None,
) -> None:
    """Epoch after epoch, stored on the way, until the stopping patients or the number of epochs end it."""
    while not training.finished:
        train_epoch(training, material, params, seed, generator, saver)
        report = finish_epoch(training, material, params, saver.name)
        saver.save_if_due()
        if on_epoch:
            on_epoch(report)
    saver.save()


def train_epoch(
    training: Training, material: Material, params: ModelParameters, seed: int, generator: Generator, saver: Saver
) -> None:
    """The rest of the epoch under way, in an order that only (seed, epoch) decides."""
    import torch

    device = material.fit_examples.device
    order = torch.randperm(
        len(material.fit_examples), generator=torch.Generator().manual_seed(derived_seed(seed, training.epoch))
    ).to(device)
    batches = batches_of(order, params, slices=material.stop_stacks.shape[1])
    loss_sum = torch.tensor(training.loss_sum, dtype=torch.float64, device=device)
    training.network.train()
    for step in range(training.step, len(batches)):
        generator.manual_seed(derived_seed(seed, training.epoch, step))
        loss_sum += train_step(training, material, batches[step], params, generator) * len(batches[step])
        training.step = step + 1
        if training.step < len(batches) and saver.due():  # an epoch's last step is stored with its judgement
            training.loss_sum = float(loss_sum)
            saver.save()
    training.loss_sum = float(loss_sum)


def train_step(
    training: Training, material: Material, chosen: Int[Tensor, " batch"], params: ModelParameters, generator: Generator
) -> Tensor:
    """One step of the optimiser on the chosen examples; the batch's mean loss."""
    batch = augment(material.fit_examples[chosen], params.augmentation, generator)
    with mixed_precision(params, batch.device, batch.shape[-1]):
        loss = loss_of(training.forward(batch), material.fit_classes[chosen], params.loss)
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    training.optimizer.step()
    return loss.detach()


def finish_epoch(training: Training, material: Material, params: ModelParameters, name: str) -> EpochReport:
    """Judge the epoch by the stopping patients: keep the best weights, lower the learning rate, or stop."""
    fit_loss = training.loss_sum / len(material.fit_examples)
    stop_loss, stop_probability = judge(training.network, material, params)
    refuse_nonfinite(name, training.epoch + 1, fit_loss, stop_loss)
    learning_rate = training.optimizer.param_groups[0]["lr"]
    training.epoch, training.step, training.loss_sum = training.epoch + 1, 0, 0.0
    training.curve.append(
        {"epoch": training.epoch, "train_loss": fit_loss, "stop_loss": stop_loss, "learning_rate": learning_rate}
    )
    judged = _judged(training.epoch, stop_loss, stop_probability, material, params)
    if (judged, stop_loss) < training.best:
        training.best, training.best_epoch = (judged, stop_loss), training.epoch
        training.best_weights = snapshot(training.network)
    training.scheduler.step(*([stop_loss] if params.scheduler.kind == "plateau" else []))
    waited = training.epoch - training.best_epoch
    training.finished = training.epoch >= params.epochs or waited >= params.patience
    is_best = training.best_epoch == training.epoch
    return EpochReport(training.epoch, fit_loss, stop_loss, stop_probability, learning_rate, is_best)


def judge(network: Module, material: Material, params: ModelParameters) -> tuple[float, Float[np.ndarray, " stop"]]:
    """Mean loss of the stopping patients' examples, and each patient's probability of long-term survival."""
    slice_logits, patient_logits = stack_logits(network, material.stop_stacks, params)
    if patient_logits is None:
        classes = material.stop_classes.repeat_interleave(slice_logits.shape[1])
        loss = loss_of(slice_logits.flatten(0, 1), classes, params.loss)
    else:
        loss = loss_of(patient_logits, material.stop_classes, params.loss)
    return float(loss), probability(slice_logits, patient_logits, params)


def snapshot(network: Module) -> dict[str, Tensor]:
    """A copy of the network's state that later steps do not change."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _judged(
    epoch: int, loss: float, probability: Float[np.ndarray, " stop"], material: Material, params: ModelParameters
) -> float:
    """What an epoch is judged by: the lower, the better."""
    if params.stop_by == "nothing":
        return float(-epoch)
    return loss if params.stop_by == "loss" else 1 - auc(material.stop_long_term, probability)


def _say_where_loss_stops(name: str, material: Material, params: ModelParameters) -> None:
    if params.stop_by == "auc" and len(set(material.stop_long_term.tolist())) < 2:
        log.warning(
            "%s is stopped by loss: its %d stopping patients have one outcome", name, len(material.stop_classes)
        )


def _trained(training: Training) -> TrainedFold:
    weights = {name: tensor.cpu().contiguous() for name, tensor in training.best_weights.items()}
    curve = pd.DataFrame(training.curve).astype({"epoch": int})
    return TrainedFold(weights, curve, training.best_epoch, training.best[1])
