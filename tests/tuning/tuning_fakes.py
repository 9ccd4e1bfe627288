"""A search whose trials cost nothing: losses fall towards a floor that the hyperparameters decide."""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gliocast.errors import Problem, TrainingError
from gliocast.model.parameters import Hyperparameters
from gliocast.tuning.objective import Report, Trainer
from gliocast.tuning.parameters import TuningParameters
from gliocast.tuning.search import Search
from gliocast.tuning.storage import StudyStorage

CONFIGURED = Hyperparameters(learning_rate=1e-3, weight_decay=1e-4, dropout=0.2)


def a_tuning(**changes: Any) -> TuningParameters:
    pruning = {"method": "none", "keep_percent": 25.0, "startup_trials": 5, "warmup_epochs": 5, "reduction_factor": 3}
    parameters: dict[str, Any] = {
        "trials": 4,
        "ranges": {
            "learning_rate": {"low": 1e-7, "high": 1e-2, "log": True},
            "weight_decay": {"low": 1e-6, "high": 1e-2, "log": True},
            "dropout": {"low": 0.1, "high": 0.5, "log": False},
        },
        "measure": "log_loss",
        "folds": 1,
        "epochs": 10,
        "startup_trials": 3,
        "try_configured": False,
        "max_consecutive_failures": 3,
        "workers": 1,
        "study_name": None,
        **changes,
    }
    return TuningParameters.model_validate({**parameters, "pruning": {**pruning, **changes.get("pruning", {})}})


@dataclass(frozen=True)
class Falling(Trainer):
    """The loss falls from 0.7 to a floor that is lowest at a learning rate of 1e-3 and a dropout of 0.3."""

    epochs: int = 10
    seconds_an_epoch: float = 0.0

    def __call__(self, fold: int, hyperparameters: Hyperparameters, report: Report) -> float:
        loss = 0.7
        for epoch in range(1, self.epochs + 1):
            time.sleep(self.seconds_an_epoch)
            loss = floor(hyperparameters) + (0.7 - floor(hyperparameters)) * math.exp(-epoch / 5)
            report(epoch, loss + 0.01 * fold)
        return loss + 0.01 * fold


def floor(hyperparameters: Hyperparameters) -> float:
    off = math.log10(hyperparameters.learning_rate) + 3
    return 0.4 + 0.05 * min(abs(off), 4) + 0.1 * abs(hyperparameters.dropout - 0.3)


@dataclass(frozen=True)
class Failing(Trainer):
    """Fails where `only_above` lies below the learning rate, with a message that names a patient."""

    only_above: float = 0.0
    patient: str = "P017"

    def __call__(self, fold: int, hyperparameters: Hyperparameters, report: Report) -> float:
        if hyperparameters.learning_rate > self.only_above:
            raise TrainingError(Problem(self.patient, "loss", "NaN", "a finite number", "Lower the learning rate."))
        return Falling()(fold, hyperparameters, report)


@dataclass(frozen=True)
class Killed(Trainer):
    """Kills its own process in the middle of the trial that `marker` counts down to; other trials run through."""

    marker: Path
    at_trial: int

    def __call__(self, fold: int, hyperparameters: Hyperparameters, report: Report) -> float:
        with self.marker.open("a") as file:
            file.write("x")
        if self.marker.stat().st_size == self.at_trial:
            report(1, 0.69)
            os.kill(os.getpid(), signal.SIGKILL)
        return Falling()(fold, hyperparameters, report)


def a_search(
    folder: Path, train: Trainer | None = None, *, storage: StudyStorage | None = None, **changes: Any
) -> Search:
    fingerprint = changes.pop("fingerprint", {"ranges": "a", "images": "b"})
    seed = changes.pop("seed", 1)
    return Search(
        train=train or Falling(),
        tuning=a_tuning(**changes),
        configured=CONFIGURED,
        fingerprint=fingerprint,
        epochs=10,
        seed=seed,
        storage=storage or StudyStorage(folder / "study.log"),
        patient_ids=("P017", "1"),
    )
