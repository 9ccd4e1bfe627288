"""`kedro run --pipeline tuning`, started twice at the same time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

from gliocast.tuning.ledger import WORKER
from gliocast.tuning.storage import StudyStorage
from project_copy import SMALL_VOLUMES, Project

TRIALS = 8
SMALL = {
    "simulation__n_patients": 30,
    **SMALL_VOLUMES,
    "tuning__trials": TRIALS,
    "tuning__epochs": 3,
    "model__threads": 1,
}


def test_two_runs_started_at_once_from_nothing_share_one_study_and_agree(project: Project):
    runs = [started(project), started(project)]
    said = [run.communicate(timeout=280)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    trials = pd.read_csv(project.path("08_reporting/tuning_trials.csv"))
    assert len(trials) == TRIALS
    assert set(trials["state"]) <= {"complete", "pruned"}
    assert trials["learning_rate"].is_unique
    assert len(workers(project)) == 2, "one run did all the work"
    assert results(said[0]) == results(said[1]) != []
    assert "hyperparameters: reused" in finished(project).stderr


def started(project: Project) -> subprocess.Popen[str]:
    kedro = str(Path(sys.executable).with_name("kedro"))
    command = [kedro, "run", "--pipeline", "tuning", "--params", parameters()]
    return subprocess.Popen(command, cwd=project.folder, stderr=subprocess.PIPE, text=True)


def parameters() -> str:
    return ",".join(f"{name.replace('__', '.')}={value}" for name, value in SMALL.items())


def workers(project: Project) -> set[str]:
    """The processes that ran trials which count."""
    import optuna

    with StudyStorage(project.path("06_models/tuning_study.log")).opened() as storage:
        (name,) = optuna.get_all_study_names(storage.optuna_storage)
        study = optuna.load_study(study_name=name, storage=storage.optuna_storage)
        return {trial.user_attrs[WORKER] for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")}


def results(said: str) -> list[str]:
    return re.findall(r"Tuning: trial .*", said)


def finished(project: Project) -> subprocess.CompletedProcess[str]:
    """A third run, which finds everything done."""
    return project.kedro("run", "--pipeline", "tuning", "--params", parameters())
