"""The baseline: description of the cohort, survival by surgery, and the rules that need no fitting."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from gliocast.evidence.describe import table1
from gliocast.pipelines.baseline import nodes


def create_pipeline(**_: Any) -> Pipeline:
    """Table 1, Figure 1, Table 2 and the tests behind them (Moreau et al., sections 2.1 and 3.1)."""
    return Pipeline(
        [
            Node(table1, "cohort", "table1", name="describe_cohort"),
            Node(
                nodes.compare_surgeries,
                ["cohort", "params:paper"],
                ["surgery_survival", "figure1_survival_by_surgery", "figure_kaplan_meier_by_surgery"],
                name="compare_surgeries",
            ),
            Node(
                nodes.apply_rules,
                ["cohort", "params:paper", "params:evidence", "params:seed"],
                ["rule_results", "table2_surgery_rule", "figure_surgery_rule"],
                name="apply_rules",
            ),
        ]
    )
