"""Drawing one point of the search space for one trial."""

from __future__ import annotations

from gliocast.model.parameters import Hyperparameters
from gliocast.tuning.optuna_types import Trial
from gliocast.tuning.parameters import SearchSpace

HYPERPARAMETERS: tuple[str, ...] = tuple(SearchSpace.model_fields)


def draw(trial: Trial, ranges: SearchSpace) -> Hyperparameters:
    """The hyperparameters of `trial`: drawn by its study's sampler, or those it was enqueued with."""
    return Hyperparameters(**{name: _draw_one(trial, ranges, name) for name in HYPERPARAMETERS}, source="tuned")


def _draw_one(trial: Trial, ranges: SearchSpace, name: str) -> float:
    one = getattr(ranges, name)
    return trial.suggest_float(name, one.low, one.high, log=one.log)


def inside(hyperparameters: Hyperparameters, ranges: SearchSpace) -> bool:
    """Whether each hyperparameter lies in its range."""
    return all(
        getattr(ranges, name).low <= getattr(hyperparameters, name) <= getattr(ranges, name).high
        for name in HYPERPARAMETERS
    )


def as_point(hyperparameters: Hyperparameters) -> dict[str, float]:
    """The three hyperparameters alone, by name."""
    return hyperparameters.model_dump(include=set(HYPERPARAMETERS))
