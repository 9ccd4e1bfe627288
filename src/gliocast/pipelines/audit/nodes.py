"""Nodes of the audit pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gliocast.evidence import audit_summary
from gliocast.evidence.audit import audit_chunk, audit_chunks_in_parallel, n_chunks
from gliocast.evidence.parameters import AuditParameters
from gliocast.persistence.code import code_fingerprint
from gliocast.persistence.fingerprints import sha256_in_order
from gliocast.reporting import figures
from gliocast.types import Choice, Figure, Pieces, Table


def simulate_cohorts(
    paper: Mapping[str, Any], audit: AuditParameters, choice: Choice, seed: int, audit_chunks: Pieces
) -> Table:
    """Every cohort through every scenario; goes on after the last finished piece."""
    table1 = paper["table1"]
    key = sha256_in_order([audit.model_dump(exclude={"workers"}), table1, choice, seed, code_fingerprint(audit_chunk)])
    finished = {chunk: runs for chunk in range(n_chunks(audit)) if (runs := audit_chunks.load(key, chunk)) is not None}
    missing = [chunk for chunk in range(n_chunks(audit)) if chunk not in finished]
    for chunk, runs in audit_chunks_in_parallel(table1, audit, choice, seed, missing):
        audit_chunks.save(key, chunk, runs)
        finished[chunk] = runs
    return pd.concat([finished[chunk] for chunk in sorted(finished)], ignore_index=True)


def summarise_audit(audit_runs: pd.DataFrame, audit: AuditParameters) -> tuple[dict[str, Any], Table, Figure, Figure]:
    """`audit.json`, the printable table, and claims against truth as figures."""
    results = audit_summary.summarise(audit_runs, audit.n_patients)
    scenarios = pd.DataFrame(results["scenarios"])
    table = audit_summary.printable(audit_runs)
    return results, table, figures.audit(scenarios, "auc"), figures.audit(scenarios, "accuracy")
