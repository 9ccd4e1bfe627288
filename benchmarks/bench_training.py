"""How fast is a training step beside the plain eager PyTorch step, and what do several folds cost in one job?

Peers run in turns within one process, so that whatever else the machine does falls on all of them alike; medians. The
other rival is the loop that most studies use: Lightning with a data loader, without and with two worker processes.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from model_fakes import a_partition, names, tiny

from gliocast.model.backbone import build_network
from gliocast.model.device import choose_devices
from gliocast.model.material import FoldIndices, prepare
from gliocast.model.out_of_fold import train_out_of_fold
from gliocast.model.parameters import ModelParameters
from gliocast.model.precision import arithmetic
from gliocast.model.training import start, train_fold, train_step

BATCH, SIDE_PX, SLICES = 30, 64, 9
STEPS_A_TURN = 5
Step = Callable[[], Any]
Turn = Callable[[], list[float]]  # seconds of each of some steps


def main() -> None:
    """Print one JSON line a figure."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--backbones", nargs="+", default=["test_byobnet", "resnet10t", "resnet51q"])
    asked.add_argument("--rounds", type=int, default=4, help=f"turns of {STEPS_A_TURN} steps")
    asked.add_argument("--side-px", type=int, default=SIDE_PX)
    asked.add_argument("--compile", action="store_true", help="also time the compiled step")
    options = asked.parse_args()
    for backbone in options.backbones:
        compare_steps(backbone, options.side_px, options.rounds, options.compile)
        compare_losses(backbone, options.side_px)
    compare_folds()
    compare_pairs("test_byobnet", options.side_px)


def compare_steps(backbone: str, side_px: int, rounds: int, compiled: bool) -> None:
    """One step of ours, and of the rivals: same network, batch and slices in memory."""
    turns = {"plain eager": turn(plain_step(backbone, side_px)), "gliocast": turn(our_step(backbone, side_px))}
    if own_arithmetic(backbone) != "float32":
        turns["gliocast float32"] = turn(our_step(backbone, side_px, precision="float32"))
    if compiled:
        turns["gliocast compiled"] = turn(our_step(backbone, side_px, compile=True))
    if find_spec("lightning"):
        turns["lightning, no workers"] = lightning_turn(backbone, side_px, 0)
        turns["lightning, two workers"] = lightning_turn(backbone, side_px, 2)
    else:
        print(json.dumps({"benchmark": "training step", "skipped": "lightning is not installed; `make bench` does"}))
    seconds = in_turns(turns, rounds)
    plain = statistics.median(seconds["plain eager"])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        figure = {
            "s_per_step": round(median, 4),
            "ratio": round(median / plain, 3),
            "slices_per_s": round(BATCH / median),
        }
        said = {"benchmark": "training step", "backbone": backbone, "side_px": side_px, "batch": BATCH, "engine": name}
        where = {"device": device_name(), "arithmetic": own_arithmetic(backbone), "threads": torch.get_num_threads()}
        print(json.dumps(said | where | figure), flush=True)


def compare_losses(backbone: str, side_px: int, epochs: int = 8, seeds: int = 3) -> None:
    """Whether the faster arithmetic follows float32's curve of losses: their difference, beside that of two seeds."""
    stacks, classes = noise(40, side_px)
    stacks[classes == 1, :, side_px // 4 : side_px // 2, side_px // 4 : side_px // 2] += 0.2
    fold = FoldIndices(np.arange(30), np.arange(30, 40))
    curves = {
        precision: np.array(
            [
                train_fold(stacks, classes, fold, params.hyperparameters, params, seed).curve["train_loss"]
                for seed in range(seeds)
                for params in [parameters(backbone, epochs=epochs, patience=epochs, precision=precision)]
            ]
        )
        for precision in ("float32", own_arithmetic(backbone))
    }
    difference = curves[own_arithmetic(backbone)] - curves["float32"]
    figure = {
        "first_loss": round(float(curves["float32"][:, 0].mean()), 3),
        "last_loss": {precision: round(float(curve[:, -1].mean()), 4) for precision, curve in curves.items()},
        "rms_difference": round(float(np.sqrt((difference**2).mean())), 4),
        "rms_difference_of_two_seeds": round(float(np.sqrt(2 * curves["float32"].var(axis=0, ddof=1).mean())), 4),
    }
    print(json.dumps({"benchmark": "training loss", "backbone": backbone, "epochs": epochs} | figure), flush=True)


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


def compare_pairs(backbone: str, side_px: int, folds: int = 4, epochs: int = 8) -> None:
    """Folds that train two at once on one device, with the start of the processes, beside one after the other."""
    patients = names(100)
    stacks, classes = noise(len(patients), side_px)
    partition = a_partition(patients, test=20, folds=folds)

    def seconds(*devices: str) -> float:
        params = parameters(backbone, epochs=epochs, patience=epochs, devices=devices)
        return timed(lambda: train_out_of_fold(stacks, patients, classes, partition, params.hyperparameters, params, 1))

    alone, paired = seconds("auto"), seconds("auto", "auto")
    figure = {"in_turn_s": round(alone, 2), "two_at_once_s": round(paired, 2), "ratio": round(paired / alone, 2)}
    said = {"benchmark": "folds two at once", "backbone": backbone, "folds": folds, "epochs": epochs}
    print(json.dumps(said | {"device": device_name()} | figure), flush=True)


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
    training = start(params.hyperparameters, params, device)
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
    return tiny(
        backbone=backbone,
        batch_size=BATCH,
        threads=None,
        paper_protocol=False,
        **{"precision": "auto", "devices": ("auto",)} | changes,
    )


def noise(patients: int, side_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Slices of noise, and alternating classes."""
    stacks = np.random.default_rng(0).random((patients, SLICES, side_px, side_px), dtype=np.float32)
    return stacks, np.arange(patients, dtype=np.int64) % 2


def turn(step: Step) -> Turn:
    """Some steps, after two that warm up."""
    step()
    step()
    return lambda: [timed(step) for _ in range(STEPS_A_TURN)]


def lightning_turn(backbone: str, side_px: int, workers: int) -> Turn:
    """A short run of Lightning's Trainer; its steps count from batch to batch, the first (start-up) does not."""
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    params = parameters(backbone)

    class Rival(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.network = build_network(params, params.dropout)
            self.begun: list[float] = []

        def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], _: int) -> torch.Tensor:
            self.begun.append(time.perf_counter())
            slices, labels = batch
            return torch.nn.functional.binary_cross_entropy_with_logits(self.network(slices), labels)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay)

    rival = Rival()
    n_slices = BATCH * (STEPS_A_TURN + 2)
    labels = (torch.arange(n_slices) % 2).float()[:, None]
    cohort = torch.utils.data.TensorDataset(torch.rand(n_slices, 1, side_px, side_px), labels)
    loader = torch.utils.data.DataLoader(cohort, BATCH, shuffle=True, num_workers=workers)
    unwanted = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    silent: dict[str, Any] = dict.fromkeys(unwanted, False)

    def steps() -> list[float]:
        rival.begun.clear()
        lightning.Trainer(max_epochs=1, accelerator="auto", devices=1, **silent).fit(rival, loader)
        return np.diff(rival.begun)[1:].tolist()

    return steps


def in_turns(turns: dict[str, Turn], rounds: int) -> dict[str, list[float]]:
    """Seconds of each engine's steps, one engine after the other in every round."""
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, steps in turns.items():
            seconds[name] += steps()
    return seconds


def timed(work: Callable[[], Any]) -> float:
    """Seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def own_arithmetic(backbone: str) -> str:
    """What `model.precision: auto` computes in here."""
    return arithmetic(parameters(backbone), choose_devices(("auto",))[0], SIDE_PX)


def device_name() -> str:
    """The card, or the processor."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "processor"


if __name__ == "__main__":
    main()
