"""With nothing to find, nothing is found: one test that catches every leak at once."""

from __future__ import annotations

import json
import shutil

import pandas as pd

NOTHING_PLANTED = {
    "simulation__n_patients": 120,
    "simulation__image_auc": 0.5,
    "tuning__trials": 0,
    "model__epochs": 4,
    "model__explained_patients": 1,
    "model__paper_protocol": "false",
    "evidence__n_bootstrap": 200,
    "hybrid__robustness__explained_patients": 0,
}


def test_shuffled_outcomes_leave_an_auc_interval_that_contains_one_half(project):
    assert project.run("simulation", **NOTHING_PLANTED).returncode == 0
    shuffle_survival(project)
    ended = project.run("hybrid", **NOTHING_PLANTED)
    assert ended.returncode == 0, ended.stderr[-3000:]
    models = json.loads(project.path("08_reporting/metrics.json").read_text())["models"]
    for name in ("clinical", "cnn", "hybrid"):
        low, high = models[name]["patient"]["auc"]["ci95"]
        assert low <= 0.5 <= high, name


def test_images_without_a_signal_are_not_said_to_add_to_the_clinical_facts(project):
    assert project.run("simulation", **NOTHING_PLANTED).returncode == 0
    ended = project.run("hybrid", **NOTHING_PLANTED)
    assert ended.returncode == 0, ended.stderr[-3000:]
    metrics = json.loads(project.path("08_reporting/metrics.json").read_text())
    low, high = metrics["models"]["cnn"]["patient"]["auc"]["ci95"]
    assert low <= 0.5 <= high
    assert not metrics["comparisons"]["hybrid_vs_clinical"]["verdict"].startswith("MRI adds")


def shuffle_survival(project):
    """Break every tie between a patient and their outcome; the cohort is then the site's own, and stays as it is."""
    raw = project.path("01_raw")
    clinical = pd.read_csv(raw / "clinical.csv", dtype=str)
    clinical["survival_days"] = clinical["survival_days"].sample(frac=1, random_state=0).to_numpy()
    clinical.to_csv(raw / "clinical.csv", index=False)


def test_one_image_under_two_patients_ends_the_run_with_both_named(project):
    assert project.run("simulation", simulation__n_patients=60, simulation__dicom_share=0).returncode == 0
    shuffle_survival(project)
    first, second = sorted(project.path("01_raw/imaging").iterdir())[:2]
    for name in ("t1gd.nii.gz", "lesion_mask.nii.gz"):
        (second / name).write_bytes((first / name).read_bytes())
    ended = project.run("preprocessing", simulation__n_patients=60, simulation__dicom_share=0)
    assert ended.returncode == 2, ended.stderr[-3000:]
    assert first.name in ended.stderr
    assert second.name in ended.stderr


def test_what_stands_in_the_test_patients_rows_changes_no_byte_of_a_fitted_model(project):
    said = {name: value for name, value in NOTHING_PLANTED.items() if name != "simulation__image_auc"}
    said |= {"simulation__n_patients": 100, "image_score": "none"}
    assert project.run("simulation", **said).returncode == 0
    shuffle_survival(project)
    assert project.run("hybrid", **said).returncode == 0
    before = bytes_below(project.path("06_models/fitted_models"))
    tested = set(pd.read_parquet(project.path("05_model_input/test_predictors.parquet"))["patient_id"])
    clinical = pd.read_csv(project.path("01_raw/clinical.csv"), dtype=str)
    clinical.loc[clinical["patient_id"].isin(tested), ["age_years", "who_status"]] = ["89", "4"]
    clinical.to_csv(project.path("01_raw/clinical.csv"), index=False)
    shutil.rmtree(project.path("06_models/fitted_models"))
    ended = project.kedro("run", "--pipeline", "hybrid", "--runner", "SequentialRunner", "--params", as_said(said))
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert bytes_below(project.path("06_models/fitted_models")) == before
    again = pd.read_parquet(project.path("05_model_input/test_predictors.parquet"))
    assert set(again["patient_id"]) == tested
    assert (again["age_years"] == 89).all()


def bytes_below(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def as_said(parameters):
    return ",".join(f"{name.replace('__', '.')}={value}" for name, value in parameters.items())
