from __future__ import annotations

import copy
import json
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError
from report_samples import a_performance, all_metrics, only_the_baseline

from gliocast.reporting.metrics import checked, cnn_stage, compile_results, protocol_facts
from gliocast.types import Fold, Partition, Scores, Split


def test_metrics_keep_their_promised_form_and_values() -> None:
    assert checked(all_metrics()) == all_metrics()
    assert checked(only_the_baseline())["protocol"]["n_test_patients"] is None
    json.dumps(checked(all_metrics()), allow_nan=False)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("cohort", "n_patients"), -1),
        (("models", "hybrid", "patient", "auc"), {"value": None, "ci95": None}),
        (("models", "hybrid", "patient", "auc"), {"value": float("nan"), "ci95": None}),
        (("models", "hybrid", "patient", "auc"), {"value": 0.7, "ci95": [0.8, 0.6]}),
        (("models", "hybrid", "patient", "tp"), 16),
        (("models", "hybrid", "image"), a_performance()),
        (("comparisons", "hybrid_vs_clinical", "p_value"), 1.2),
        (("surprise",), 1),
    ],
)
def test_metrics_refuse_what_the_contract_does_not_allow(place: tuple[str, ...], value: Any) -> None:
    broken = copy.deepcopy(all_metrics())
    *path, last = place
    target = broken
    for key in path:
        target = target[key]
    target[last] = value
    with pytest.raises(ValidationError):
        checked(broken)


def test_slices_of_one_stage_stand_beside_patients_of_another() -> None:
    cnn = {"models": {"cnn": {"patient": a_performance(0.6), "slice": a_performance(0.55)}}}
    hybrid = {"models": {"cnn": {"patient": a_performance(0.61)}, "hybrid": {"patient": a_performance()}}}
    metrics = compile_results(all_metrics()["cohort"], all_metrics()["protocol"], [cnn, hybrid])
    assert set(metrics["models"]) == {"cnn", "hybrid"}
    assert metrics["models"]["cnn"]["slice"]["accuracy"]["value"] == 0.55
    assert metrics["models"]["cnn"]["patient"]["accuracy"]["value"] == 0.61


def test_a_stage_that_was_skipped_adds_nothing() -> None:
    metrics = compile_results(all_metrics()["cohort"], all_metrics()["protocol"], [{"skipped": "no images"}])
    assert metrics["models"] == {}


def a_partition() -> Partition:
    folds = (Fold(fit=("P1",), stop=("P2",), held_out=("P3",)), Fold(fit=("P3",), stop=("P1",), held_out=("P2", "P1")))
    return Partition("holdout", 1, (Split("holdout", ("P4", "P5"), folds),), Fold(("P1",), ("P2",), ("P4", "P5")))


def scores(**fitted_on: tuple[str, ...]) -> Scores:
    rows = [(model, patient, role) for model in fitted_on for patient, role in [("P4", "test"), ("P1", "out_of_fold")]]
    return Scores(pd.DataFrame(rows, columns=["model", "patient_id", "role"]), fitted_on)


def test_test_patients_whom_a_model_has_seen_are_counted() -> None:
    honest = protocol_facts("honest", 1, a_partition(), scores(a=("P1", "P2", "P3")))
    leaking = protocol_facts("paper", 1, a_partition(), scores(a=("P1",), b=("P4", "P2")))
    assert (honest["n_test_patients"], honest["n_test_patients_seen_in_training"]) == (2, 0)
    assert leaking["n_test_patients_seen_in_training"] == 1


def test_a_pipeline_that_fits_nothing_says_so() -> None:
    facts = protocol_facts("honest", 1, None, None)
    assert facts["n_test_patients"] is None
    assert "fits nothing" in facts["reason"]


def test_the_papers_network_is_reported_on_its_own_test_patients_or_not_at_all() -> None:
    theirs = {"test": {"patient": a_performance(0.9), "slice": a_performance(0.8)}}
    results = {"models": {"cnn": {"patient": a_performance(0.6)}}, "paper_protocol": theirs}
    assert cnn_stage(results, "honest", is_final=False)["models"]["cnn"] == results["models"]["cnn"]
    assert cnn_stage(results, "paper", is_final=True)["models"]["cnn"] == theirs["test"]
    assert cnn_stage(results, "paper", is_final=False) == {}
    assert cnn_stage({"skipped": "image_score is none"}, "honest", is_final=True) == {}
