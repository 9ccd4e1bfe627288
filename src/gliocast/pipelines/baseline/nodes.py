"""Nodes of the baseline pipeline: the whole cohort, nothing fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gliocast.evidence import rules, surgery
from gliocast.evidence.classification import performance
from gliocast.evidence.describe import table1
from gliocast.evidence.metrics import CELLS
from gliocast.evidence.parameters import EvidenceParameters
from gliocast.reporting import figures
from gliocast.types import LONG_TERM, SHORT_TERM, Figure, Table

PRINTED = {"mean_days": "paper_mean_days", "sd_days": "paper_sd_days"}


def describe_cohort(cohort: pd.DataFrame) -> Table:
    """The cohort overall and by outcome (Table 1)."""
    return table1(cohort)


def compare_surgeries(cohort: pd.DataFrame, paper: Mapping[str, Any]) -> tuple[dict[str, Any], Figure, Figure]:
    """Survival by surgery: tests, Figure 1 and Kaplan–Meier curves, beside the paper's printed summary."""
    summary, tests = surgery.summary(cohort), surgery.compare_survival(cohort)
    printed = surgery.printed_summary(paper["figure1"])
    survival = {
        "summary": summary.astype(object).where(summary.notna(), None).to_dict("records"),  # JSON knows no NaN
        "tests": tests,
        "left_out": surgery.left_out(cohort),
        "paper": {"summary": printed.to_dict("records"), "tests": surgery.compare_printed(printed)},
    }
    beside = summary.merge(printed.drop(columns="n").rename(columns=PRINTED), on="surgery", how="left")
    bars = figures.survival_by_surgery(beside, p_value=tests["anova"]["p"])
    return survival, bars, figures.kaplan_meier(surgery.curves(cohort), p_value=tests["logrank"]["p"])


def apply_rules(
    cohort: pd.DataFrame, paper: Mapping[str, Any], evidence: EvidenceParameters, seed: int
) -> tuple[dict[str, Any], Table, Figure]:
    """The surgery rule (Table 2) and the majority class, on every patient whose outcome is known."""
    determined = cohort[cohort["outcome"].notna()]
    answered = determined[determined["surgery"].notna()]
    results = {
        "majority": {"patient": _majority(determined, evidence, seed)},
        "surgery_rule": {"patient": _surgery_rule(answered, evidence, seed)},
    }
    ours = results["surgery_rule"]["patient"]
    cells = {name: ours[name] for name in CELLS}
    return results, surgery.rule_table(ours, paper["table2"]), figures.confusion(**cells, title="Surgery rule")


def _majority(cohort: pd.DataFrame, evidence: EvidenceParameters, seed: int) -> dict[str, Any]:
    outcome = (cohort["outcome"] == LONG_TERM).to_numpy(dtype=bool)
    predicted = rules.majority_rule(len(cohort), int(outcome.sum()), int((cohort["outcome"] == SHORT_TERM).sum()))
    return performance(outcome, None, predicted, evidence.n_bootstrap, seed)


def _surgery_rule(cohort: pd.DataFrame, evidence: EvidenceParameters, seed: int) -> dict[str, Any]:
    outcome = (cohort["outcome"] == LONG_TERM).to_numpy(dtype=bool)
    return performance(outcome, None, rules.surgery_rule(cohort["surgery"]), evidence.n_bootstrap, seed)


def collect_baseline(rule_results: dict[str, Any], surgery_survival: dict[str, Any]) -> dict[str, Any]:
    """The baseline's part of `metrics.json`."""
    return {"rules": rule_results, "statistics": surgery_survival["tests"]}
