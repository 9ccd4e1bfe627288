"""Negative controls: shuffled labels, noise images, duplicated patients, a scaler fitted on everyone.

With nothing to find, nothing is found; and what the test patients are and live through reaches nothing that is fitted.
"""

from __future__ import annotations

import json
import shutil

import pandas as pd

from project_copy import SMALL_VOLUMES

NOTHING_PLANTED = {
    "simulation__n_patients": 120,
    "simulation__image_auc": 0.5,
    "tuning__trials": 0,
    "model__epochs": 4,
    "model__explained_patients": 1,
    "model__paper_protocol": "false",
    "evidence__n_bootstrap": 200,
    "hybrid__robustness__explained_patients": 0,
    "hybrid__robustness__repeats": 0,
}


def test_shuffled_outcomes_leave_an_auc_interval_that_contains_one_half(project):
    """Shuffled labels. The classifier is a forest, which knows by heart whom it is fitted on, test patients too."""
    said = NOTHING_PLANTED | {"hybrid__classifiers": "random_forest"}
    assert project.run("simulation", **said).returncode == 0
    shuffle_survival(project)
    ended = project.run("hybrid", **said)
    assert ended.returncode == 0, ended.stderr[-3000:]
    models = json.loads(project.path("08_reporting/metrics.json").read_text())["models"]
    for name in ("clinical", "cnn", "hybrid"):
        low, high = models[name]["patient"]["auc"]["ci95"]
        assert low <= 0.5 <= high, name


def test_images_without_a_signal_are_not_said_to_add_to_the_clinical_facts(project):
    """Noise images: every picture is drawn without regard to the outcome."""
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
    """Duplicated patients: a patient's files stand under a second name."""
    few = {"simulation__n_patients": 30, "simulation__dicom_share": 0, **SMALL_VOLUMES}
    assert project.run("simulation", **few).returncode == 0
    shuffle_survival(project)
    first, second = sorted(project.path("01_raw/imaging").iterdir())[:2]
    for name in ("t1gd.nii.gz", "lesion_mask.nii.gz"):
        (second / name).write_bytes((first / name).read_bytes())
    ended = project.run("preprocessing", **few)
    assert ended.returncode == 2, ended.stderr[-3000:]
    assert first.name in ended.stderr
    assert second.name in ended.stderr


LITTLE = {
    "simulation__n_patients": 40,
    **SMALL_VOLUMES,
    "cohort__threshold_mode": "training_median",  # of the training patients: poisoned test patients would move it
    "partition__inner_folds": 3,
    "tuning__trials": 2,
    "tuning__epochs": 1,
    "model__epochs": 1,
    "model__paper_protocol": "false",
    "hybrid__inner_folds": 3,
    "hybrid__classifiers": "logistic_regression decision_tree",
    "hybrid__pre_operative_models": "false",
}
FITTED = {
    "06_models/hyperparameters.json",
    "06_models/cnn_ensemble/model_0.safetensors",
    "06_models/fitted_models/manifest.json",
    "07_model_output/cnn_out_of_fold_scores/scores.parquet",
    "07_model_output/training_predictions/scores.parquet",
}


def test_what_the_test_patients_lived_through_changes_no_byte_of_anything_fitted(project):
    """Scaler on everyone: networks, settings, scalers, thresholds and classifiers, fitted twice from the same folds.

    A scaler of everyone, the paper's leak, would follow the test patients' ages, and a median of everyone their lives.
    """
    fitting = ["run", "--pipeline", "hybrid", "--to-nodes", "fit_models", "--params", as_said(LITTLE)]
    ended = project.kedro(*fitting)
    assert ended.returncode == 0, ended.stderr[-3000:]
    fitted = bytes_of_what_is_fitted(project)
    assert fitted.keys() >= FITTED
    tested = poison_the_test_patients(project)
    for layer in ("06_models", "07_model_output"):
        shutil.rmtree(project.path(layer))  # checkpoints and trials too: everything is fitted anew
    ended = project.kedro(*fitting, "--from-nodes", "separate_test_patients", "--runner", "SequentialRunner")
    assert ended.returncode == 0, ended.stderr[-3000:]
    again = pd.read_parquet(project.path("05_model_input/test_predictors.parquet")).set_index("patient_id")
    assert (again.loc[tested, "age_years"] == 89).all()  # the poison has got through
    assert bytes_of_what_is_fitted(project) == fitted


def poison_the_test_patients(project):
    """Let all test patients be old and live for years, so that their median too is another; the partition stays."""
    tested = sorted(pd.read_parquet(project.path("05_model_input/test_predictors.parquet"))["patient_id"])
    path = project.path("03_primary/study_cohort.parquet")
    cohort = pd.read_parquet(path)
    of_test = cohort["patient_id"].isin(tested)
    cohort["survival_days"] = cohort["survival_days"].mask(of_test, 3000)
    cohort["age_years"] = cohort["age_years"].mask(of_test, 89.0)
    cohort.to_parquet(path)
    return tested


def bytes_of_what_is_fitted(project):
    """Every file of the models and their scores; neither checkpoints nor the log of trials, which bear times."""
    files = [path for layer in ("06_models", "07_model_output") for path in project.path(layer).rglob("*")]
    kept = [path for path in files if path.is_file() and not {"cnn_checkpoints", "tuning_study.log"} & set(path.parts)]
    return {str(path.relative_to(project.path(""))): path.read_bytes() for path in kept}


def as_said(parameters):
    return ",".join(f"{name.replace('__', '.')}={value}" for name, value in parameters.items())
