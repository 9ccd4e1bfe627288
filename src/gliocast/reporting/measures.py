"""Every measure that the table of results leaves out, and why some have no value or no interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from markupsafe import Markup

from gliocast.reporting import blocks, formatting, tables
from gliocast.reporting.figures.theme import name_of
from gliocast.reporting.tables import Row

FURTHER_MEASURES = (
    *("balanced_accuracy", "ppv", "npv", "f1", "mcc", "pr_auc"),
    *("brier", "log_loss", "calibration_slope", "calibration_intercept", "ece"),
)
RESULTS = ("auc", "accuracy", "sensitivity", "specificity")  # whose values stand in the table of results
Performances: TypeAlias = Mapping[str, Mapping[str, Any]]


def measures_html(models: Mapping[str, Any]) -> Markup:
    """One row a measure, one column a model and level; below, why some have no value or no interval.

    Args:
        models: "models" of `metrics.json`.
    """
    found = {
        f"{name_of(model)}, by {level}": performance
        for model, levels in models.items()
        for level, performance in levels.items()
        if performance
    }
    rows = [
        Row((tables.header(name), *(formatting.estimate(performance.get(name)) for performance in found.values())))
        for name in FURTHER_MEASURES
    ]
    table = tables.html_table(["Measure", *found], rows, [False] + [True] * len(found), "Measures")
    reasons = list(_reasons(found))
    return table + blocks.bullets(reasons) if reasons else table


def _reasons(found: Performances) -> Iterator[str]:
    """A sentence for each reason why a value or an interval is missing, with the measures of each model."""
    missing: dict[tuple[str, str], dict[str, list[str]]] = {}
    for model, performance in found.items():
        for measure in (*RESULTS, *FURTHER_MEASURES):
            value = performance.get(measure, {})
            if "reason" in value:
                lacking = ("value" if value["value"] is None else "interval", value["reason"])
                missing.setdefault(lacking, {}).setdefault(model, []).append(tables.header(measure))
    for (part, reason), models in missing.items():
        whose = "; ".join(f"{model}: {', '.join(measures)}" for model, measures in models.items())
        yield f"No {part} ({reason}): {whose}."
