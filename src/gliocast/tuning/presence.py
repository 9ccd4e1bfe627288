"""Who works on a study, and what becomes of the trials of those who were killed."""

from __future__ import annotations

import re
import uuid
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from gliocast.tuning.ledger import REPEATS, WORKER, is_repeated
from gliocast.tuning.optuna_types import FileLock, FrozenTrial, Study, Trial

UNSIGNED_AFTER = timedelta(seconds=60)  # a trial is signed milliseconds after it has begun


class Presence(ABC):
    """Knows which of the processes that share a study are alive."""

    @contextmanager
    def signed_in(self) -> Iterator[str]:
        """Be known as alive, by the name that is given, while the context lasts."""
        yield uuid.uuid4().hex

    def release_cut_off(self, study: Study, worker: str) -> None:
        """End the running trials of processes that were killed, and enqueue each once more."""
        unsigned = [trial for trial in running(study) if not signature(trial)]
        alone = bool(unsigned) and self.others(worker) == 0  # asked after: whoever began them had signed in before
        self.release_of_dead(study, worker)
        end_cut_off(study, [trial for trial in unsigned if alone or began_a_while_ago(trial)])

    def others(self, worker: str) -> int | None:
        """How many processes other than `worker` are alive; None where that cannot be known."""
        return None

    @abstractmethod
    def release_of_dead(self, study: Study, worker: str) -> None:
        """End the trials that were signed by processes other than `worker` that are no more."""


class JournalPresence(Presence):
    """Each process holds the lock of a file of its own; the operating system takes it back when the process ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def signed_in(self) -> Iterator[str]:
        """Hold a lock of one's own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with super().signed_in() as worker:
            try:
                with self._lock(worker):
                    yield worker
            finally:
                self._path(worker).unlink(missing_ok=True)

    def others(self, worker: str) -> int | None:
        """How many other locks in the folder are held."""
        return sum(self._is_held(path.stem) for path in self.folder.glob("*.lock") if path.stem != worker)

    def release_of_dead(self, study: Study, worker: str) -> None:
        """Take the lock of each process that has a trial running: where that succeeds, the process is no more."""
        from filelock import Timeout

        for other in {signature(trial) for trial in running(study)} - {worker, ""}:
            try:
                with self._lock(other).acquire(timeout=0):
                    end_cut_off(study, [trial for trial in running(study) if signature(trial) == other])
            except Timeout:
                continue
            self._path(other).unlink(missing_ok=True)

    def _is_held(self, worker: str) -> bool:
        from filelock import Timeout

        try:
            self._lock(worker).acquire(timeout=0).lock.release()
        except Timeout:
            return True
        return False

    def _path(self, worker: str) -> Path:
        return self.folder / f"{worker}.lock"

    def _lock(self, worker: str) -> FileLock:
        from filelock import FileLock

        return FileLock(str(self._path(worker)))


class DatabasePresence(Presence):
    """The database keeps the heartbeats of all processes; one that has fallen silent is no more."""

    def release_of_dead(self, study: Study, worker: str) -> None:
        """Let Optuna end what has no heartbeat; it calls `repeat` for each."""
        from optuna.exceptions import ExperimentalWarning
        from optuna.storages import fail_stale_trials

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            fail_stale_trials(study)


def running(study: Study) -> list[FrozenTrial]:
    """The trials that run, or seem to."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == "RUNNING"]


def signature(trial: FrozenTrial) -> str:
    """The process that runs a trial; empty where it is unknown. Read from a file, it may name no other folder."""
    worker = str(trial.user_attrs.get(WORKER, ""))
    return worker if re.fullmatch(r"[0-9a-f]{32}", worker) else ""


def began_a_while_ago(trial: FrozenTrial) -> bool:
    """Whether a trial has been running for longer than it takes a living process to sign it."""
    return datetime.now() - (trial.datetime_start or datetime.min) > UNSIGNED_AFTER


def end_cut_off(study: Study, trials: Sequence[FrozenTrial]) -> None:
    """End trials that were cut off. Enqueued first, ended second: killed in between, neither is lost nor done twice.

    Two processes may find the same trial cut off; whoever comes second leaves it as it is.
    """
    from optuna.trial import TrialState

    for trial in trials:
        repeat(study, trial)
        study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def repeat(study: Study, trial: FrozenTrial | Trial) -> None:
    """Enqueue a cut-off trial again with its hyperparameters: once, and only where it has any."""
    done = REPEATS in trial.user_attrs or is_repeated(trial.number, study.get_trials(deepcopy=False))
    if trial.params and not done:
        study.enqueue_trial(trial.params, user_attrs={REPEATS: trial.number})
