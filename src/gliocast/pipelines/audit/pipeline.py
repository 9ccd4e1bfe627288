"""The audit: simulated cohorts of known truth through the honest and the paper's protocol."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from gliocast.pipelines.audit import nodes


def create_pipeline(**_: Any) -> Pipeline:
    """From Table 1 alone to the claims and the truth of both protocols; needs no patient and no image."""
    return Pipeline(
        [
            Node(
                nodes.simulate_cohorts,
                ["params:paper", "params:audit", "params:hybrid.choice", "params:seed", "audit_chunks"],
                "audit_runs",
                name="simulate_cohorts",
            ),
            Node(
                nodes.summarise_audit,
                ["audit_runs", "params:audit"],
                ["audit", "table_audit", "figure_audit_auc", "figure_audit_accuracy"],
                name="summarise_audit",
            ),
        ]
    )
