from __future__ import annotations

import errno
import resource
import signal
import sys
import time
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from test_tuning_processes import started
from tuning_fakes import Falling, a_search

from gliocast.datasets.study import StudyDataset
from gliocast.errors import ArtefactError, ConfigurationError
from gliocast.model.parameters import Hyperparameters
from gliocast.tuning.objective import Report
from gliocast.tuning.storage import GRACE_SECONDS, HEARTBEAT_SECONDS, StudyStorage, shown_url
from gliocast.tuning.study import run_search


def a_database(folder: Path) -> StudyStorage:
    return StudyStorage(folder / "unused.log", f"sqlite:///{folder / 'study.db'}", heartbeat_seconds=1, grace_seconds=2)


def test_a_database_serves_as_well_as_the_journal(tmp_path: Path):
    in_database = run_search(a_search(tmp_path, storage=a_database(tmp_path), trials=3))[1]
    in_journal = run_search(a_search(tmp_path, trials=3))[1]
    assert in_database.drop(columns="duration_s").equals(in_journal.drop(columns="duration_s"))
    assert not (tmp_path / "unused.log").exists()


def test_two_processes_that_make_a_new_database_at_once_share_it(tmp_path: Path):
    storage = a_database(tmp_path)

    def another_is_quicker(*_: Any, **__: Any) -> None:  # between the look at what is there and the making of it
        optuna.storages.RDBStorage(storage.url)

    sqlalchemy.event.listen(sqlalchemy.MetaData, "before_create", another_is_quicker, once=True)
    assert len(run_search(a_search(tmp_path, storage=storage, trials=3))[1]) == 3


def test_a_process_says_that_it_is_alive_more_often_than_it_is_waited_for(tmp_path: Path):
    """The other way round, trials of living processes would count as cut off."""
    with a_database(tmp_path).opened() as storage:
        assert (storage.optuna_storage.heartbeat_interval, storage.optuna_storage.grace_period) == (1, 2)
    assert HEARTBEAT_SECONDS < GRACE_SECONDS


def test_a_trial_killed_in_a_database_is_repeated_once_its_heart_has_stopped(tmp_path: Path):
    storage = f"StudyStorage(Path('unused'), {a_database(tmp_path).url!r}, heartbeat_seconds=1, grace_seconds=2)"
    killed = f"Killed(Path({str(tmp_path / 'marker')!r}), 2)"
    process = started(f"a_search(Path('unused'), {killed}, storage={storage}, trials=3).work()")
    assert process.wait(60) == -9
    time.sleep(3)
    _, trials, _ = run_search(a_search(tmp_path, storage=a_database(tmp_path), trials=3))
    assert trials["state"].tolist() == ["complete", "cut_off", "complete", "complete"]
    assert trials.loc[2, "learning_rate"] == trials.loc[1, "learning_rate"]


def test_a_database_that_does_not_answer_is_an_error_at_once_and_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("a database that was not reached was waited for"))
    storage = StudyStorage(tmp_path / "unused.log", f"sqlite:///{tmp_path}/absent/s3cret.db?timeout=1")
    with pytest.raises(ConfigurationError, match="OperationalError") as caught:
        run_search(a_search(tmp_path, storage=storage))
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "no url at all",
        "nothing://someone:s3cret@host/name",
        "postgresql+absent://a:s3cret@h/n",
        "sqlite://someone:s3cret@host:port/name",
    ],
)
def test_a_wrong_url_is_an_error_without_its_password(tmp_path: Path, url: str):
    with pytest.raises(ConfigurationError, match="tuning_study: url") as caught:
        run_search(a_search(tmp_path, storage=StudyStorage(tmp_path / "unused.log", url)))
    assert "s3cret" not in str(caught.value)


def test_a_database_whose_driver_is_not_installed_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    storage = StudyStorage(tmp_path / "unused.log", "postgresql://someone:s3cret@host/name")
    with pytest.raises(ConfigurationError, match="Install the database's driver"):
        run_search(a_search(tmp_path, storage=storage))


def test_a_journal_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtefactError, match=r"tuning study study\.log") as told:
        run_search(a_search(tmp_path, storage=StudyStorage(tmp_path / "file" / "study.log")))
    assert "nothing was run" in told.value.headline()


def test_a_journal_in_a_folder_that_may_not_be_looked_into_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(ArtefactError, match=r"tuning study study\.log: Permission denied"):
        StudyStorage(tmp_path / "study.log").try_to_open()


@dataclass(frozen=True)
class FillingTheDisk(Falling):
    """The file system takes no more bytes of the journal once the trial with this learning rate has begun."""

    journal: Path = Path()
    at_trial: list[int] = field(default_factory=lambda: [3])

    def __call__(self, fold: int, hyperparameters: Hyperparameters, report: Report) -> float:
        self.at_trial[0] -= 1
        if self.at_trial[0] == 0:
            limit = self.journal.stat().st_size + 100  # some of the next line still fits
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        return super().__call__(fold, hyperparameters, report)


def test_a_disk_that_fills_up_while_searching_ends_in_a_sentence_and_the_search_goes_on_later(tmp_path: Path):
    filling = FillingTheDisk(journal=tmp_path / "study.log")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing on then fails as on a full disk
    try:
        with pytest.raises(ArtefactError, match=r"File too large.*with space left.*goes on where it stopped") as told:
            run_search(a_search(tmp_path, filling, trials=5))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    for error in (told.value, copy(told.value)):  # one comes from another process as a copy
        assert "finished stages are kept" in error.headline()
    hyperparameters, trials, _ = run_search(a_search(tmp_path, trials=5))
    undisturbed = run_search(a_search(tmp_path / "undisturbed", trials=5))[1]
    assert hyperparameters["n_complete"] == 5
    complete = trials[trials["state"] == "complete"]
    assert complete["value"].tolist() == undisturbed["value"].tolist()


@pytest.mark.parametrize(
    ("credentials", "found"),
    [
        ({"urls": "sqlite:///s3cret"}, "urls"),
        ({"url": "sqlite:///s3cret", "password": "s3cret"}, "url, password"),
        ("sqlite:///s3cret", "a value without a name"),
        (None, "nothing"),  # `tuning_study:` and no more in credentials.yml
        ({}, "nothing"),
    ],
)
def test_credentials_without_a_url_are_no_reason_to_search_in_the_journal(credentials, found):
    with pytest.raises(ConfigurationError, match=rf": {found}; expected `url` alone") as caught:
        StudyDataset("study.log", credentials=credentials)
    assert "s3cret" not in str(caught.value)


def test_a_url_is_shown_without_its_secrets():
    assert shown_url("mysql://someone:s3cret@host:1/name?key=s3cret") == "mysql, database name"
