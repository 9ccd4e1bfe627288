from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from tuning_fakes import Falling, Killed, a_search

from gliocast.tuning.study import run_search
from processes import helpers_of, lives, wait_until

HERE = Path(__file__).parent
DRAWN = ["value", "learning_rate", "weight_decay", "dropout", "epochs"]


def started(script: str) -> subprocess.Popen[bytes]:
    """A process that runs `script`; the fakes and Path are imported."""
    opening = f"import sys; sys.path.insert(0, {str(HERE)!r})\nfrom pathlib import Path\nfrom tuning_fakes import *\n"
    return subprocess.Popen([sys.executable, "-c", opening + script], stderr=subprocess.PIPE)


def working(folder: Path, trials: int, seconds_an_epoch: float = 0.0) -> subprocess.Popen[bytes]:
    train = f"Falling(seconds_an_epoch={seconds_an_epoch})"
    return started(f"a_search(Path({str(folder)!r}), {train}, trials={trials}).work()")


def finished_trials(trials: pd.DataFrame) -> pd.DataFrame:
    return trials[trials["state"] == "complete"][DRAWN].reset_index(drop=True)


def test_a_trial_killed_in_its_middle_is_repeated_and_the_study_ends_as_if_it_had_not_been(tmp_path: Path):
    marker = tmp_path / "marker"
    process = started(f"a_search(Path({str(tmp_path)!r}), Killed(Path({str(marker)!r}), 3), trials=6).work()")
    assert process.wait(60) == -signal.SIGKILL
    _, trials, _ = run_search(a_search(tmp_path, Killed(marker, -1), trials=6))
    undisturbed = run_search(a_search(tmp_path / "undisturbed", trials=6))[1]
    assert trials["state"].tolist() == [
        "complete",
        "complete",
        "cut_off",
        "complete",
        "complete",
        "complete",
        "complete",
    ]
    assert trials.loc[3, "repeats_trial"] == 2
    assert finished_trials(trials).equals(finished_trials(undisturbed))


def test_a_trial_that_kills_its_process_twice_is_not_repeated_for_ever(tmp_path: Path):
    marker = tmp_path / "marker"
    for at_trial in (1, 2):
        killed = f"a_search(Path({str(tmp_path)!r}), Killed(Path({str(marker)!r}), {at_trial}), trials=3).work()"
        assert started(killed).wait(60) == -signal.SIGKILL
    _, trials, _ = run_search(a_search(tmp_path, trials=3))
    assert trials["state"].tolist() == ["cut_off", "cut_off", "complete", "complete"]


def test_a_trial_whose_process_was_killed_before_signing_it_is_not_waited_for(tmp_path: Path):
    begun = f"with a_search(Path({str(tmp_path)!r}), trials=4).opened() as (study, _):\n    study.ask()"
    assert started(f"{begun}; import os; os.kill(os.getpid(), 9)").wait(60) == -signal.SIGKILL
    began = time.monotonic()
    _, trials, _ = run_search(a_search(tmp_path, trials=4))
    assert time.monotonic() - began < 30
    undisturbed = run_search(a_search(tmp_path / "undisturbed", trials=4))[1]
    assert trials["state"].tolist() == ["cut_off", *["complete"] * 4]
    assert finished_trials(trials).equals(finished_trials(undisturbed))


@pytest.mark.parametrize("moment", [0.1, 0.5, 0.9])
def test_a_process_killed_at_any_moment_leaves_a_study_that_goes_on(tmp_path: Path, moment: float):
    process = working(tmp_path, trials=20, seconds_an_epoch=0.01)
    wait_for_trials(tmp_path, process)
    time.sleep(moment)
    process.kill()
    process.wait()
    hyperparameters, trials, _ = run_search(a_search(tmp_path, trials=20))
    undisturbed = run_search(a_search(tmp_path / "undisturbed", trials=20))[1]
    assert hyperparameters["n_complete"] == 20
    assert finished_trials(trials).equals(finished_trials(undisturbed))


def test_a_process_waits_for_the_trials_of_the_other_and_takes_them_over_when_it_dies(tmp_path: Path):
    slow = working(tmp_path, trials=2, seconds_an_epoch=30)
    wait_for_trials(tmp_path, slow)
    quick = working(tmp_path, trials=2)
    time.sleep(3)
    assert quick.poll() is None, "the quick process should wait for the slow one's trial"
    slow.kill()
    slow.wait()
    assert quick.wait(60) == 0
    _, trials, _ = run_search(a_search(tmp_path, trials=2))
    assert sorted(trials["state"]) == ["complete", "complete", "cut_off"]


def test_further_workers_share_the_trials(tmp_path: Path):
    hyperparameters, trials, _ = run_search(a_search(tmp_path, Falling(seconds_an_epoch=0.05), trials=14, workers=2))
    assert hyperparameters["n_trials"] == hyperparameters["n_complete"] == 14
    assert trials["learning_rate"].is_unique


def test_further_workers_end_when_their_run_is_killed(tmp_path: Path):
    slow = f"run_search(a_search(Path({str(tmp_path)!r}), Falling(seconds_an_epoch=30), trials=4, workers=2))"
    run = started(f"from gliocast.tuning.study import run_search\n{slow}")
    try:
        assert wait_until(lambda: begun_trials(tmp_path) == 2, seconds=120)
        (helper,) = helpers_of(run.pid, b"spawn_main")
    finally:
        run.kill()
        run.wait()
    assert wait_until(lambda: not lives(helper), seconds=20)


def test_an_interrupted_worker_ends_without_a_word(tmp_path: Path):
    waits = f"work_quietly(a_search(Path({str(tmp_path)!r}), Falling(seconds_an_epoch=30), trials=2), os.getppid())"
    heeds = "import os, signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    process = started(f"from gliocast.tuning.workers import work_quietly\n{heeds}\n{waits}")
    wait_for_trials(tmp_path, process)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, said) == (130, b"")


def wait_for_trials(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the process has begun its first trial."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if begun_trials(folder):
            return
        time.sleep(0.05)
    raise AssertionError(f"no trial was begun; exit code {process.poll()}, {os.fspath(folder)}")


def begun_trials(folder: Path) -> int:
    journal = folder / "study.log"
    return journal.read_bytes().count(b'"worker"') if journal.exists() else 0
