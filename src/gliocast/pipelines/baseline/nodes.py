"""Nodes of the baseline pipeline: the whole cohort, nothing fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gliocast.evidence import rules, surgery
from gliocast.evidence.classification import performance
from gliocast.evidence.metrics import CELLS
from gliocast.evidence.parameters import EvidenceParameters
from gliocast.reporting import figures
from gliocast.types import LONG_TERM, Figure, Table

PRINTED = {"mean_days": "paper_mean_days", "sd_days": "paper_sd_days"}


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
    everyone, known = ((part["outcome"] == LONG_TERM).to_numpy(dtype=bool) for part in (determined, answered))
    majority, by_surgery = rules.majority_rule(everyone), rules.surgery_rule(answered["surgery"])
    ours = performance(known, None, by_surgery, evidence.n_bootstrap, seed)
    results = {
        "majority": {"patient": performance(everyone, None, majority, evidence.n_bootstrap, seed)},
        "surgery_rule": {"patient": ours},
    }
    cells = {name: ours[name] for name in CELLS}
    return results, surgery.rule_table(ours, paper["table2"]), figures.confusion(**cells, title="Surgery rule")
