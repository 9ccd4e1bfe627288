"""The parameters of the search."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from gliocast.types import Parameters

Measure: TypeAlias = Literal["log_loss", "auc"]
Direction: TypeAlias = Literal["minimize", "maximize"]


class Range(Parameters):
    """Where one hyperparameter is sought: from `low` to `high`, on a logarithmic scale if `log`."""

    low: float
    high: float
    log: bool

    @model_validator(mode="after")
    def check_bounds(self) -> Range:
        """Refuse an empty range, and a logarithm of zero or less."""
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g}); exchange them")
        if self.log and self.low <= 0:
            raise ValueError(f"low is {self.low:g}, and a logarithmic scale needs more than 0")
        return self


class SearchSpace(Parameters):
    """The three ranges that are searched (Moreau et al., section 2.3)."""

    learning_rate: Range
    weight_decay: Range
    dropout: Range

    @model_validator(mode="after")
    def check_meaning(self) -> SearchSpace:
        """Refuse values that no training can use."""
        if self.learning_rate.low <= 0:
            raise ValueError("learning_rate.low must be above 0")
        if self.weight_decay.low < 0:
            raise ValueError("weight_decay.low must be at least 0")
        if not 0 <= self.dropout.low <= self.dropout.high < 1:
            raise ValueError("dropout must lie between 0 and 1, 1 excluded")
        return self


class PruningParameters(Parameters):
    """When a trial that falls behind is ended early.

    Attributes:
        method: `percentile` ends a trial whose best epoch so far is not among the best `keep_percent` of the finished
            trials at the same epoch (`median` is the same with 50); `hyperband` races trials in brackets; `none` ends
            none.
        keep_percent: percent of trials kept at each epoch by `percentile`.
        startup_trials: finished trials before `percentile` and `median` end any.
        warmup_epochs: epochs that each trial is given before it may be ended.
        reduction_factor: `hyperband` keeps one in so many trials at each rung.
    """

    method: Literal["percentile", "median", "hyperband", "none"]
    keep_percent: float = Field(gt=0, le=100)
    startup_trials: NonNegativeInt
    warmup_epochs: PositiveInt
    reduction_factor: int = Field(ge=2, le=10)


class TuningParameters(Parameters):
    """How the hyperparameters of the network are sought.

    Attributes:
        trials: trials of each split, over all processes and resumed runs; 0 takes the configured hyperparameters.
        ranges: where the hyperparameters are sought.
        measure: what a trial is judged by, of the patients that stop its training, at the best epoch: patient-level
            `log_loss` (lower is better) or `auc` (higher is better).
        folds: folds of a split that each trial trains on; its value is their mean.
        epochs: epochs of one training at most; null takes the model's own.
        startup_trials: trials drawn at random before the Parzen estimators guide the search.
        try_configured: the first trial takes the configured hyperparameters, so that no search ends worse than them.
        pruning: when a trial is ended early.
        max_consecutive_failures: so many trials failing one after the other end the search.
        workers: processes of this machine that work on the study.
        study_name: null names the study by what it searches, so that a changed search starts afresh beside the old one;
            a name of your own, followed by the split's where there are several, is continued, and refused
            where the search has changed.
    """

    trials: NonNegativeInt
    ranges: SearchSpace
    measure: Measure
    folds: PositiveInt
    epochs: PositiveInt | None
    startup_trials: PositiveInt
    try_configured: bool
    pruning: PruningParameters
    max_consecutive_failures: PositiveInt
    workers: PositiveInt
    study_name: str | None = Field(min_length=1, max_length=100)

    @property
    def direction(self) -> Direction:
        """Whether a lower or a higher value is better."""
        return "minimize" if self.measure == "log_loss" else "maximize"
