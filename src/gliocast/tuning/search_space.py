"""Drawing one point of the search space for one trial."""

from __future__ import annotations

from gliocast.model.parameters import Hyperparameters
from gliocast.tuning.optuna_types import Trial
from gliocast.tuning.parameters import SearchSpace

HYPERPARAMETERS: tuple[str, ...] = tuple(SearchSpace.model_fields)


def draw(trial: Trial, ranges: SearchSpace) -> Hyperparameters:
    """The hyperparameters of `trial`: drawn by its study's sampler, or those it was enqueued with."""
    return Hyperparameters(**{name: _draw_one(trial, ranges, name) for name in HYPERPARAMETERS})


def _draw_one(trial: Trial, ranges: SearchSpace, name: str) -> float:
    one = getattr(ranges, name)
    return trial.suggest_float(name, one.low, one.high, log=one.log)


def outside(hyperparameters: Hyperparameters, ranges: SearchSpace) -> list[str]:
    """The names of those that lie outside their ranges."""
    point = as_point(hyperparameters)
    return [
        name for name in HYPERPARAMETERS if not getattr(ranges, name).low <= point[name] <= getattr(ranges, name).high
    ]


def as_point(hyperparameters: Hyperparameters) -> dict[str, float]:
    """The three hyperparameters alone, by name."""
    return hyperparameters.model_dump(include=set(HYPERPARAMETERS))
