"""Small exhibits that every reporting test may draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gliocast.reporting import figures
from gliocast.reporting.exhibits import EXHIBITS
from gliocast.types import Figure
from shipped import section

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def surgery_summary() -> pd.DataFrame:
    paper = {"paper_mean_days": [241.61, 404.32, 496.70], "paper_sd_days": [191.24, 271.31, 282.83]}
    ours = {"mean_days": [240.0, 410.0, 480.0], "sd_days": [190.0, 270.0, 280.0], "n": [69, 62, 44]}
    return pd.DataFrame({"surgery": ["biopsy", "incomplete", "complete"], **ours, **paper})


def survival_curves() -> pd.DataFrame:
    steps = pd.DataFrame({"time_days": [0.0, 100.0, 300.0, 700.0], "survival": [1.0, 0.7, 0.4, 0.1]})
    steps = steps.assign(lower=[1.0, 0.6, 0.3, 0.05], upper=[1.0, 0.8, 0.5, 0.2], at_risk=[10, 10, 7, 4])
    return pd.concat([steps.assign(group="biopsy"), steps.assign(group="complete", survival=[1.0, 0.9, 0.6, 0.3])])


def roc_curves() -> pd.DataFrame:
    points = pd.DataFrame({"false_positive_rate": [0.0, 0.2, 1.0], "true_positive_rate": [0.0, 0.7, 1.0]})
    return pd.concat([points.assign(model="clinical"), points.assign(model="hybrid")])


def an_estimate(value: float | None = 0.7) -> dict[str, Any]:
    if value is None:
        return {"value": None, "ci95": None, "reason": "one class only"}
    return {"value": value, "ci95": [value - 0.1, min(1.0, value + 0.1)]}


def a_performance(accuracy: float = 0.7, auc: float | None = 0.7) -> dict[str, Any]:
    counts = {"n": 40, "tp": 15, "fp": 6, "fn": 5, "tn": 14}
    names = ("sensitivity", "specificity", "ppv", "npv", "brier", "calibration_slope", "calibration_intercept")
    return {
        **counts,
        "accuracy": an_estimate(accuracy),
        "auc": an_estimate(auc),
        **{name: an_estimate() for name in names},
    }


def all_figures() -> dict[str, Figure]:
    draw = np.random.default_rng(7)
    probabilities = pd.DataFrame({"outcome": ["short_term", "long_term"] * 30, "probability": draw.uniform(0, 1, 60)})
    epochs = pd.DataFrame({"split": "holdout", "fold": [0, 0, 0, 1, 1], "epoch": [0, 1, 2, 0, 1]})
    curves = epochs.assign(train_loss=[0.7, 0.5, 0.4, 0.7, 0.6], stop_loss=[0.7, 0.6, 0.65, 0.7, 0.66])
    bins = pd.DataFrame({"predicted": [0.2, 0.5, 0.8], "observed": [0.1, 0.5, 0.9], "n": [10, 12, 11]})
    bins = bins.assign(model="hybrid", lower=[0.0, 0.3, 0.7], upper=[0.3, 0.7, 1.0])
    benefit = pd.DataFrame({"threshold": [0.1, 0.5, 0.9], "net_benefit": [0.4, 0.1, -1.0]})
    gap = pd.DataFrame({"metric": ["accuracy", "auc"], "honest": [0.67, 0.74], "paper": [0.88, 0.94]})
    gap = gap.assign(
        honest_lower=[0.5, 0.6], honest_upper=[0.8, 0.85], paper_lower=[0.8, 0.9], paper_upper=[0.95, 0.99]
    )
    importances = pd.DataFrame({"name": ["age_years", "surgery"], "importance": [0.2, 0.5]})
    points = pd.DataFrame(
        {"series": "clinical", "x": [50, 100], "y": [0.6, 0.7], "lower": [0.5, 0.6], "upper": [0.7, 0.8]}
    )
    models = {"clinical": {"patient": a_performance(0.75, 0.81)}, "hybrid": {"patient": a_performance(0.76, 0.82)}}
    return {
        "figure1_survival_by_surgery": figures.survival_by_surgery(surgery_summary(), 5.18e-7),
        "kaplan_meier_by_surgery": figures.kaplan_meier(survival_curves(), 0.002),
        "roc": figures.roc(roc_curves(), {"clinical": 0.75, "hybrid": None}),
        "confusion": figures.confusion(27, 2, 5, 36),
        "probabilities": figures.probability_histogram(probabilities),
        "forest": figures.forest_of_models(models, {"hybrid": 0.9}),
        "learning_curves": figures.learning_curves(curves),
        "importances": figures.bar(importances, "What the model listens to", "Importance"),
        "learning_curve": figures.dots(points, "Learning curve", "Patients", "AUC"),
        "figure2_examples": figures.image_panel([PIXEL] * 5, ["true long-term<br>probability 0.91"] * 5),
        "reliability": figures.reliability(bins),
        "net_benefit": figures.net_benefit(
            pd.concat([benefit.assign(strategy="hybrid"), benefit.assign(strategy="treat_all")])
        ),
        "leakage_gap": figures.leakage_gap(gap, "The gap"),
        "audit": figures.audit(audit_scenarios()),
    }


def audit_scenarios() -> pd.DataFrame:
    claims = {
        "claimed_accuracy": [0.74, 0.88],
        "true_accuracy": [0.75, 0.67],
        "claimed_auc": [0.8, 0.94],
        "true_auc": [0.81, 0.74],
    }
    return pd.DataFrame(
        {"image_signal": [0.5, 0.5], "memorises": [True, True], "protocol": ["honest", "paper"], **claims}
    )


def the_paper() -> dict[str, Any]:
    return section("paper")


def all_metrics() -> dict[str, Any]:
    cohort = {"n_patients": 176, "n_excluded": 3, "n_long_term": 89, "n_short_term": 86, "n_undetermined": 1}
    protocol = {"name": "honest", "partition_sha256": "ab" * 32, "seed": 1, "n_test_patients": 40}
    delta = {"value": 0.03, "ci95": [-0.05, 0.11]}
    hybrid = {"delta_auc": delta, "p_value": 0.4, "verdict": "cannot be told with 40 test patients"}
    models = {name: {"patient": a_performance()} for name in ("majority", "surgery_rule", "clinical", "hybrid")}
    return {
        "schema_version": 1,
        "cohort": cohort | {"survival_threshold_days": 332},
        "protocol": protocol | {"n_test_patients_seen_in_training": 0},
        "rules": {"majority": {"patient": a_performance(0.51, 0.5)}, "surgery_rule": {"patient": a_performance(0.7)}},
        "models": models | {"cnn": {"patient": a_performance(), "slice": a_performance(auc=None)}},
        "comparisons": {"hybrid_vs_clinical": hybrid},
        "statistics": some_statistics(),
    }


def some_statistics() -> dict[str, Any]:
    pair = {"groups": ["incomplete", "complete"], "difference": 92.4, "ci95": [-20.0, 205.0], "p": 0.14}
    return {
        "anova": {"f": 15.761, "p": 5.18e-7, "df": [2, 172], "eta2": 0.155},
        "welch_anova": {"f": None, "p": None, "df": None, "reason": "a group has no variance"},
        "tukey": [pair],
        "logrank": {"chi2": 30.1, "p": 1e-7, "df": 2},
    }


def subgroups() -> pd.DataFrame:
    """As wide as a table of the report becomes."""
    group = {"model": "hybrid", "characteristic": "age_band_years", "level": "≥70", "n": 14, "n_long_term": 6}
    scores = {
        f"{measure}{end}": value
        for measure in ("accuracy", "sensitivity", "specificity", "auc")
        for end, value in (("", 0.86), ("_lower", 0.6), ("_upper", 0.96))
    }
    return pd.DataFrame([group | scores | {"note": "no spread: the scores separate the classes completely"}])


def only_the_baseline() -> dict[str, Any]:
    unknown = {"partition_sha256": None, "n_test_patients": None, "n_test_patients_seen_in_training": None}
    protocol = {"name": "honest", "seed": 1, **unknown, "reason": "this pipeline fits nothing"}
    return all_metrics() | {"models": {}, "comparisons": {}, "protocol": protocol}


def a_flow() -> dict[str, Any]:
    stages = [
        {"name": "rows of the clinical table", "n": 179, "left": [{"n": 3, "reason": "survival <is> missing"}]},
        {"name": "patients with a known outcome", "n": 176, "left": []},
    ]
    return {"stages": stages, "warnings": ["idh is missing for 90 of 176 patients."]}


def a_provenance(simulated: bool = True) -> dict[str, Any]:
    versions = {"python": "3.11.9", "kedro": "1.7.0"}
    return {
        "simulated": simulated,
        "made_at": "2026-01-01T00:00:00+00:00",
        "versions": versions,
        "parameters": {
            "model": {"batch_size": 30, "weights": None, "backbone": "resnet51q"},
            "audit": {"a_parameter_whose_name_is_longer_than_a_telephone_is_wide": True},
            "check_only": True,
        },
        "code": {"commit": None},
    }


def all_exhibits() -> dict[str, Any]:
    """Every exhibit that the page knows, each with some figure or table."""
    spare = list(all_figures().values())
    known = [exhibit.name for exhibit in EXHIBITS]
    shown: dict[str, Any] = {name: spare[place % len(spare)] for place, name in enumerate(known)}
    table1 = pd.DataFrame(
        {"characteristic": ["Sex", "Sex"], "level": ["F", "M"], "all": ["74 (42.3 %)", "<script>alert(1)</script>"]}
    )
    shown |= {"table1": table1, "hyperparameters": {"learning_rate": 3e-4, "source": "tuned"}}
    shown |= {"subgroup_table": subgroups()}
    printed = {"tests": {"anova": {"f": 15.76, "p": 5.2e-7, "df": [2, 172], "eta2": 0.155}}}
    shown |= {"audit_record": {"n_cohorts": 40, "n_patients": 175, "scenarios": audit_scenarios().to_dict("records")}}
    return shown | {"surgery_survival": {"tests": some_statistics(), "paper": printed}}
