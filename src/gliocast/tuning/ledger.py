"""Reading a study: which trials count, which were cut off, and what became of each.

A trial that fails leaves its reason in the attribute `REASON`. One that failed without a reason was cut off: its
process was killed. It is repeated once with the same hyperparameters, and the repetition stands for it.

A run that ends because of failures gives the places of failed trials back, so that whoever mends the cause and runs
again has trials to run. Their draws are not repeated: the seed of a draw goes by all trials before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from gliocast.tuning.optuna_types import FrozenTrial, Study

REASON = "reason"  # why a trial failed
CAUSE = "cause"  # why a trial was cut off, where its process has lived to say so
REPEATS = "repeats"  # the number of the cut-off trial that this one repeats
WORKER = "worker"  # the process that runs a trial
GIVEN_BACK = "given_back"  # an attribute of the study: the numbers of failed trials whose places are free again
SURPLUS = "another process had taken the last place"

State: TypeAlias = Literal["complete", "pruned", "failed", "cut_off", "running", "waiting"]


def state_of(trial: FrozenTrial) -> State:
    """What became of a trial."""
    if trial.state.name == "FAIL":
        return "failed" if REASON in trial.user_attrs else "cut_off"
    return trial.state.name.lower()  # type: ignore[return-value]


def takes_a_place(trial: FrozenTrial) -> bool:
    """Whether a trial is one of the `trials` that were asked for.

    Not while it waits, nor where it was cut off and may be repeated, nor where the last place was gone.
    """
    state = state_of(trial)
    repeated_later = state == "cut_off" and REPEATS not in trial.user_attrs
    return state != "waiting" and not repeated_later and trial.user_attrs.get(REASON) != SURPLUS


def places_taken(study: Study) -> int:
    """How many of the trials asked for have been started, those that gave their place back left out."""
    return sum(map(takes_a_place, study.get_trials(deepcopy=False))) - len(_given_back(study))


def has_place(number: int, study: Study, trials: int) -> bool:
    """Whether the trial `number` is one of the `trials` asked for, and not surplus."""
    freed = sum(other < number for other in _given_back(study))
    return place_of(number, study.get_trials(deepcopy=False)) - freed < trials


def give_back_failed(study: Study) -> None:
    """Free the places of all trials that failed."""
    failed = [trial for trial in study.get_trials(deepcopy=False) if state_of(trial) == "failed"]
    study.set_user_attr(GIVEN_BACK, [trial.number for trial in failed if takes_a_place(trial)])


def place_of(number: int, trials: Sequence[FrozenTrial]) -> int:
    """The place in the study of the trial `number`, from 0: the trials before it that take one, or wait to take one."""
    before = [trial for trial in trials if trial.number < number]
    return sum(takes_a_place(trial) or state_of(trial) == "waiting" for trial in before)


def is_repeated(number: int, trials: Sequence[FrozenTrial]) -> bool:
    """Whether a trial repeats, or waits to repeat, the cut-off trial `number`."""
    return any(trial.user_attrs.get(REPEATS) == number for trial in trials)


def _given_back(study: Study) -> set[int]:
    return set(study.user_attrs.get(GIVEN_BACK, []))
