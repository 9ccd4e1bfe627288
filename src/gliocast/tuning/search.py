"""The search for hyperparameters: one study, shared by all who work on it, that goes on where it stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from gliocast.errors import ConfigurationError, Problem, TrainingError, raise_if_any
from gliocast.model.parameters import Hyperparameters
from gliocast.tuning.fingerprint import Fingerprint, name_of_study
from gliocast.tuning.ledger import REASON, SURPLUS, places_taken, state_of
from gliocast.tuning.objective import Objective, Trainer, TrialFailedError
from gliocast.tuning.optuna_types import FrozenTrial, Study
from gliocast.tuning.parameters import TuningParameters
from gliocast.tuning.presence import running
from gliocast.tuning.pruning import build_pruner
from gliocast.tuning.sampler import seeded_tpe
from gliocast.tuning.search_space import as_point, outside
from gliocast.tuning.storage import OpenStorage, StudyStorage

FINGERPRINT = "fingerprint"
REPAIRS = "repairs"
POLL_SECONDS = 0.5
Watch = Callable[["Study"], None]  # called before each trial and while others finish theirs
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Search:
    """A search, complete: any process that has it can work on its study.

    Attributes:
        train: trains one fold and reports after each epoch.
        tuning: the search's parameters.
        configured: the hyperparameters that hold where nothing is sought.
        fingerprint: of everything that gives a trial its value.
        epochs: epochs of one training at most.
        seed: the project's seed.
        storage: where the study is kept.
        patient_ids: words that the study may never hold.
    """

    train: Trainer
    tuning: TuningParameters
    configured: Hyperparameters
    fingerprint: Fingerprint
    epochs: int
    seed: int
    storage: StudyStorage
    patient_ids: Sequence[str] = field(default=(), repr=False)

    @property
    def study_name(self) -> str:
        """The configured name, or one that the fingerprint gives."""
        return self.tuning.study_name or name_of_study(self.fingerprint)

    @property
    def first_point(self) -> dict[str, float] | None:
        """What the first trial takes; None where it is drawn like the others, as one outside the ranges must be."""
        tuning, configured = self.tuning, self.configured
        return as_point(configured) if tuning.try_configured and not outside(configured, tuning.ranges) else None

    @contextmanager
    def opened(self) -> Iterator[tuple[Study, OpenStorage]]:
        """The study, made where it is new.

        Raises:
            ConfigurationError: the study of this name searches something else, or its storage cannot be reached.
            ArtefactError: the journal is damaged or cannot be written.
        """
        with self.storage.opened() as storage, optuna_silenced():
            yield open_study(self, storage), storage

    def for_worker(self, number: int) -> Search:
        """The search as process `number` (from 0) of this machine works on it."""
        return replace(self, train=self.train.for_worker(number, self.tuning.workers))

    def objective(self, worker: str) -> Objective:
        """What each trial of the process `worker` does."""
        tuning = self.tuning
        return Objective(self.train, tuning.ranges, tuning.trials, tuning.folds, self.epochs, worker, self.patient_ids)

    def work(self, watch: Watch = lambda study: None) -> None:
        """Run trials until all that were asked for have ended, here or in other processes.

        Raises:
            TrainingError: too many trials failed one after the other.
        """
        with self.opened() as (study, storage), storage.presence.signed_in() as worker:
            failures: list[FrozenTrial] = []
            while has_work(study, storage, worker, self.tuning.trials):
                watch(study)
                if places_taken(study) < self.tuning.trials:
                    train = self.train.beside(storage.presence.others(worker) or 0)
                    objective = replace(self, train=train).objective(worker)
                    most = self.tuning.max_consecutive_failures
                    failures = follow_failures(failures, run_one(study, objective), most)
                else:
                    time.sleep(POLL_SECONDS)
            record_repairs(study, storage.repairs)
            watch(study)


def open_study(search: Search, storage: OpenStorage) -> Study:
    """Make or continue the study."""
    import optuna

    study = optuna.create_study(
        study_name=search.study_name,
        storage=storage.optuna_storage,
        direction=search.tuning.direction,
        pruner=build_pruner(search.tuning.pruning, search.epochs * search.tuning.folds),
        load_if_exists=True,
    )
    study.sampler = seeded_tpe(study, search.seed, search.tuning.startup_trials, search.first_point)
    refuse_other_search(study, search.fingerprint)
    record_repairs(study, storage.repairs)
    return study


def refuse_other_search(study: Study, fingerprint: Fingerprint) -> None:
    """Sign a new study with its fingerprint, and refuse an old one whose fingerprint is another.

    Raises:
        ConfigurationError: the study searched something else, or is none of ours.
    """
    is_empty = not study.trials  # looked at first: whoever adds a trial has signed before
    signed = study.user_attrs.get(FINGERPRINT)
    if signed is None and is_empty:
        study.set_user_attr(FINGERPRINT, dict(fingerprint))
        return
    changed = [part for part in fingerprint if not isinstance(signed, dict) or signed.get(part) != fingerprint[part]]
    raise_if_any([_other_search(study.study_name, part) for part in changed], ConfigurationError)


def has_work(study: Study, storage: OpenStorage, worker: str, trials: int) -> bool:
    """Whether a place is free, or another process still runs a trial that it may never finish."""
    storage.presence.release_cut_off(study, worker)
    return places_taken(study) < trials or bool(running(study))


def run_one(study: Study, objective: Objective) -> FrozenTrial:
    """Run one trial to its end, whatever that is."""
    ended: list[FrozenTrial] = []
    study.optimize(objective, n_trials=1, catch=(TrialFailedError,), callbacks=[lambda _, trial: ended.append(trial)])
    trial = ended[0]
    logger.info("Trial %d: %s.", trial.number, told(trial))
    return trial


def told(trial: FrozenTrial) -> str:
    """A trial's end in a few words."""
    state = state_of(trial)
    return f"failed, {trial.user_attrs[REASON]}" if state == "failed" else f"{state}, {shortened(trial.value)}"


def shortened(value: float | None) -> str:
    """A trial's value as a reader wants it; one that was pruned before its first value has none."""
    return "no value" if value is None else f"{value:.4g}"


def follow_failures(failures: Sequence[FrozenTrial], trial: FrozenTrial, most: int) -> list[FrozenTrial]:
    """The trials of this process that failed one after the other, up to `trial`.

    Raises:
        TrainingError: they are too many.
    """
    if state_of(trial) != "failed":
        return []
    if trial.user_attrs[REASON] == SURPLUS:
        return list(failures)
    failed = [*failures, trial]
    if len(failed) >= most:
        raise TrainingError(failure_problems(failed, f"{len(failed)} trials failed one after the other"))
    return failed


def failure_problems(failed: Sequence[FrozenTrial], found: str) -> list[Problem]:
    """One problem for each reason that trials failed for."""
    reasons = sorted({str(trial.user_attrs[REASON]) for trial in failed})
    remedy = "Mend the cause and run again; trials that succeeded are kept."
    return [Problem("–", "tuning", f"{found}: {reason}", "trials that succeed", remedy) for reason in reasons]


def record_repairs(study: Study, repairs: list[str]) -> None:
    """Store with the study what was mended in its journal."""
    if repairs:
        study.set_user_attr(REPAIRS, [*study.user_attrs.get(REPAIRS, []), *repairs])
        repairs.clear()


@contextmanager
def optuna_silenced() -> Iterator[None]:
    """Keep Optuna's own messages back: ours tell the same, and no more than may be told."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _other_search(study_name: str, part: str) -> Problem:
    return Problem(
        "–",
        f"tuning study {study_name}",
        f"trials of another search: its {part} differ",
        "the search that the study was begun with",
        "Give tuning.study_name another name, or null to name it by its content; the old study stays as it is.",
    )
