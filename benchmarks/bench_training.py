"""How fast is a training step beside the plain eager PyTorch step, and do five folds cost more than five times one?

Peers run in turns within one process, so that whatever else the machine does falls on all of them alike; medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "model"))

from model_fakes import a_partition, names, tiny

from gliocast.model.backbone import build_network
from gliocast.model.device import choose_devices
from gliocast.model.out_of_fold import train_out_of_fold
from gliocast.model.parameters import ModelParameters
from gliocast.model.training import FoldIndices, Training, prepare, start, train_fold, train_step

BATCH, SIDE_PX, SLICES = 30, 64, 9
Step = Callable[[], Any]


def main() -> None:
    """Print one JSON line a figure."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--backbones", nargs="+", default=["test_byobnet", "resnet10t"])
    asked.add_argument("--rounds", type=int, default=15)
    asked.add_argument("--side-px", type=int, default=SIDE_PX)
    asked.add_argument("--compile", action="store_true", help="also time the compiled step")
    options = asked.parse_args()
    for backbone in options.backbones:
        compare_steps(backbone, options.side_px, options.rounds, options.compile)
    compare_folds()


def compare_steps(backbone: str, side_px: int, rounds: int, compiled: bool) -> None:
    """One step of ours, and of the plain loop: same network, batch and data in memory."""
    steps = {"plain eager": plain_step(backbone, side_px), "gliocast": our_step(backbone, side_px)}
    if compiled:
        steps["gliocast compiled"] = our_step(backbone, side_px, compile=True)
    for step in steps.values():
        step()
        step()
    seconds = in_turns(steps, rounds)
    plain = statistics.median(seconds["plain eager"])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        figure = {
            "s_per_step": round(median, 4),
            "ratio": round(median / plain, 3),
            "slices_per_s": round(BATCH / median),
        }
        said = {"benchmark": "training step", "backbone": backbone, "side_px": side_px, "batch": BATCH, "engine": name}
        print(json.dumps(said | {"device": device_name(), "threads": torch.get_num_threads()} | figure), flush=True)


def compare_folds(folds: int = 5, epochs: int = 2) -> None:
    """Out-of-fold training as one job, beside one fold trained alone."""
    patients = names(60)
    stacks, classes = noise(len(patients), 32)
    partition, params = a_partition(patients, test=10, folds=folds), parameters("test_byobnet", epochs=epochs)
    place = {patient: number for number, patient in enumerate(patients)}
    first = partition.splits[0].folds[0]
    fold = FoldIndices(*(np.array([place[patient] for patient in group]) for group in (first.fit, first.stop)))
    one = timed(lambda: train_fold(stacks, classes, fold, params.hyperparameters, params, 1))
    all_folds = timed(
        lambda: train_out_of_fold(stacks, patients, classes, partition, params.hyperparameters, params, 1)
    )
    figure = {"one_fold_s": round(one, 2), "all_folds_s": round(all_folds, 2), "ratio": round(all_folds / one, 2)}
    print(json.dumps({"benchmark": "out-of-fold training", "folds": folds, "target_ratio": folds} | figure), flush=True)


def plain_step(backbone: str, side_px: int) -> Step:
    """What a tutorial writes: contiguous float32, AdamW with its defaults."""
    params = parameters(backbone)
    device = choose_devices(params.devices)[0]
    torch.manual_seed(0)
    network = build_network(params, params.dropout).to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)
    slices = torch.rand(BATCH, 1, side_px, side_px, device=device)
    labels = (torch.arange(BATCH, device=device) % 2).float()[:, None]

    def step() -> None:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(slices), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        float(loss.detach())

    return step


def our_step(backbone: str, side_px: int, **changes: Any) -> Step:
    """The step of `gliocast.model.training`, its choice of the batch from the resident cohort included."""
    params = parameters(backbone, **changes)
    device = choose_devices(params.devices)[0]
    torch.manual_seed(0)
    training: Training = start(params.hyperparameters, params, device)
    training.network.train()
    stacks, classes = noise(8, side_px)
    fold = FoldIndices(np.arange(6), np.arange(6, 8))
    material = prepare(torch.as_tensor(stacks, dtype=torch.float32, device=device), classes, fold, params)
    chosen, generator = torch.arange(BATCH, device=device), torch.Generator(device)

    def step() -> None:
        float(train_step(training, material, chosen, params, generator))

    return step


def parameters(backbone: str, **changes: Any) -> ModelParameters:
    """The demo's way of training, without augmentation, as the peers have none."""
    return tiny(backbone=backbone, batch_size=BATCH, threads=None, precision="auto", devices=("auto",), **changes)


def noise(patients: int, side_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Slices of noise, and alternating classes."""
    stacks = np.random.default_rng(0).random((patients, SLICES, side_px, side_px), dtype=np.float32)
    return stacks, np.arange(patients, dtype=np.int64) % 2


def in_turns(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step, one after the other in every round."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            seconds[name].append(timed(step))
    return seconds


def timed(work: Callable[[], Any]) -> float:
    """Seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def device_name() -> str:
    """The card, or the processor."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "processor"


if __name__ == "__main__":
    main()
