"""How near does training come to the device's limit? Its rate beside that on one fixed batch, its share of the peak.

The limit of a training is the same network on the same batch again and again, with nothing chosen or fetched; both
run in turns. The share of the peak is counted operations a second, over what a large matrix product reaches here and,
for cards in `DATA_SHEET`, over what their maker promises. Meant for GPUs, it runs on any device.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.bench_training import BATCH, STEPS_A_TURN, device_name, in_turns, noise, parameters, turn
from gliocast.model.checkpoints import Training
from gliocast.model.classes import loss_of
from gliocast.model.device import choose_devices, resident
from gliocast.model.material import FoldIndices, Material, prepare
from gliocast.model.parameters import ModelParameters
from gliocast.model.precision import arithmetic, mixed_precision
from gliocast.model.resume import Saver
from gliocast.model.training import start, train_epoch

# Dense bfloat16 operations a second, from NVIDIA's data sheets (SXM modules).
DATA_SHEET = {"A100": 312e12, "H100": 989e12, "H200": 989e12}


def main() -> None:
    """Print one JSON line a network."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--backbones", nargs="+", default=["test_byobnet", "resnet10t", "resnet51q"])
    asked.add_argument("--side-px", type=int, default=64)
    asked.add_argument("--batch", type=int, default=BATCH)
    asked.add_argument("--patients", type=int, default=20, help="whose slices lie on the device; an epoch sees all")
    asked.add_argument("--rounds", type=int, default=2, help=f"turns of {STEPS_A_TURN} epochs")
    asked.add_argument("--compile", action="store_true")
    options = asked.parse_args()
    device = choose_devices(("auto",))[0]
    for backbone in options.backbones:
        params = parameters(backbone, compile=options.compile)
        known = {"batch_size": options.batch, "precision": arithmetic(params, device, options.side_px)}
        compare(params.model_copy(update=known), options, device)


def compare(params: ModelParameters, options: argparse.Namespace, device: torch.device) -> None:
    """Slices a second of an epoch of ours, and of as many steps on one batch."""
    training, material = begun(params, options, device)
    steps = -(-len(material.fit_examples) // params.batch_size)
    generator = torch.Generator(device)
    saver = Saver(training, None, "benchmark", "", 0.0)
    batch = material.fit_examples[: params.batch_size].clone()
    classes = material.fit_classes[: params.batch_size].clone()

    def epoch() -> None:
        training.step, training.loss_sum = 0, 0.0
        train_epoch(training, material, params, 0, generator, saver)

    def fixed() -> None:
        for _ in range(steps):
            fixed_step(training, batch, classes, params)

    eager = replace(training, forward=training.network)  # what a compiler made of it cannot be counted
    operations = counted(lambda: fixed_step(eager, batch, classes, params))
    turns = {name: turn(finished(work, device)) for name, work in (("epoch", epoch), ("fixed", fixed))}
    seconds = {name: statistics.median(taken) for name, taken in in_turns(turns, options.rounds).items()}
    rate = len(material.fit_examples) / seconds["epoch"]
    limit = steps * params.batch_size / seconds["fixed"]
    used = operations / params.batch_size * rate
    card = device_name()
    promised = next((peak for name, peak in DATA_SHEET.items() if name in card), None)
    said = {
        "benchmark": "training beside the device's limit",
        "device": card,
        "backbone": params.backbone,
        "side_px": options.side_px,
        "batch": params.batch_size,
        "arithmetic": params.precision,
        "compiled": params.compile,
        "slices_per_s": round(rate),
        "slices_per_s_fixed_batch": round(limit),
        "ratio": round(rate / limit, 3),
        "target_ratio": 0.9,
        "tera_operations_per_s": round(used / 1e12, 3),
        "share_of_matrix_product": round(used / matrix_product(params, device), 3),
        "share_of_data_sheet": round(used / promised, 4) if promised and params.precision == "bfloat16" else None,
    }
    print(json.dumps(said), flush=True)


def begun(params: ModelParameters, options: argparse.Namespace, device: torch.device) -> tuple[Training, Material]:
    """A training before its first step, its slices on the device."""
    stacks, classes = noise(options.patients + 2, options.side_px)
    fold = FoldIndices(np.arange(options.patients), np.arange(options.patients, len(stacks)))
    torch.manual_seed(0)
    training = start(params.hyperparameters, params, device)
    return training, prepare(resident(stacks, device), classes, fold, params)


def fixed_step(training: Training, batch: torch.Tensor, classes: torch.Tensor, params: ModelParameters) -> None:
    """A step of the same network, optimiser and arithmetic, with nothing else about it."""
    with mixed_precision(params, batch.device, batch.shape[-1]):
        loss = loss_of(training.forward(batch), classes, params.loss)
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    training.optimizer.step()


def counted(step: Callable[[], Any]) -> float:
    """Operations of convolutions and matrix products in one step, forward and backward."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


def matrix_product(params: ModelParameters, device: torch.device) -> float:
    """Operations a second of a large square product in the training's arithmetic."""
    side = 8192 if device.type == "cuda" else 2048
    kind = torch.bfloat16 if params.precision == "bfloat16" else torch.float32
    one = torch.randn(side, side, device=device, dtype=kind)
    return 2 * side**3 / statistics.median(turn(finished(lambda: one @ one, device))())


def finished(work: Callable[[], Any], device: torch.device) -> Callable[[], None]:
    """The work and the wait for the device, so that what is timed is done."""

    def whole() -> None:
        work()
        wait(device)

    return whole


def wait(device: torch.device) -> None:
    """Until the device has done what it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


if __name__ == "__main__":
    main()
