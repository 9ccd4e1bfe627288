"""A training that is killed at random moments comes to the same bits as one that is not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from model_fakes import a_cohort, tiny

from gliocast.datasets.checkpoints import CheckpointFolder
from gliocast.model.material import FoldIndices
from gliocast.model.training import train_fold

KILLS = 2
FOLD = FoldIndices(torch.arange(12).numpy(), torch.arange(12, 18).numpy())
PARAMS = tiny(epochs=6, batch_size=6)


def train(folder):
    stacks, classes = a_cohort(18)
    return train_fold(stacks, classes, FOLD, PARAMS.hyperparameters, PARAMS, 1, checkpoints=CheckpointFolder(folder))


def start(folder):
    """Train in a process of its own; return once it has gone on by at least one checkpoint."""
    before = newest(folder)
    process = subprocess.Popen([sys.executable, __file__, str(folder)], stderr=subprocess.DEVNULL)
    while newest(folder) == before and process.poll() is None:
        time.sleep(0.01)
    return process


def newest(folder):
    return max((path.name for path in Path(folder).rglob("*.json")), default="")


def test_a_training_killed_again_and_again_ends_in_the_same_bits(tmp_path):
    moments = random.Random(20261124)
    whole = train(tmp_path / "whole")
    for _ in range(KILLS):
        process = start(tmp_path / "killed")
        time.sleep(moments.uniform(0, 0.3))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    resumed = train(tmp_path / "killed")
    assert all(torch.equal(resumed.weights[name], whole.weights[name]) for name in whole.weights)
    assert resumed.curve.equals(whole.curve)


if __name__ == "__main__":
    train(Path(sys.argv[1]))
