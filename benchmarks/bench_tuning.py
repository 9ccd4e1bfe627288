"""Does ending trials early find hyperparameters as good for fewer epochs, and do two processes halve the time?

A small network is really trained, by the paper's protocol in miniature (AdamW, reduce on plateau, early stopping), on
simulated slices whose perfect reader reaches AUC 0.80. Every arm searches the paper's ranges with 50 trials; the arms
share their seeds, and no setting was chosen on these seeds or these slices. The network is written in numpy, so that an
epoch takes a millisecond; where processes are compared, an epoch goes over the slices many times, nearer to a real one.
"""

from __future__ import annotations

import json
import math
import os
import resource
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy: one thread a process, so that two processes have a core each

import numpy as np
from omegaconf import OmegaConf

from gliocast.model.parameters import Hyperparameters
from gliocast.tuning.objective import Report, Trainer
from gliocast.tuning.parameters import TuningParameters
from gliocast.tuning.results import tuned_hyperparameters
from gliocast.tuning.search import Search
from gliocast.tuning.storage import StudyStorage
from gliocast.tuning.workers import work_together

CONF = Path(__file__).parents[1] / "conf" / "base" / "parameters_tuning.yml"
CONFIGURED = Hyperparameters(learning_rate=1e-4, weight_decay=1e-4, dropout=0.3)
FIT, STOP, SLICES, SIDE, HIDDEN = 105, 35, 9, 10, 16  # patients fitted on and stopping, as in the paper; pixels; units
EPOCHS, PATIENCE, PLATEAU, BATCH = 150, 25, 5, 135  # half the paper's epochs and patience; its plateau
SIGNAL = 1.19  # distance of the classes' means in standard deviations: AUC 0.80
SEEDS = range(100, 108)  # the pruning's settings were chosen on 0 to 3
SIMULATION_SEED = 100  # and on the slices of 0
PASSES = 40  # over the slices an epoch, where processes are compared: 30 ms


@dataclass(frozen=True)
class SmallNetwork(Trainer):
    """A hidden layer with dropout, trained until the stopping patients' loss has not fallen for `PATIENCE` epochs."""

    epochs: int = EPOCHS
    passes: int = 1  # over the slices an epoch

    def __call__(self, fold: int, hyperparameters: Hyperparameters, report: Report) -> float:
        """The lowest loss of the stopping patients."""
        slices, outcome, stop_slices, stop_outcome = simulated()
        training = Training(hyperparameters)
        best, best_epoch, best_on_plateau, waited = math.inf, 0, math.inf, 0
        for epoch in range(1, self.epochs + 1):
            for _ in range(self.passes):
                training.fit(slices, outcome)
            logit = training.logits(stop_slices).mean(axis=1)
            loss = float(np.mean(np.logaddexp(0, logit) - stop_outcome * logit))
            if loss < best_on_plateau * (1 - 1e-4):  # torch's ReduceLROnPlateau, with its own threshold
                best_on_plateau, waited = loss, -1
            waited += 1
            if waited > PLATEAU:
                training.learning_rate, waited = training.learning_rate * 0.1, 0
            if loss < best:
                best, best_epoch = loss, epoch
            report(epoch, best)
            if epoch - best_epoch >= PATIENCE:
                break
        return best


@dataclass
class Training:
    """The network's weights and AdamW's moments (Loshchilov & Hutter, arXiv:1711.05101)."""

    hyperparameters: Hyperparameters
    generator: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    step: int = 0

    def __post_init__(self) -> None:
        self.learning_rate = self.hyperparameters.learning_rate
        shapes = [(SIDE * SIDE, HIDDEN), (HIDDEN,), (HIDDEN, 1), (1,)]
        scales = [1 / SIDE, 0, 1 / math.sqrt(HIDDEN), 0]
        self.weights = [
            self.generator.normal(0, 1, shape).astype(np.float32) * np.float32(scale)
            for shape, scale in zip(shapes, scales, strict=True)
        ]
        self.moments = [(np.zeros_like(weight), np.zeros_like(weight)) for weight in self.weights]

    def logits(self, slices: np.ndarray) -> np.ndarray:
        """One logit a slice."""
        hidden = np.maximum(slices @ self.weights[0] + self.weights[1], 0)
        return (hidden @ self.weights[2] + self.weights[3])[..., 0]

    def fit(self, slices: np.ndarray, outcome: np.ndarray) -> None:
        """One epoch."""
        order = self.generator.permutation(len(slices))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            self.descend(self.gradients(slices[chosen], outcome[chosen]))

    def gradients(self, slices: np.ndarray, outcome: np.ndarray) -> list[np.ndarray]:
        """Of the mean cross-entropy."""
        dropout = self.hyperparameters.dropout
        kept = (self.generator.random((len(slices), HIDDEN)) >= dropout).astype(np.float32) / (1 - dropout)
        hidden = np.maximum(slices @ self.weights[0] + self.weights[1], 0) * kept
        logit = (hidden @ self.weights[2] + self.weights[3])[:, 0]
        of_logit = ((1 / (1 + np.exp(-logit)) - outcome) / len(outcome))[:, None].astype(np.float32)
        of_hidden = (of_logit @ self.weights[2].T) * kept * (hidden > 0)
        return [slices.T @ of_hidden, of_hidden.sum(axis=0), hidden.T @ of_logit, of_logit.sum(axis=0)]

    def descend(self, gradients: list[np.ndarray]) -> None:
        """One step of AdamW."""
        self.step += 1
        rate, decay = self.learning_rate, self.hyperparameters.weight_decay
        for weight, gradient, (first, second) in zip(self.weights, gradients, self.moments, strict=True):
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient**2 - second)
            unbiased = np.sqrt(second / (1 - 0.999**self.step)) + 1e-8
            weight *= 1 - rate * decay
            weight -= rate / (1 - 0.9**self.step) * first / unbiased


def simulated() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Slices and outcomes: a ring whose brightness carries each patient's latent score, in noise."""
    generator = np.random.default_rng(SIMULATION_SEED)
    outcome = np.arange(FIT + STOP) % 2
    latent = generator.normal(outcome * SIGNAL, 1)
    distance = np.hypot(*np.meshgrid(*[np.arange(SIDE) - SIDE / 2] * 2))
    ring = np.exp(-((distance - 3) ** 2) / 2).ravel()
    noise = generator.normal(0, 1, (FIT + STOP, SLICES, SIDE * SIDE))
    slices = (noise + 0.5 * latent[:, None, None] * ring).astype(np.float32)
    fit_outcome = np.repeat(outcome[:FIT], SLICES).astype(np.float32)
    return slices[:FIT].reshape(-1, SIDE * SIDE), fit_outcome, slices[FIT:], outcome[FIT:]


def configured(**changes: Any) -> TuningParameters:
    """The paper profile's search."""
    section = OmegaConf.merge({"profile": "paper"}, OmegaConf.load(CONF))
    resolved: Any = OmegaConf.to_container(section, resolve=True)
    tuning = resolved["tuning"]
    pruning = {**tuning["pruning"], **changes.pop("pruning", {})}
    return TuningParameters.model_validate({**tuning, **changes, "pruning": pruning})


def searched(seed: int, network: SmallNetwork | None = None, **changes: Any) -> dict[str, Any]:
    """One search in a storage of its own: its result, and the seconds of the search without its figures."""
    with TemporaryDirectory() as folder:
        storage = StudyStorage(Path(folder) / "study.log")
        search = Search(network or SmallNetwork(), configured(**changes), CONFIGURED, {}, EPOCHS, seed, storage)
        start, cpu_start = time.perf_counter(), cpu_seconds()
        work_together(search, lambda study: None)
        seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu_start
        with search.opened() as (study, _):
            return {**tuned_hyperparameters(study, search.tuning), "seconds": seconds, "cpu_seconds": cpu}


def compare_pruning() -> None:
    """Epochs and best values of each method, beside those of trials that are never ended early."""
    whole = [searched(seed, pruning={"method": "none"}) for seed in SEEDS]
    epochs, best = mean(whole, "epochs"), mean(whole, "best_value")
    spread = statistics.stdev(one["best_value"] for one in whole)
    for method in ("percentile", "median", "hyperband"):
        pruned = [searched(seed, pruning={"method": method}) for seed in SEEDS]
        row = {
            "benchmark": "tuning_pruning",
            "method": method,
            "epochs_ratio": round(mean(pruned, "epochs") / epochs, 3),
            "target_ratio": 0.4,
            "best_value": round(mean(pruned, "best_value"), 4),
            "best_value_unpruned": round(best, 4),
            "spread_unpruned": round(spread, 4),
            "epochs": round(mean(pruned, "epochs")),
            "epochs_unpruned": round(epochs),
            "epochs_unpruned_without_early_stopping": 50 * EPOCHS,
        }
        print(json.dumps(row), flush=True)


def compare_workers() -> None:
    """Seconds of two processes beside one: a thread each, 50 equal trials, the start of the second included."""
    searched(0, trials=1)  # imports what both need
    network = SmallNetwork(epochs=30, passes=PASSES)
    none = {"method": "none"}
    runs = {n: searched(0, network, workers=n, startup_trials=50, pruning=none) for n in (1, 2)}
    one, two = (runs[n]["epochs"] / runs[n]["seconds"] for n in (1, 2))
    row = {"benchmark": "tuning_workers", "speedup": round(two / one, 2), "target_speedup": 1.7, "threads_each": 1}
    seconds = {str(n): round(run["seconds"], 1) for n, run in runs.items()}
    cpu = {str(n): round(run["cpu_seconds"], 1) for n, run in runs.items()}
    print(json.dumps({**row, "seconds": seconds, "cpu_seconds": cpu, "ms_an_epoch": round(1000 / one, 1)}), flush=True)


def cpu_seconds() -> float:
    """Of this process and of those that it has started and that have ended: what other work on the machine hides."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def mean(results: list[dict[str, Any]], key: str) -> float:
    """The mean of one entry of the results."""
    return statistics.fmean(one[key] for one in results)


if __name__ == "__main__":
    start = time.perf_counter()
    compare_workers()
    compare_pruning()
    print(json.dumps({"benchmark": "tuning", "seconds": round(time.perf_counter() - start)}), flush=True)
