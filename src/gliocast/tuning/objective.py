"""What one trial does: draw hyperparameters, train with them, and be judged by patients who stopped the training."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from statistics import fmean
from typing import TypeAlias

from gliocast.errors import InputError, TrainingError
from gliocast.model.parameters import Hyperparameters
from gliocast.tuning.ledger import CAUSE, REASON, SURPLUS, WORKER, has_place
from gliocast.tuning.optuna_types import Trial
from gliocast.tuning.parameters import SearchSpace
from gliocast.tuning.presence import repeat
from gliocast.tuning.search_space import draw

Report: TypeAlias = Callable[[int, float], None]  # (epoch from 1, value at the best epoch so far); may end the trial
REASON_LENGTH = 300


class Trainer(ABC):
    """Trains one fold of a trial."""

    @abstractmethod
    def __call__(self, fold: int, hyperparameters: Hyperparameters, report: Report) -> float:
        """Train on fold `fold` (from 0), call `report` after each epoch; the value at the best epoch."""

    def for_worker(self, number: int, workers: int) -> Trainer:
        """The trainer of process `number` (from 0) of `workers` that share the machine."""
        return self

    def beside(self, others: int) -> Trainer:
        """The trainer while `others` more processes work on the study."""
        return self


class TrialFailedError(Exception):
    """A trial that has come to nothing; the search goes on."""


@dataclass(frozen=True)
class Objective:
    """The value of a trial: the mean over the folds of the value at each fold's best epoch.

    Attributes:
        train: trains one fold and reports after each epoch.
        ranges: where hyperparameters are drawn.
        trials: trials asked for; a trial beyond them gives up its place.
        folds: folds that each trial trains on.
        epochs: epochs of one training at most.
        worker: the process that runs the trial.
        patient_ids: words that no stored reason may hold.
    """

    train: Trainer
    ranges: SearchSpace
    trials: int
    folds: int
    epochs: int
    worker: str
    patient_ids: Sequence[str] = field(repr=False)

    def __call__(self, trial: Trial) -> float:
        """Run one trial.

        Raises:
            TrialPruned: the trial fell behind.
            TrialFailedError: training failed; the reason is stored with the trial.
            InputError: no trial can succeed, because the user's input is wrong.
        """
        from optuna.exceptions import TrialPruned

        trial.set_user_attr(WORKER, self.worker)
        if not has_place(trial.number, trial.study, self.trials):
            raise _failed(trial, SURPLUS)
        try:
            return self.value(trial, draw(trial, self.ranges))
        except (TrialPruned, TrialFailedError):
            raise
        except KeyboardInterrupt:
            repeat(trial.study, trial)
            raise
        except Exception as error:
            reason = reason_of(error, self.patient_ids)
            if isinstance(error, InputError) and not isinstance(error, TrainingError):
                trial.set_user_attr(CAUSE, reason)
                raise
            raise _failed(trial, reason) from None

    def value(self, trial: Trial, hyperparameters: Hyperparameters) -> float:
        """Train the folds one after the other; each epoch is one step of the trial."""
        values: list[float] = []
        for fold in range(self.folds):
            report = _reporter(trial, tuple(values), first_step=fold * self.epochs)
            values.append(self.train(fold, hyperparameters, report))
        if not isfinite(fmean(values)):
            raise _failed(trial, f"the value at the best epoch is {fmean(values)}")
        return fmean(values)


def reason_of(error: Exception, patient_ids: Sequence[str]) -> str:
    """Why training failed, in one short line that names no patient."""
    said = "; ".join(map(str, error.problems)) if isinstance(error, InputError) else str(error)
    line = re.sub(r"\s+", " ", f"{type(error).__name__}: {said}")
    if patient_ids:
        names = "|".join(map(re.escape, sorted(patient_ids, key=len, reverse=True)))
        line = re.sub(rf"(?<!\w)(?:{names})(?!\w)", "(patient)", line)
    return line[:REASON_LENGTH]


def _reporter(trial: Trial, finished: Sequence[float], first_step: int) -> Report:
    from optuna.exceptions import TrialPruned

    def report(epoch: int, value: float) -> None:
        trial.report(fmean([*finished, value]), step=first_step + epoch)
        if trial.should_prune():
            raise TrialPruned(f"fell behind at epoch {epoch}")

    return report


def _failed(trial: Trial, reason: str) -> TrialFailedError:
    trial.set_user_attr(REASON, reason)
    return TrialFailedError(reason)
