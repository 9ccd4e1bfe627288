"""The bridge from a trial to the network: what a trial trains, and how patients who stop it judge it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from gliocast.errors import ConfigurationError, Problem, raise_if_any
from gliocast.model.classes import auc
from gliocast.model.device import choose_devices
from gliocast.model.material import FoldIndices
from gliocast.model.parameters import Hyperparameters, ModelParameters
from gliocast.model.precision import arithmetic
from gliocast.model.resume import WITHOUT_EFFECT, made_with
from gliocast.model.training import EpochReport, train_fold
from gliocast.model.weights import pinned
from gliocast.processes import n_cores
from gliocast.tuning.fingerprint import digest_of_array, digest_of_value
from gliocast.tuning.objective import Report, Trainer
from gliocast.tuning.parameters import Measure


@dataclass(frozen=True)
class FoldTrainer(Trainer):
    """Trains one fold of a split with given hyperparameters; reads nobody that the fold holds out.

    Attributes:
        stacks: slice stacks of the training patients, `[patients, slices, height, width]`.
        classes: class of each patient, -1 where undetermined.
        folds: positions of the patients that each fold fits on and stops by.
        params: of the network, with the epochs of the search.
        measure: what a trial is judged by.
        seed: the same for each trial, so that trials differ by their hyperparameters alone.
    """

    stacks: Float[np.ndarray, "patients slices height width"] = field(repr=False)
    classes: Int[np.ndarray, " patients"] = field(repr=False)
    folds: Sequence[FoldIndices] = field(repr=False)
    params: ModelParameters
    measure: Measure
    seed: int

    def __call__(self, fold: int, hyperparameters: Hyperparameters, report: Report) -> float:
        """Train on fold `fold`; the value, at the best epoch, of the patients that stop the training."""
        best = BestEpoch(stop_outcomes(self.folds[fold], self.classes, self.params), self.measure, report)
        train_fold(
            self.stacks,
            self.classes,
            self.folds[fold],
            hyperparameters,
            self.params,
            self.seed,
            name=f"fold {fold + 1} of a trial",
            on_epoch=best.follow,
        )
        return best.value

    def for_worker(self, number: int, workers: int) -> FoldTrainer:
        """The machine's devices are handed round, and its processor's threads are divided."""
        devices = tuple(map(str, choose_devices(self.params.devices)))
        own = self.params.model_copy(update={"devices": (devices[number % len(devices)],)})
        return replace(self, params=own).beside(workers - 1)

    def beside(self, others: int) -> FoldTrainer:
        """The processor's threads are divided: more of them than cores train many times slower."""
        if self.params.threads or not others:
            return self
        threads = max(1, n_cores() // (others + 1))
        return replace(self, params=self.params.model_copy(update={"threads": threads}))

    def digests(self) -> dict[str, str]:
        """What is trained on, in digests that lead back to no patient."""
        return {
            "images": digest_of_array(self.stacks),
            "outcomes": digest_of_array(self.classes),
            "folds": digest_of_value([[fold.fit.tolist(), fold.stop.tolist()] for fold in self.folds]),
        }

    def settings(self) -> dict[str, Any]:
        """What a trial's value depends on: weights, versions, code, and the arithmetic of this machine for `auto`."""
        params, side_px = pinned(self.params), self.stacks.shape[-1]
        chosen = params.model_dump(mode="json", exclude=WITHOUT_EFFECT)
        precisions = {arithmetic(params, device, side_px) for device in choose_devices(params.devices)}
        return chosen | {"precision": sorted(precisions), **made_with()}


def refuse_unmeasurable(
    folds: Mapping[str, FoldIndices], classes: Int[np.ndarray, " patients"], params: ModelParameters, measure: Measure
) -> None:
    """Refuse, all at once, folds whose AUC would be that of patients who have one outcome: no trial could have a value.

    Raises:
        ConfigurationError: such patients stop the training of a fold.
    """
    if measure == "auc":
        stopping = {name: stop_outcomes(fold, classes, params) for name, fold in folds.items()}
        problems = [_of_one_outcome(name, len(who)) for name, who in stopping.items() if who.all() or not who.any()]
        raise_if_any(problems, ConfigurationError)


def stop_outcomes(
    fold: FoldIndices, classes: Int[np.ndarray, " patients"], params: ModelParameters
) -> Bool[np.ndarray, " stop"]:
    """Whether each of those who stop the fold's training, and have a class, was a long-term survivor."""
    stopping = classes[fold.stop]
    return stopping[stopping >= 0] >= params.first_long_term_class


def _of_one_outcome(fold: str, patients: int) -> Problem:
    found = f"auc, and the {patients} patients that stop {fold} have one outcome"
    remedy = "Set tuning.measure to log_loss, or use fewer folds."
    return Problem("–", "tuning.measure", found, "patients of both outcomes", remedy)


@dataclass
class BestEpoch:
    """Follows a training: a trial is worth what the stopping patients show at the epoch that training would keep."""

    outcome: Bool[np.ndarray, " stop"]
    measure: Measure
    report: Report
    value: float = math.nan

    def follow(self, epoch: EpochReport) -> None:
        """Take note of an epoch, and report the value at the best one so far."""
        if epoch.is_best:
            self.value = measured(self.measure, self.outcome, epoch.stop_probability)
        self.report(epoch.epoch, self.value)


def measured(
    measure: Measure, outcome: Bool[np.ndarray, " patients"], probability: Float[np.ndarray, " patients"]
) -> float:
    """Patient-level log-loss, or area under the ROC curve (Mann–Whitney; a tie counts one half).

    Returns:
        Log-loss from 0; AUC from 0 to 1, NaN where all patients have one outcome.
    """
    if measure == "log_loss":
        likely = np.clip(np.where(outcome, probability, 1 - probability), np.finfo(np.float64).eps, 1)
        return float(-np.log(likely).mean())
    return math.nan if outcome.all() or not outcome.any() else auc(outcome, probability)
