"""Nodes of the reporting pipeline: what the stages found becomes `metrics.json` and one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gliocast.cohort.parameters import CohortParameters
from gliocast.persistence.fingerprints import sha256_of_bytes, sha256_of_value
from gliocast.persistence.provenance import describe_run
from gliocast.reporting import compilation, flow, page
from gliocast.types import Partition, ProtocolName, Scores


def compile_metrics(
    cohort: pd.DataFrame,
    cohort_exclusions: pd.DataFrame,
    cohort_parameters: CohortParameters,
    protocol: ProtocolName,
    seed: int,
    baseline_results: Mapping[str, Any],
    study_cohort: pd.DataFrame | None = None,
    partition: Partition | None = None,
    cnn_test_scores: Scores | None = None,
    cnn_results: Mapping[str, Any] | None = None,
    predictions: Scores | None = None,
    model_results: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`metrics.json` from whatever stages this run has."""
    counts = compilation.cohort_counts(cohort, len(cohort_exclusions), cohort_parameters.survival_threshold_days)
    facts = compilation.protocol_facts(protocol, seed, partition, predictions or cnn_test_scores)
    stages = [stage for stage in (baseline_results, cnn_results, model_results) if stage]
    return compilation.compile_results(counts, facts, stages)


def record_provenance(
    parameters: Mapping[str, Any],
    metrics: Mapping[str, Any],
    clinical_table: str | pd.DataFrame,
    simulation_record: Mapping[str, Any],
) -> dict[str, Any]:
    """Versions, code, parameters and data behind `metrics`; `simulated` where the clinical table is our own."""
    text = clinical_table if isinstance(clinical_table, str) else clinical_table.to_csv(index=False)
    clinical_sha256 = sha256_of_bytes(text.encode())
    fingerprints = {"clinical_table": clinical_sha256, "metrics": sha256_of_value(metrics)}
    simulated = clinical_sha256 == simulation_record.get("clinical_sha256")
    return {"simulated": simulated, **describe_run(parameters, fingerprints)}


def write_report(
    metrics: Mapping[str, Any],
    provenance: Mapping[str, Any],
    paper: Mapping[str, Any],
    cohort: pd.DataFrame,
    cohort_exclusions: pd.DataFrame,
    patient_flow: Mapping[str, Any] | None = None,
    **exhibits: Any,
) -> str:
    """The self-contained page; the clinical table's own flow stands in where no images were asked for."""
    drawn = patient_flow or flow.flow_of_cohort(cohort, cohort_exclusions)
    return page.build_report(metrics, drawn, provenance, exhibits, paper)
