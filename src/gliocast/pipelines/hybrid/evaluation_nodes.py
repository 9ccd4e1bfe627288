"""Nodes of the hybrid pipeline that hold predictions against outcomes, and the paper's protocol beside them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd

from gliocast.errors import ConfigurationError, Problem, TrainingError
from gliocast.evidence.guard import WATERMARK, seen_in_training
from gliocast.evidence.metrics import CELLS
from gliocast.evidence.parameters import EvidenceParameters
from gliocast.hybrid import evaluate, image_features, image_scores, leakage_gap, paper_protocol
from gliocast.hybrid.parameters import HybridParameters
from gliocast.reporting import figures
from gliocast.reporting.formatting import tested
from gliocast.reporting.paper import table4
from gliocast.reporting.prose import POOLED
from gliocast.types import NO_FIGURE, Figure, ImageScoreKind, Partition, ProtocolName, Scores, Table

_log = logging.getLogger(__name__)
CLAIMED = "What the paper's protocol would have claimed on these patients"
NO_CHOICE = "the paper's protocol drew training patients among whom no classifier can be chosen"
SKIPPED = "the image model of the paper's protocol was not trained (model.paper_protocol is off)"


def follow_paper_protocol(
    training_cohort: Table,
    test_predictors: Table,
    test_outcomes: Table,
    cnn_paper_scores: Scores,
    image_features_table: Table,
    partition: Partition,
    hybrid: HybridParameters,
    image_score: ImageScoreKind,
    protocol: ProtocolName,
    seed: int,
) -> tuple[Scores, dict[str, Any]]:
    """The paper's protocol on the same cohort, for comparison only: its predictions, and whom each stage had seen.

    It draws its patients whatever their outcome, and may draw too few of one: that ends no honest run.
    """
    cohort = everyone(training_cohort, test_predictors, test_outcomes)
    scores = image_scores.joined(cnn_paper_scores)
    if image_score == "cnn" and scores.table.empty:
        return _not_followed(protocol)
    try:
        if image_score == "features":
            args = (image_features_table, cohort, partition, hybrid.features, seed)
            scores = image_features.score_features_as_paper(*args)
        predictions, record = paper_protocol.follow_paper(cohort, scores, partition, hybrid, image_score, seed)
    except TrainingError as error:
        if protocol == "paper":
            raise
        reason = f"{NO_CHOICE} ({error.problems[0].found})"
        _log.warning("No leakage gap is shown: %s.", reason)
        return image_scores.no_scores(), {"skipped": reason}
    return predictions, {"watermark": WATERMARK, **record}


def evaluate_models(
    predictions: Scores,
    paper_predictions: Scores,
    test_outcomes: Table,
    training_cohort: Table,
    protocol: ProtocolName,
    evidence: EvidenceParameters,
    paper: Mapping[str, Any],
    seed: int,
) -> tuple[dict[str, Any], Table, Figure, Figure]:
    """The models' part of `metrics.json`, Table 4, and the ROC curves and confusion matrix of Figure 4."""
    if protocol == "honest":
        results = evaluate.evaluate(predictions, test_outcomes, evidence, seed)
        drawn, outcomes, watermark = predictions, test_outcomes, None
    else:
        outcomes = outcomes_of_everyone(training_cohort, test_outcomes)
        results = evaluate.measure(paper_predictions, outcomes, evidence, seed)
        drawn, watermark = paper_predictions, WATERMARK
    n_test_patients = drawn.table["patient_id"].nunique()
    facts = {"n_test_patients": n_test_patients, "n_test_patients_seen_in_training": len(seen_in_training(drawn))}
    curves, matrix = _figure4(results["models"], drawn, outcomes, watermark)
    table = table4(results["models"], paper)
    marked = table.assign(watermark=watermark) if watermark else table
    return {**results, "protocol": facts, "watermark": watermark}, marked, curves, matrix


def compare_protocols(
    predictions: Scores,
    paper_predictions: Scores,
    paper_protocol_record: Mapping[str, Any],
    test_outcomes: Table,
    training_cohort: Table,
    evidence: EvidenceParameters,
    seed: int,
) -> tuple[dict[str, Any], Table, Table, Figure]:
    """The leakage gap: each number under both protocols, the difference, and who had been seen by what."""
    if paper_predictions.table.empty:
        nothing, nobody = pd.DataFrame(columns=["model"]), pd.DataFrame(columns=["stage"])
        return dict(paper_protocol_record), nothing, nobody, NO_FIGURE
    outcomes = outcomes_of_everyone(training_cohort, test_outcomes)
    models = leakage_gap.leakage_gap(predictions, paper_predictions, test_outcomes, outcomes, evidence, seed)
    gap = {**paper_protocol_record, "models": models}
    table = leakage_gap.gap_table(gap)
    best = "hybrid" if "hybrid" in models else "clinical"
    drawn = figures.leakage_gap(table[table["model"] == best], f"{CLAIMED}: the {best} model. {WATERMARK}")
    return gap, table, leakage_gap.seen_table(gap), drawn


def everyone(training_cohort: Table, test_predictors: Table, test_outcomes: Table) -> Table:
    """All patients with their outcomes, as only the paper's protocol may see them; each once, by identifier."""
    tested = test_predictors.merge(test_outcomes, on="patient_id")
    both = pd.concat([training_cohort, tested[training_cohort.columns.intersection(tested.columns)]])
    return both.drop_duplicates("patient_id").sort_values("patient_id", ignore_index=True)


def outcomes_of_everyone(training_cohort: Table, test_outcomes: Table) -> Table:
    """`patient_id` and `outcome` of all patients."""
    columns = ["patient_id", "outcome"]
    return pd.concat([training_cohort[columns], test_outcomes[columns]]).drop_duplicates("patient_id")


def _not_followed(protocol: ProtocolName) -> tuple[Scores, dict[str, Any]]:
    if protocol == "paper":
        raise ConfigurationError(
            Problem(
                "–", "model.paper_protocol", "off", "on, since protocol is paper", "Set model.paper_protocol to true."
            )
        )
    return image_scores.no_scores(), {"skipped": SKIPPED}


def _figure4(
    models: Mapping[str, Any], predictions: Scores, outcomes: Table, watermark: str | None
) -> tuple[Figure, Figure]:
    best = "hybrid" if "hybrid" in models else "clinical"
    mark = f". {watermark}" if watermark else ""
    several = len(set(predictions.table["split"])) > 1
    n_patients = predictions.table["patient_id"].nunique()
    title = f"ROC curves, {n_patients} test patients{POOLED if several else ''}{mark}"
    areas = {name: levels["patient"]["auc"]["value"] for name, levels in models.items()}
    curves = figures.roc(evaluate.roc_points(evaluate.drawn(predictions), outcomes), areas, title)
    cells = {cell: models[best]["patient"][cell] for cell in CELLS}
    counted = tested(models[best]["patient"]["n"], n_patients)
    return curves, figures.confusion(**cells, title=f"Confusion matrix of the {best} model, {counted}{mark}")
