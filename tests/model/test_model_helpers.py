"""Processes that train folds side by side do not outlive their run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

RUN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from model_fakes import a_cohort, a_partition, names, tiny
from gliocast.datasets.checkpoints import CheckpointFolder
from gliocast.model.out_of_fold import train_out_of_fold

patients, params = names(24), tiny(epochs=100_000, patience=100_000, devices=("cpu", "cpu"))
partition, kept = a_partition(patients, test=6), CheckpointFolder(Path(sys.argv[2]))
train_out_of_fold(*a_cohort(24)[:1], patients, a_cohort(24)[1], partition, params.hyperparameters, params, 1, kept)
"""


def wait_until(true: Callable[[], bool], seconds: float = 120.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.2)
    return true()


def helpers_of(run: int) -> list[Path]:
    children = Path(f"/proc/{run}/task/{run}/children").read_text().split()
    commands = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [Path(f"/proc/{child}") for child, command in commands.items() if b"popen_loky" in command]


def lives(process: Path) -> bool:
    try:
        return ") Z " not in (process / "stat").read_text()
    except OSError:
        return False


def test_helpers_that_train_folds_end_when_their_run_is_killed(tmp_path):
    run = subprocess.Popen([sys.executable, "-c", RUN, str(Path(__file__).parent), str(tmp_path)])
    try:
        assert wait_until(
            lambda: {path.parent.name for path in tmp_path.rglob("*.json")} >= {"holdout-fold0", "holdout-fold1"}
        )
        helpers = helpers_of(run.pid)
        assert len(helpers) == 2 and all(map(lives, helpers))
    finally:
        run.kill()
        run.wait()
    assert wait_until(lambda: not any(map(lives, helpers)), seconds=20)
