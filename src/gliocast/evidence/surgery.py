"""What surgery alone says of survival (Moreau et al., section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gliocast.evidence import group_tests, metrics
from gliocast.evidence.survival_curves import CURVE_COLUMNS, kaplan_meier, logrank, median_survival_days
from gliocast.types import SURGERIES

SUMMARY_COLUMNS = ("surgery", "n", "mean_days", "sd_days", "median_days")
RULE_MEASURES = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "ppv", "npv", "f1", "mcc")


def summary(cohort: pd.DataFrame) -> pd.DataFrame:
    """Survival of the patients who died, by surgery: `SUMMARY_COLUMNS`; the median is Kaplan–Meier's, of everyone."""
    everyone, died = _pairs(cohort), _survival_of_the_dead(cohort)
    rows = [
        {
            "surgery": name,
            "n": len(days),
            "mean_days": float(np.mean(days)) if len(days) else None,
            "sd_days": float(np.std(days, ddof=1)) if len(days) > 1 else None,
            "median_days": median_survival_days(kaplan_meier(*everyone[name])),
        }
        for name, days in died.items()
    ]
    days = dict.fromkeys(SUMMARY_COLUMNS[2:], float)  # also where no group has a spread, or reaches its median
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS)).astype({"n": int, **days})


def printed_summary(figure1: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The paper's printed group means, standard deviations and n as a table (Figure 1)."""
    rows = [{"surgery": name, **figure1[name]} for name in SURGERIES if name in figure1]
    return pd.DataFrame(rows)[["surgery", "n", "mean_days", "sd_days"]]


def compare_survival(cohort: pd.DataFrame) -> dict[str, Any]:
    """Analyses of variance, Kruskal–Wallis and Tukey on those who died; log-rank on everyone."""
    died = _survival_of_the_dead(cohort)
    groups = group_tests.summarise(died)
    return {
        "anova": group_tests.one_way_anova(groups),
        "welch_anova": group_tests.welch_anova(groups),
        "kruskal": group_tests.kruskal(died),
        "tukey": group_tests.tukey(groups),
        "logrank": logrank(_pairs(cohort)),
    }


def compare_printed(printed: pd.DataFrame) -> dict[str, Any]:
    """The tests that group means, standard deviations and n allow; no more can be told from a printed figure."""
    groups = [
        group_tests.GroupSummary(row["surgery"], float(row["mean_days"]), float(row["sd_days"]), int(row["n"]))
        for row in printed.to_dict("records")
    ]
    return {
        "anova": group_tests.one_way_anova(groups),
        "welch_anova": group_tests.welch_anova(groups),
        "tukey": group_tests.tukey(groups),
    }


def curves(cohort: pd.DataFrame) -> pd.DataFrame:
    """Kaplan–Meier curves by surgery, one under the other."""
    parts = [kaplan_meier(days, events, name) for name, (days, events) in _pairs(cohort).items() if len(days)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(CURVE_COLUMNS))


def left_out(cohort: pd.DataFrame) -> dict[str, int]:
    """How many patients the tests cannot use, and why."""
    alive = ~_died(cohort) & cohort["surgery"].notna() & cohort["survival_days"].notna()
    return {
        "surgery_unknown": int(cohort["surgery"].isna().sum()),
        "survival_unknown": int(cohort["survival_days"].isna().sum()),
        "alive_left_out_of_anova_and_kruskal": int(alive.sum()),
        "alone_left_out_of_anova_and_tukey": sum(len(days) == 1 for days in _survival_of_the_dead(cohort).values()),
    }


def rule_table(ours: Mapping[str, Any], printed_counts: Mapping[str, int]) -> pd.DataFrame:
    """Table 2: counts and measures of the surgery rule with their 95 % intervals, beside the paper's."""
    theirs = _paper_measures(printed_counts)
    counts = [{"measure": name, "value": ours[name], "paper": printed_counts.get(name)} for name in metrics.CELLS]
    measures = [measure_row(name, ours[name], theirs[name]) for name in RULE_MEASURES]
    return pd.DataFrame(counts + measures, columns=["measure", "value", "lower", "upper", "paper"])


def measure_row(name: str, found: Mapping[str, Any], printed: float) -> dict[str, Any]:
    """One measure with its limits, beside the paper's."""
    lower, upper = found["ci95"] or (None, None)
    return {"measure": name, "value": found["value"], "lower": lower, "upper": upper, "paper": printed}


def _paper_measures(printed: Mapping[str, int]) -> dict[str, float]:
    cells = metrics.Counts(*(np.array([float(printed[name])]) for name in metrics.CELLS))
    return {name: float(getattr(metrics, name)(cells)[0]) for name in RULE_MEASURES}


def _died(cohort: pd.DataFrame) -> pd.Series:
    return cohort["event_observed"].astype("boolean").fillna(False).astype(bool)


def _survival_of_the_dead(cohort: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: days[events] for name, (days, events) in _pairs(cohort).items() if events.any()}


def _pairs(cohort: pd.DataFrame) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    followed = cohort[cohort["survival_days"].notna() & cohort["surgery"].notna()]
    died = _died(followed).to_numpy()
    days = followed["survival_days"].to_numpy(dtype=float)
    groups = {name: (followed["surgery"] == name).to_numpy(dtype=bool) for name in SURGERIES}
    return {name: (days[chosen], died[chosen]) for name, chosen in groups.items()}
