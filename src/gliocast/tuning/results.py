"""What a study has come to: the hyperparameters to train with, and the table of its trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from gliocast.errors import Problem, TrainingError
from gliocast.model.parameters import Hyperparameters
from gliocast.tuning.ledger import CAUSE, REASON, REPEATS, SURPLUS, has_place, places_taken, state_of
from gliocast.tuning.optuna_types import FrozenTrial, Study
from gliocast.tuning.parameters import TuningParameters
from gliocast.tuning.search import REPAIRS, failure_problems
from gliocast.tuning.search_space import HYPERPARAMETERS, as_point

TRIAL_COLUMNS: dict[str, str] = {
    "split": "str",
    "trial": "int64",
    "state": "str",
    "value": "float64",
    **dict.fromkeys(HYPERPARAMETERS, "float64"),
    "epochs": "int64",
    "duration_s": "float64",
    "repeats_trial": "Int64",
    "reason": "str",
}


def configured_hyperparameters(configured: Hyperparameters, reason: str) -> dict[str, Any]:
    """The configured hyperparameters, taken as they are, and why."""
    return {**as_point(configured), "source": "configured", "reason": reason, "best_value": None, "n_trials": 0}


def as_asked_for(study: Study, trials: int) -> Study:
    """The study as it stood after `trials` trials; one that has run more, for another number of them, has them still.

    A trial is drawn and pruned by those before it alone, so the first are what a search of no more would have run.
    """
    import optuna

    if places_taken(study) <= trials:
        return study
    first = optuna.create_study(study_name=study.study_name, direction=study.direction)
    first.add_trials(trial for trial in study.trials if has_place(trial.number, study, trials))
    for name, value in study.user_attrs.items():
        first.set_user_attr(name, value)
    return first


def tuned_hyperparameters(study: Study, tuning: TuningParameters) -> dict[str, Any]:
    """The hyperparameters of the best trial, and how they were found.

    Raises:
        TrainingError: no trial has come to its end.
    """
    trials = shown_trials(study)
    counts = Counter(map(state_of, trials))
    if not counts["complete"]:
        failed = [trial for trial in trials if REASON in trial.user_attrs]
        raise TrainingError(failure_problems(failed, "all trials failed") or _none())
    best = study.best_trial
    return {
        **{name: best.params[name] for name in HYPERPARAMETERS},
        "source": "tuned",
        "measure": tuning.measure,
        "best_value": best.value,
        "best_trial": best.number,
        "n_trials": len(trials),
        "n_complete": counts["complete"],
        "n_pruned": counts["pruned"],
        "n_failed": counts["failed"],
        "n_cut_off": counts["cut_off"],
        "epochs": sum(len(trial.intermediate_values) for trial in trials),
        "study_name": study.study_name,
        "repairs": list(study.user_attrs.get(REPAIRS, [])),
    }


def trials_table(trials: Sequence[FrozenTrial]) -> pd.DataFrame:
    """One row a trial, its split still empty; the value of a trial that was ended early is that of its last epoch."""
    repeated = {trial.user_attrs[REPEATS]: trial.number for trial in trials if REPEATS in trial.user_attrs}
    rows = [_row(trial, repeated.get(trial.number)) for trial in trials]
    return pd.DataFrame(rows, columns=list(TRIAL_COLUMNS)).astype(TRIAL_COLUMNS)


def shown_trials(study: Study) -> list[FrozenTrial]:
    """The trials that began, without those that found no place."""
    trials = study.get_trials(deepcopy=False)
    return [trial for trial in trials if state_of(trial) != "waiting" and trial.user_attrs.get(REASON) != SURPLUS]


def _row(trial: FrozenTrial, repeated_as: int | None) -> dict[str, Any]:
    state = state_of(trial)
    reached = trial.intermediate_values.get(trial.last_step) if trial.last_step is not None else None
    cut_off = trial.user_attrs.get(CAUSE, "its process was ended") if state == "cut_off" else ""
    if cut_off and repeated_as is not None:
        cut_off += f"; repeated as trial {repeated_as}"
    return {
        "split": "",
        "trial": trial.number,
        "state": state,
        "value": trial.value if state == "complete" else reached,
        **{name: trial.params.get(name) for name in HYPERPARAMETERS},
        "epochs": len(trial.intermediate_values),
        "duration_s": trial.duration.total_seconds() if trial.duration else None,
        "repeats_trial": trial.user_attrs.get(REPEATS),
        "reason": trial.user_attrs.get(REASON, cut_off),
    }


def _none() -> Problem:
    return Problem("–", "tuning", "no trial came to its end", "at least one", "Run again; or set tuning.trials to 0.")
