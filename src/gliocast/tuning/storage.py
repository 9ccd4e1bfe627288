"""Where a study lives: a journal file, or a database that SQLAlchemy reaches. Secrets and paths are never shown."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gliocast.errors import ArtefactError, ConfigurationError, InputError, Problem
from gliocast.tuning.journal import open_journal
from gliocast.tuning.optuna_types import BaseStorage
from gliocast.tuning.presence import DatabasePresence, JournalPresence, Presence, repeat

HEARTBEAT_SECONDS = 30
GRACE_SECONDS = 120
TRIES = 20
WAIT_SECONDS = 0.2


@dataclass(frozen=True)
class OpenStorage:
    """A storage in use: Optuna's object, who else works on it, and the repairs made to it."""

    optuna_storage: BaseStorage
    presence: Presence
    repairs: list[str]


@dataclass(frozen=True, repr=False)
class StudyStorage:
    """Where the study is kept; touches no disk and no network until it is opened.

    Attributes:
        journal: the journal file, where no database is configured.
        url: an SQLAlchemy URL, which may hold a password; never shown.
        heartbeat_seconds: how often a process that works on a database says that it is alive.
        grace_seconds: how long a process may be silent before its trial counts as cut off.
    """

    journal: Path
    url: str | None = None
    heartbeat_seconds: int = HEARTBEAT_SECONDS
    grace_seconds: int = GRACE_SECONDS

    def __str__(self) -> str:
        return shown_url(self.url) if self.url else self.journal.name

    def __repr__(self) -> str:
        return f"StudyStorage({self})"

    @contextmanager
    def opened(self) -> Iterator[OpenStorage]:
        """The storage, ready for use; every failure to reach it while it is in use is told in our words.

        Raises:
            ConfigurationError: the URL is wrong, or the database cannot be reached.
            ArtefactError: the journal is damaged, or cannot be written.
        """
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        in_use = False
        try:
            storage = self._open()
            in_use = True
            yield storage
        except (SQLAlchemyError, StorageInternalError, OSError, AssertionError) as error:
            failure = first_of((SQLAlchemyError, StorageInternalError, OSError), error)
            if failure is None:
                raise
            told = self._told(failure)
            if in_use:
                told.say_what_is_kept()
            raise told from None

    def _told(self, failure: Exception) -> InputError:
        """What the storage's own error says, in our words."""
        if isinstance(failure, OSError):
            return ArtefactError(_unwritable(self, failure))
        return ConfigurationError(_unreachable(self, failure))

    def try_to_open(self) -> None:
        """Open a database, or a journal that is there, as a search will: a new database gets its tables.

        Raises:
            as `opened` does.
        """
        try:
            is_there = self.journal.exists()
        except OSError as error:  # its folder may not be looked into
            raise ArtefactError(_unwritable(self, error)) from None
        if self.url or is_there:
            with self.opened():
                pass

    def _open(self) -> OpenStorage:
        if self.url is None:
            storage, repairs = open_journal(self.journal)
            return OpenStorage(storage, JournalPresence(Path(f"{self.journal}.workers")), repairs)
        try:
            return OpenStorage(self._open_database(self.url), DatabasePresence(), [])
        except (ImportError, ValueError) as error:
            raise ConfigurationError(_unreachable(self, error)) from None

    def _open_database(self, url: str) -> BaseStorage:
        from optuna.exceptions import ExperimentalWarning
        from optuna.storages import RDBStorage

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return made_in_turn(
                partial(
                    RDBStorage,
                    url,
                    heartbeat_interval=self.heartbeat_seconds,
                    grace_period=self.grace_seconds,
                    heartbeat_stale_trial_callback=repeat,
                )
            )


def made_in_turn(make: Callable[[], BaseStorage]) -> BaseStorage:
    """What `make` gives: of processes that make the tables of a new database at once, one alone succeeds at first."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    for _ in range(TRIES):
        try:
            return make()
        except (SQLAlchemyError, StorageInternalError) as error:
            if getattr(first_of((SQLAlchemyError,), error), "statement", None) is None:  # it was not even reached
                raise
            time.sleep(WAIT_SECONDS)
    return make()


def first_of(kinds: tuple[type[Exception], ...], error: BaseException | None) -> Exception | None:
    """The first error of these kinds that `error` is or came of.

    Where a trial's end cannot be stored, Optuna trips over an assertion of its own, and the reason lies behind it.
    """
    while error is not None and not isinstance(error, kinds):
        error = error.__context__
    return error


def shown_url(url: str) -> str:
    """An SQLAlchemy URL fit to be shown: its dialect and database, without user, password, host or options."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # of a port that is no number
        return "a database URL that cannot be read"
    return f"{parsed.drivername}, database {Path(parsed.database or '?').name}"


def _unreachable(storage: StudyStorage, error: Exception) -> Problem:
    missing_driver = isinstance(error, ImportError)
    return Problem(
        "–",
        "tuning_study: url",
        f"{storage} ({type(error).__name__})",
        "a database that answers, by a URL such as postgresql+psycopg://user:password@host/name",
        "Install the database's driver."
        if missing_driver
        else "Check that the database runs, and the URL in conf/local/credentials.yml.",
    )


def _unwritable(storage: StudyStorage, error: OSError) -> Problem:
    return Problem(
        "–",
        f"tuning study {storage}",
        error.strerror or type(error).__name__,
        "a file that can be read and written, with space left on the disk",
        "Free space or mend the folder's rights, and run again: the search goes on where it stopped.",
    )
