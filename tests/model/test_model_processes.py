"""Processes that train folds side by side do not outlive their run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from processes import helpers_of, lives, wait_until

RUN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from model_fakes import a_cohort, a_partition, names, tiny
from gliocast.datasets.checkpoints import CheckpointFolder
from gliocast.model.out_of_fold import train_out_of_fold

patients, params = names(24), tiny(epochs=100_000, patience=100_000, devices=("cpu", "cpu"))
stacks, classes = a_cohort(24)
partition, kept = a_partition(patients, test=6), CheckpointFolder(Path(sys.argv[2]))
train_out_of_fold(stacks, patients, classes, partition, params.hyperparameters, params, 1, kept)
"""


def test_helpers_that_train_folds_end_when_their_run_is_killed(tmp_path):
    run = subprocess.Popen([sys.executable, "-c", RUN, str(Path(__file__).parent), str(tmp_path)])
    try:
        begun = {"holdout-fold0", "holdout-fold1"}
        assert wait_until(lambda: {path.parent.name for path in tmp_path.rglob("*.json")} >= begun, seconds=120)
        helpers = [*helpers_of(run.pid, b"popen_loky"), *helpers_of(run.pid, b"spawn_main")]
        assert len(helpers) == 3 and all(map(lives, helpers)), "two that train, one that passes on what they tell"
    finally:
        run.kill()
        run.wait()
    assert wait_until(lambda: not any(map(lives, helpers)), seconds=20)
