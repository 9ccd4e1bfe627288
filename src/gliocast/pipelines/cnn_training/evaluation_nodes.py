"""Nodes of the cnn_training pipeline that evaluate: they open the outcomes of the test patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gliocast.evidence.classification import confusion, performance
from gliocast.evidence.guard import WATERMARK, check_unseen
from gliocast.evidence.intervals import estimate
from gliocast.evidence.metrics import CELLS, area_within
from gliocast.evidence.parameters import EvidenceParameters
from gliocast.evidence.surgery import measure_row, rule_table
from gliocast.model.ensemble import Ensemble
from gliocast.model.parameters import ModelParameters
from gliocast.model.pictures import slice_picture
from gliocast.model.stacks import SliceStacks
from gliocast.pipelines.cnn_training.nodes import not_asked
from gliocast.reporting import figures
from gliocast.reporting.formatting import tested
from gliocast.reporting.prose import POOLED
from gliocast.types import LONG_TERM, NO_FIGURE, PATIENT_LEVEL, Figure, ImageScoreKind, Partition, Scores, Table

DECISION = 0.5  # one sigmoid, one half: section 2.3


def evaluate_cnn(
    cnn_test_scores: Scores,
    cnn_out_of_fold_scores: Scores,
    cnn_paper_scores: Scores,
    test_outcomes: pd.DataFrame,
    training_cohort: pd.DataFrame,
    paper: Mapping[str, Any],
    evidence: EvidenceParameters,
    image_score: ImageScoreKind,
    seed: int,
) -> tuple[dict[str, Any], Table]:
    """Performance on test patients at both levels, out-of-fold beside it, and Table 3 beside the paper's.

    Returns:
        `models.cnn.patient`, `models.cnn.slice`, `out_of_fold`, `paper_protocol`; and the table.
    """
    if image_score != "cnn":
        return {"skipped": not_asked(image_score)}, pd.DataFrame()
    check_unseen(cnn_test_scores)
    check_unseen(cnn_out_of_fold_scores)
    trained_on = outcomes_of(training_cohort)
    levels = both_levels(with_outcome(cnn_test_scores, outcomes_of(test_outcomes)), evidence, seed)
    results = {
        "models": {"cnn": levels},
        "out_of_fold": both_levels(with_outcome(cnn_out_of_fold_scores, trained_on), evidence, seed),
        "paper_protocol": paper_levels(cnn_paper_scores, trained_on, outcomes_of(test_outcomes), evidence, seed),
    }
    return results, table3(levels, paper["table3"])


def draw_cnn(
    cnn_test_scores: Scores, test_outcomes: pd.DataFrame, cnn_learning_curves: Table, image_score: ImageScoreKind
) -> tuple[Figure, Figure, Figure, Figure]:
    """Figure 3 (ROC curve and confusion matrix), the predicted probabilities, and the learning curves."""
    if image_score != "cnn":
        return NO_FIGURE, NO_FIGURE, NO_FIGURE, NO_FIGURE
    scored = with_outcome(cnn_test_scores, outcomes_of(test_outcomes))
    patients = scored[scored["slice"] == PATIENT_LEVEL]
    counts = confusion(*answers(patients))
    cells = {name: counts[name] for name in CELLS}
    n_patients, several = patients["patient_id"].nunique(), len(set(patients["split"])) > 1
    whose = f"of the CNN, {tested(len(patients), n_patients)}"
    counted = "patients" if len(patients) == n_patients else "predictions"
    curves, aucs = roc_curves({"patient": patients, "slice": scored[scored["slice"] != PATIENT_LEVEL]})
    return (
        figures.roc(curves, aucs, title=f"ROC curve of the CNN, {n_patients} test patients{POOLED if several else ''}"),
        figures.confusion(**cells, title=f"Confusion matrix {whose}, at a probability of 0.5"),
        figures.probability_histogram(
            patients[["outcome", "probability"]], f"Predicted probabilities {whose}", counted
        ),
        figures.learning_curves(cnn_learning_curves[cnn_learning_curves["split"] != "paper"]),
    )


def show_predictions(
    cnn_test_scores: Scores,
    test_outcomes: pd.DataFrame,
    slice_stacks: SliceStacks,
    model: ModelParameters,
    image_score: ImageScoreKind,
) -> Figure:
    """Figure 2: central slices of test patients, correctly and wrongly classed."""
    if image_score != "cnn" or not model.explained_patients:
        return NO_FIGURE
    shown = examples(with_outcome(cnn_test_scores, outcomes_of(test_outcomes)), model.explained_patients)
    stacks = slice_stacks.load(tuple(shown["patient_id"]))
    pictures = [slice_picture(stack[len(stack) // 2]) for stack in stacks]
    return figures.image_panel(pictures, [caption(row) for row in shown.itertuples()])


def explain_predictions(
    cnn_ensemble: Ensemble,
    cnn_test_scores: Scores,
    test_outcomes: pd.DataFrame,
    slice_stacks: SliceStacks,
    partition: Partition,
    model: ModelParameters,
    image_score: ImageScoreKind,
) -> Figure:
    """Grad-CAM over the slices of the test patients that the networks classed most surely, right and wrong."""
    from gliocast.model.saliency import NoFeatureMapError, ensemble_saliency

    split, title = partition.splits[0], "Where the networks look (Grad-CAM); colour speaks for long-term survival"
    if image_score != "cnn" or not model.explained_patients:
        return NO_FIGURE
    scored = with_outcome(cnn_test_scores, outcomes_of(test_outcomes))
    shown = examples(scored[scored["split"] == split.name], 1)
    stacks = slice_stacks.load(tuple(shown["patient_id"]))
    try:
        maps = ensemble_saliency(cnn_ensemble, stacks, split.name)
    except NoFeatureMapError:
        return figures.unshown(
            title, f"{model.backbone} has no feature maps to look at, as networks of tokens have none"
        )
    pictures = [
        slice_picture(*pair) for patient in zip(stacks, maps, strict=True) for pair in zip(*patient, strict=True)
    ]
    captions = [caption(row) if place == 0 else "" for row in shown.itertuples() for place in range(stacks.shape[1])]
    return figures.image_panel(pictures, captions, title, columns=stacks.shape[1])


def outcomes_of(cohort: pd.DataFrame) -> pd.Series:
    """Outcome by patient; patients without one are left out."""
    return cohort.set_index("patient_id")["outcome"].dropna()


def with_outcome(scores: Scores, outcome: pd.Series) -> pd.DataFrame:
    """The scores of patients with a known outcome, with it."""
    scored = scores.table[scores.table["patient_id"].isin(outcome.index)]
    return scored.assign(outcome=scored["patient_id"].map(outcome).astype("string"))


def answers(scored: pd.DataFrame) -> tuple[Any, Any]:
    """Which scores belong to long-term survivors, and which of them say so."""
    return (scored["outcome"] == LONG_TERM).to_numpy(bool), (scored["probability"] >= DECISION).to_numpy(bool)


def both_levels(scored: pd.DataFrame, evidence: EvidenceParameters, seed: int) -> dict[str, Any]:
    """Performance counted by patient and counted by slice; the interval of slices is over whole patients."""
    of_patients = scored["slice"] == PATIENT_LEVEL
    return {
        "patient": measured(scored[of_patients], evidence, seed),
        "slice": measured(scored[~of_patients], evidence, seed),
    }


def measured(scored: pd.DataFrame, evidence: EvidenceParameters, seed: int) -> dict[str, Any]:
    """Every measure of these scores, with its interval; what scores a patient ranks the patients that it scores, alone.

    That is one network out of fold, and a split's ensemble in the test.
    """
    outcome, predicted = answers(scored)
    probability = scored["probability"].to_numpy(float)
    patients, models = (scored[name].to_numpy(str) for name in ("patient_id", "model"))
    settings = (evidence.n_bootstrap, seed, patients, evidence.calibration_bins, models)
    return performance(outcome, probability, predicted, *settings)


def paper_levels(
    scores: Scores, trained_on: pd.Series, tested: pd.Series, evidence: EvidenceParameters, seed: int
) -> dict[str, Any]:
    """What the paper's network shows on patients it has seen, beside those it has not."""
    if scores.table.empty:
        return {"skipped": "model.paper_protocol is off"}
    outcome = pd.concat([trained_on, tested[~tested.index.isin(trained_on.index)]])
    scored = with_outcome(scores, outcome)
    levels = {str(role): both_levels(rows, evidence, seed) for role, rows in scored.groupby("role")}
    return {"watermark": WATERMARK, **levels}


def table3(levels: Mapping[str, Any], printed: Mapping[str, Any]) -> Table:
    """Table 3 at both levels; the paper's numbers are counted by slice."""
    by_level = {
        level: pd.concat([pd.DataFrame([measure_row("auc", found["auc"], printed["auc"])]), rule_table(found, printed)])
        for level, found in levels.items()
    }
    by_level["patient"]["paper"] = None
    return pd.concat([table.assign(level=level) for level, table in by_level.items()], ignore_index=True)


def roc_curves(levels: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, dict[str, float | None]]:
    """Points of the ROC curve, of all splits together, and area under it, within splits, at each level.

    There is no area where no split tests both outcomes.
    """
    from sklearn.metrics import roc_curve

    curves: list[pd.DataFrame] = []
    areas: dict[str, float | None] = {}
    for level, scored in levels.items():
        outcome, probability = answers(scored)[0], scored["probability"].to_numpy(float)
        if outcome.all() or not outcome.any():
            continue
        false_positive_rate, true_positive_rate, _ = roc_curve(outcome, probability)
        name = f"CNN by {level}"
        points = {"false_positive_rate": false_positive_rate, "true_positive_rate": true_positive_rate}
        curves.append(pd.DataFrame(points | {"model": name}))
        areas[name] = estimate(area_within(scored["split"].to_numpy(str), outcome, probability))["value"]
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=["model"]), areas


def examples(scored: pd.DataFrame, each: int) -> pd.DataFrame:
    """For each outcome, the `each` patients that the network classed most surely right, and most surely wrong."""
    patients = scored[scored["slice"] == PATIENT_LEVEL].drop_duplicates("patient_id")
    outcome, predicted = answers(patients)
    sure = (patients["probability"] - DECISION).abs()
    patients = patients.assign(correct=outcome == predicted, sure=sure).sort_values("sure", ascending=False)
    ranked = patients.groupby(["outcome", "correct"], sort=False).head(each)
    return ranked.sort_values(["outcome", "correct", "sure"], ascending=[True, False, False])


def caption(row: Any) -> str:
    """What a picture of Figure 2 says; never who it is."""
    verdict = "correct" if row.correct else "wrong"
    return f"{row.outcome.replace('_', '-')} survivor, {verdict}<br>probability of long-term {row.probability:.2f}"
