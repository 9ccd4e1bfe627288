"""The leakage gap: what the paper's protocol claims beyond what honest work finds, on the same patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from gliocast.evidence import metrics
from gliocast.evidence.bootstrap import as_clusters, bootstrap
from gliocast.evidence.intervals import as_columns
from gliocast.evidence.parameters import EvidenceParameters
from gliocast.hybrid.evaluate import answers, compared_tables, performance_of, ranking, splits_of, truth
from gliocast.types import Scores

MEASURES: dict[str, Callable[[pd.DataFrame, metrics.Weights], metrics.PerResample]] = {
    "accuracy": lambda table, weights: metrics.accuracy(metrics.counts(truth(table), answers(table), weights)),
    "sensitivity": lambda table, weights: metrics.sensitivity(metrics.counts(truth(table), answers(table), weights)),
    "specificity": lambda table, weights: metrics.specificity(metrics.counts(truth(table), answers(table), weights)),
    "auc": lambda table, weights: metrics.auc_within(splits_of(table))(truth(table), ranking(table), weights),
}


def leakage_gap(
    honest: Scores,
    paper: Scores,
    test_outcomes: pd.DataFrame,
    outcomes: pd.DataFrame,
    evidence: EvidenceParameters,
    seed: int,
) -> dict[str, Any]:
    """Each number under both protocols, and their difference.

    The interval of a difference is a bootstrap of patients, drawn once for both protocols: a patient whom both test is
    in both or in neither.

    Args:
        honest: predictions of the honest protocol.
        paper: predictions of the paper's protocol, on the same cohort.
        test_outcomes: of the honest test patients.
        outcomes: of everyone.
        evidence: number of bootstrap resamples.
        seed: of the bootstrap.

    Returns:
        model → measure → `honest`, `paper`, `difference`, each with its interval; and how many each protocol tests.
    """
    ours, theirs = compared_tables(honest, test_outcomes), compared_tables(paper, outcomes)
    return {name: _of_both(ours[name], theirs[name], evidence, seed) for name in theirs if name in ours}


def _of_both(ours: pd.DataFrame, theirs: pd.DataFrame, evidence: EvidenceParameters, seed: int) -> dict[str, Any]:
    honest, paper = (performance_of(table, evidence, seed) for table in (ours, theirs))
    return {
        name: {
            "n_honest": honest["n"],
            "honest": honest[name],
            "n_paper": paper["n"],
            "paper": paper[name],
            "difference": _difference(theirs, ours, measure, evidence.n_bootstrap, seed),
        }
        for name, measure in MEASURES.items()
    }


def gap_table(gap: Mapping[str, Any]) -> pd.DataFrame:
    """One row a model and measure: both values with their limits, the difference with its limits, the watermark."""
    rows = [
        {"model": model, "metric": name, **as_columns(found)}
        for model, measures in gap["models"].items()
        for name, found in measures.items()
    ]
    return pd.DataFrame(rows).assign(watermark=gap["watermark"])


def seen_table(gap: Mapping[str, Any]) -> pd.DataFrame:
    """How many of the paper protocol's test patients each stage had seen, with the watermark."""
    same = {"n_test_patients": gap["n_test_patients"], "watermark": gap["watermark"]}
    return pd.DataFrame([{"stage": stage, "n_seen": seen, **same} for stage, seen in gap["seen"].items()])


def _difference(
    paper: pd.DataFrame,
    honest: pd.DataFrame,
    measure: Callable[[pd.DataFrame, metrics.Weights], metrics.PerResample],
    n_bootstrap: int,
    seed: int,
) -> dict[str, Any]:
    n = len(paper)
    clusters = as_clusters(np.concatenate([paper["patient_id"].to_numpy(str), honest["patient_id"].to_numpy(str)]), 0)

    def difference(weights: metrics.Weights) -> metrics.PerResample:
        return measure(paper, weights[:, :n]) - measure(honest, weights[:, n:])

    return dict(bootstrap(difference, clusters, n_bootstrap, seed))
