"""Nested cross-validation and leaving out one centre, as a user would run them."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from project_copy import SMALL_VOLUMES

LITTLE = {
    "image_score": "none",
    "simulation__n_patients": 60,
    **SMALL_VOLUMES,
    "partition__inner_folds": 3,
    "partition__outer_folds": 2,
    "evidence__n_bootstrap": 200,
    "hybrid__classifiers": "logistic_regression",
    "hybrid__pre_operative_models": "false",
    "hybrid__robustness__explained_patients": 0,
    "hybrid__robustness__repeats": 0,
}


@pytest.mark.parametrize(("scheme", "repeats"), [("nested_cv", 2), ("leave_one_centre_out", 1)])
def test_every_table_counts_each_patient_once_and_ranks_them_within_their_split(project, scheme, repeats):
    said = LITTLE | {"partition__scheme": scheme, "partition__repeats": repeats}
    assert project.run("simulation", **said).returncode == 0
    with_two_centres(project)
    ended = project.run("hybrid", **said)
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads(project.path("08_reporting/metrics.json").read_text())["models"]["clinical"]["patient"]
    assert found["n"] == 60 * repeats  # predictions
    everyone = reported(project, "subgroup_table").set_index("level").loc["all"]
    at_332 = reported(project, "threshold_sweep_table").set_index("threshold_days").loc[332]
    for table in (everyone, at_332, reported(project, "time_to_event_table").loc[0]):
        assert table["n"] == 60
    assert everyone["auc"] == at_332["auc"] == pytest.approx(found["auc"]["value"])
    assert [everyone["auc_lower"], everyone["auc_upper"]] == pytest.approx(found["auc"]["ci95"])
    assert everyone["accuracy"] == pytest.approx(found["accuracy"]["value"])


def with_two_centres(project):
    path = project.path("01_raw/clinical.csv")
    clinical = pd.read_csv(path, dtype=str)
    clinical.assign(centre=["Caen", "Lille"] * 30).to_csv(path, index=False)


def reported(project, name):
    return pd.read_csv(project.path(f"08_reporting/{name}.csv"))
