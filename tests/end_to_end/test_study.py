"""The whole study on a small simulated cohort with a strong planted signal, looked at as its user would."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from project_copy import copy_of_the_project

SMALL = {
    "simulation__n_patients": 100,
    "simulation__image_auc": 0.95,
    "tuning__trials": 0,
    "model__epochs": 10,
    "model__explained_patients": 1,
    "evidence__n_bootstrap": 200,
    "hybrid__robustness__explained_patients": 10,
    "hybrid__robustness__repeats": 1,
}


MARKED = (
    "metrics.json", "model_results.json", "table4.csv", "figure4_roc.json", "figure4_confusion.json",
    "leakage_gap.json", "leakage_gap.csv", "leakage_seen.csv", "figure_leakage_gap.json",
    "paper_protocol_record.json", "cnn_results.json", "report.html",
)  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A project in which the study has been run once."""
    project = copy_of_the_project(tmp_path_factory.mktemp("study"))
    ended = project.run("hybrid", **SMALL)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return project, ended


def read(project, name):
    return json.loads(project.path(f"08_reporting/{name}").read_text())


def test_the_run_ends_with_the_table_beside_the_papers_and_the_place_of_the_report(study):
    project, ended = study
    assert "Moreau et al." in ended.stdout
    assert "SIMULATED" in ended.stdout
    assert str(project.path("08_reporting/report.html")) in ended.stdout


def test_nobody_is_warned_where_nothing_is_wrong(study):
    _, ended = study
    assert not [line for line in ended.stderr.splitlines() if "warning" in line.lower()]


def test_every_result_of_the_contract_is_there(study):
    project, _ = study
    names = {path.name for path in project.path("08_reporting").iterdir()}
    assert {"report.html", "metrics.json", "patient_flow.json", "provenance.json"} <= names


def test_all_models_are_tested_on_the_same_patients(study):
    project, _ = study
    metrics = read(project, "metrics.json")
    assert set(metrics["models"]) >= {"majority", "surgery_rule", "clinical", "cnn", "hybrid"}
    assert {model["patient"]["n"] for model in metrics["models"].values()} == {metrics["protocol"]["n_test_patients"]}
    assert metrics["protocol"]["n_test_patients_seen_in_training"] == 0


def test_the_planted_signal_is_found_by_the_network_out_of_fold(study):
    project, _ = study
    folder = project.path("07_model_output/cnn_out_of_fold_scores")
    scores = pd.read_parquet(folder / "scores.parquet").query("slice == -1 and role == 'out_of_fold'")
    cohort = pd.read_parquet(project.path("05_model_input/training_cohort.parquet"))
    joined = scores.merge(cohort[["patient_id", "outcome"]], on="patient_id")
    low, _ = auc_interval(joined["outcome"] == "long_term", joined["probability"])
    assert low > 0.5


def test_nobody_is_scored_by_a_network_that_has_seen_them(study):
    project, _ = study
    for name in ("cnn_out_of_fold_scores", "cnn_test_scores"):
        folder = project.path(f"07_model_output/{name}")
        fitted_on = json.loads((folder / "fitted_on.json").read_text())
        scores = pd.read_parquet(folder / "scores.parquet")
        assert not any(row.patient_id in fitted_on[row.model] for row in scores.itertuples())


def test_every_patient_of_the_table_is_accounted_for(study):
    project, _ = study
    cohort = read(project, "metrics.json")["cohort"]
    assert cohort["n_long_term"] + cohort["n_short_term"] == cohort["n_patients"] == 100


def test_the_slices_lie_where_the_contract_says(study):
    project, _ = study
    manifest = pd.read_parquet(project.path("04_feature/slice_manifest.parquet"))
    assert list(manifest.columns[:7]) == [
        "patient_id", "center_slice_mm", "first_slice_mm", "last_slice_mm", "source", "confidence", "sha256",
    ]  # fmt: skip
    assert len(manifest) == 100
    assert ((manifest["last_slice_mm"] - manifest["first_slice_mm"]).round(3) == 8.0).all()


def test_a_second_run_reuses_every_stage(study):
    project, _ = study
    before = project.path("08_reporting/report.html").stat().st_mtime_ns
    ended = project.run("hybrid", **SMALL)
    assert ended.returncode == 0
    assert ": runs" not in ended.stderr
    assert project.path("08_reporting/report.html").stat().st_mtime_ns == before


def test_a_changed_parameter_runs_its_stage_and_followers_alone(study):
    project, _ = study
    ended = project.run("hybrid", **SMALL, hybrid__threshold__rule="fixed")
    ran = set(re.findall(r"stage \S+ (\w+): runs", ended.stderr))
    assert "fit_models" in ran
    assert "write_report" in ran
    assert not ran & {"extract_slices", "train_cnn", "read_cohort"}


def test_no_result_is_a_pickle(study):
    project, _ = study
    files = [path for path in project.path("").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".npy"}]
    assert not [path for path in files if path.read_bytes()[:2] in (b"\x80\x04", b"\x80\x05")]


def test_no_result_names_the_machine(study):
    project, _ = study
    reports = project.path("08_reporting")
    assert not [path.name for path in reports.iterdir() if str(project.folder) in path.read_text(encoding="utf-8")]


def test_no_patient_stands_in_a_report(study):
    project, _ = study
    ids = re.compile(r"SIM-\d+")
    reports = project.path("08_reporting").iterdir()
    assert not [path.name for path in reports if ids.search(path.read_text(encoding="utf-8"))]


def test_a_partition_edited_by_hand_is_refused(study):
    project, _ = study
    path = project.path("03_primary/partition.json")
    written = path.read_text()
    path.write_text(written.replace("SIM-001", "SIM-002"))
    ended = project.run("hybrid", **SMALL)
    path.write_text(written)
    assert ended.returncode == 2
    assert "partition" in ended.stderr


def test_under_the_papers_protocol_every_output_says_so(study):
    """The last test of this study, since it leaves the paper's results behind."""
    project, _ = study
    ended = project.run("hybrid", **SMALL, protocol="paper", hybrid__threshold__rule="fixed")  # as fitted above
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert "for comparison only" in ended.stdout.lower()
    protocol = read(project, "metrics.json")["protocol"]
    assert "comparison only" in protocol["watermark"]
    assert protocol["n_test_patients_seen_in_training"] == protocol["n_test_patients"] > 0
    told = [project.path("08_reporting") / name for name in MARKED] + [project.path("06_models/bundle/bundle.json")]
    told += [
        project.path(f"07_model_output/{name}/watermark.txt") for name in ("cnn_paper_scores", "paper_predictions")
    ]
    assert [path.name for path in told if "comparison only" not in path.read_text(encoding="utf-8")] == []


def auc_interval(outcome, probability):
    """DeLong's 95 % interval, written here again on purpose: this test trusts nothing that it tests."""
    from scipy.stats import norm

    positive, negative = probability[outcome].to_numpy(), probability[~outcome].to_numpy()
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = wins.mean(1).var(ddof=1) / len(positive) + wins.mean(0).var(ddof=1) / len(negative)
    half = norm.ppf(0.975) * variance**0.5
    return wins.mean() - half, wins.mean() + half
