"""Nodes of the hybrid pipeline that ask beyond the result: what the models listen to, and how steady they are."""

from __future__ import annotations

import pandas as pd

from gliocast.evidence.parameters import EvidenceParameters
from gliocast.hybrid import evaluate, explanations, fit, robustness
from gliocast.hybrid.fitted import CLINICAL, HYBRID, FittedModels, with_image_score
from gliocast.hybrid.parameters import HybridParameters
from gliocast.progress import steps
from gliocast.types import Figure, ImageScoreKind, Partition, Scores, Table

NOTHING: Figure = {"data": [], "layout": {}}


def compare_prediction_times(
    predictions: Scores, test_outcomes: Table, evidence: EvidenceParameters, seed: int
) -> Table:
    """The learnt models beside the same models on what is known before the operation."""
    return evaluate.prediction_times(predictions, test_outcomes, evidence, seed)


def explain_models(
    fitted_models: FittedModels,
    training_cohort: Table,
    image_scores: Scores,
    partition: Partition,
    hybrid: HybridParameters,
    image_score: ImageScoreKind,
    seed: int,
) -> tuple[Table, Figure]:
    """Mean absolute SHAP values of the best-informed model of the first split, over its training patients."""
    from gliocast.reporting import figures

    n_patients = hybrid.robustness.explained_patients
    if n_patients == 0:
        return pd.DataFrame(columns=["name", "importance"]), NOTHING
    split, name = partition.splits[0], fit.model_names(image_score)[-1]
    model = next(model for model in fitted_models.models if (model.split, model.name) == (split.name, name))
    scale = model.image_scale
    patients = with_image_score(training_cohort, split, split.training, image_scores, "out_of_fold", scale)
    shap = explanations.mean_absolute_shap(model, patients, n_patients, seed)
    chosen = model.candidate.classifier.replace("_", " ") if model.candidate else name
    title = f"What the {name} model listens to ({chosen})"
    return shap, figures.bar(shap, title, "Mean absolute SHAP value (probability)")


def probe_robustness(
    training_cohort: Table,
    image_scores: Scores,
    partition: Partition,
    hybrid: HybridParameters,
    image_score: ImageScoreKind,
    seed: int,
) -> tuple[Table, Table, Table, Table, Figure]:
    """Ablation, learning curve, spread over repeats and classifiers chosen, in the first split's training patients."""
    from gliocast.reporting import figures

    split, name = partition.splits[0], HYBRID if image_score != "none" else CLINICAL
    scale, facts = hybrid.image_scale, fit.facts_of(name, hybrid)
    patients = with_image_score(training_cohort, split, split.training, image_scores, "out_of_fold", scale)
    found = None
    if hybrid.robustness.repeats:
        with steps("Probing", robustness.n_questions(patients, facts, hybrid)) as report:
            found = robustness.probe(patients, facts, hybrid, seed, report)
    if found is None:
        return _nobody("left_out"), _nobody("n_fitted"), _nobody("measure"), _nobody("classifier"), NOTHING
    points = found.learning_curve.assign(series=name)
    points = points.assign(x=points["n_fitted"], y=points["auc"])
    points = points.assign(lower=points["y"] - points["auc_sd"], upper=points["y"] + points["auc_sd"])
    title = "What more patients would bring"
    drawn = figures.dots(points, title, "Patients that a model learns from", "AUC ± SD over repeats")
    return found.ablation, found.learning_curve, found.spread, found.chosen, drawn


def _nobody(column: str) -> Table:
    """A table without rows, which the report does not show."""
    return pd.DataFrame(columns=[column])
