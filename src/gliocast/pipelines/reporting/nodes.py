"""Nodes of the reporting pipeline: what the stages found becomes `metrics.json` and one page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gliocast.cohort import flow, study
from gliocast.cohort.parameters import CohortParameters
from gliocast.persistence.fingerprints import sha256_of_bytes, sha256_of_value
from gliocast.persistence.provenance import describe_run
from gliocast.reporting import page
from gliocast.reporting.metrics import cnn_stage, compile_results, protocol_facts
from gliocast.types import Partition, ProtocolName, Scores


def compile_metrics(
    cohort: pd.DataFrame,
    cohort_exclusions: pd.DataFrame,
    cohort_parameters: CohortParameters,
    protocol: ProtocolName,
    seed: int,
    rule_results: Mapping[str, Any],
    surgery_survival: Mapping[str, Any],
    study_cohort: pd.DataFrame | None = None,
    exclusions: pd.DataFrame | None = None,
    partition: Partition | None = None,
    cnn_test_scores: Scores | None = None,
    cnn_results: Mapping[str, Any] | None = None,
    predictions: Scores | None = None,
    model_results: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`metrics.json` from whatever stages this run has."""
    if study_cohort is None or exclusions is None or partition is None:
        study_cohort, left_out = separated(cohort, cohort_parameters)
        exclusions = pd.concat([cohort_exclusions, left_out], ignore_index=True)
        threshold_days: float = cohort_parameters.survival_threshold_days
    else:
        threshold_days = study.threshold_days(study_cohort, partition, cohort_parameters)
        study_cohort = study.with_outcomes(study_cohort, partition, cohort_parameters)
    counts = flow.cohort_counts(study_cohort, exclusions) | {"survival_threshold_days": threshold_days}
    facts = protocol_facts(protocol, seed, partition, predictions or cnn_test_scores)
    cnn = cnn_stage(cnn_results, protocol, is_final=model_results is None)
    baseline = {"rules": rule_results, "statistics": surgery_survival["tests"]}
    stages = [baseline, cnn, model_results or {}]
    if protocol == "paper":  # its test patients are those of the first split alone, or drawn anew
        facts |= (model_results or cnn).get("protocol", {})
    return compile_results(counts, facts, stages)


def separated(cohort: pd.DataFrame, parameters: CohortParameters) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The patients with a known outcome, and the record of the others: all that a run without images leaves out."""
    left_out = study.without_outcome(cohort, parameters)
    return cohort[~cohort["patient_id"].isin(left_out["patient_id"])], left_out


def record_provenance(
    parameters: Mapping[str, Any],
    metrics: Mapping[str, Any],
    clinical_table: str | pd.DataFrame,
    simulation_record: Mapping[str, Any],
    image_features: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Versions, code, parameters and data behind `metrics`; `simulated` where the clinical table is our own."""
    text = clinical_table if isinstance(clinical_table, str) else clinical_table.to_csv(index=False)
    clinical_sha256 = sha256_of_bytes(text.encode())
    fingerprints = {"clinical_table": clinical_sha256, "metrics": sha256_of_value(metrics)}
    if image_features is not None and parameters.get("image_score") == "features":
        fingerprints["image_features"] = sha256_of_bytes(image_features.to_csv(index=False).encode())
    simulated = clinical_sha256 == simulation_record.get("clinical_sha256")
    return {"simulated": simulated, **describe_run(parameters, fingerprints)}


def describe_flow(
    cohort: pd.DataFrame,
    cohort_exclusions: pd.DataFrame,
    cohort_notes: Mapping[str, Any],
    cohort_parameters: CohortParameters,
) -> dict[str, Any]:
    """The patient flow of a run without images: that of the clinical table."""
    study_cohort, left_out = separated(cohort, cohort_parameters)
    everyone = pd.concat([cohort_exclusions, left_out], ignore_index=True)
    return flow.patient_flow(cohort, study_cohort, everyone, {**cohort_notes}, "none")


def write_report(
    metrics: Mapping[str, Any],
    patient_flow: Mapping[str, Any],
    provenance: Mapping[str, Any],
    paper: Mapping[str, Any],
    **exhibits: Any,
) -> str:
    """The self-contained page."""
    return page.build_report(metrics, patient_flow, provenance, exhibits, paper)
