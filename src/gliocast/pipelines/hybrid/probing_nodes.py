"""Nodes of the hybrid pipeline that ask beyond the result: what the models listen to, and how steady they are."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pandas as pd

from gliocast.hybrid import explanations, fit, robustness
from gliocast.hybrid.fitted import CLINICAL, HYBRID, FittedModels, with_image_score
from gliocast.hybrid.parameters import HybridParameters
from gliocast.persistence.code import code_fingerprint
from gliocast.persistence.fingerprints import sha256_in_order
from gliocast.progress import steps
from gliocast.reporting import figures
from gliocast.reporting.figures import theme
from gliocast.types import NO_FIGURE, Figure, ImageScoreKind, Partition, Pieces, Scores, Table

# Parameters that no answer of the robustness depends on: a model's threshold is found after it was chosen and fitted.
WITHOUT_EFFECT: dict[str, Any] = {
    **dict.fromkeys(("workers", "threshold", "features", "paper_protocol"), True),
    "robustness": {"explained_patients"},
}


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
    n_patients = hybrid.robustness.explained_patients
    if n_patients == 0:
        return pd.DataFrame(columns=["name", "importance"]), NO_FIGURE
    split, name = partition.splits[0], fit.model_names(image_score)[-1]
    model = next(model for model in fitted_models.models if (model.split, model.name) == (split.name, name))
    scale = model.image_scale
    patients = with_image_score(training_cohort, split.name, split.training, image_scores, "out_of_fold", scale)
    shap = explanations.mean_absolute_shap(model, patients, n_patients, seed)
    chosen = theme.name_of(model.candidate.classifier if model.candidate else name)
    explained = f"{min(n_patients, len(patients))} of {len(patients)} training patients"
    title = f"What the {name} model listens to ({chosen}); {explained}"
    return shap, figures.bar(shap, title, "Mean absolute SHAP value (probability)")


def probe_robustness(
    training_cohort: Table,
    image_scores: Scores,
    partition: Partition,
    hybrid: HybridParameters,
    image_score: ImageScoreKind,
    seed: int,
    robustness_answers: Pieces,
) -> tuple[Table, Table, Table, Table, Figure]:
    """Ablation, learning curve, spread over repeats and classifiers chosen, in the first split's training patients.

    Goes on after the last answered question.
    """
    split, name = partition.splits[0], HYBRID if image_score != "none" else CLINICAL
    scale, facts = hybrid.image_scale, fit.facts_of(name, hybrid)
    patients = with_image_score(training_cohort, split.name, split.training, image_scores, "out_of_fold", scale)
    found = None
    if hybrid.robustness.repeats:
        with steps("Probing", robustness.n_questions(patients, facts, hybrid)) as report:
            depends_on = [patients.to_csv(index=False), facts, hybrid.model_dump(exclude=WITHOUT_EFFECT), seed]
            answered = _remembered(robustness_answers, [*depends_on, code_fingerprint(robustness.probe)], report)
            found = robustness.probe(patients, facts, hybrid, seed, answered)
    if found is None:
        return _nobody("left_out"), _nobody("n_fitted"), _nobody("measure"), _nobody("classifier"), NO_FIGURE
    points = found.learning_curve.assign(series=name)
    points = points.assign(x=points["n_fitted"], y=points["auc"])
    points = points.assign(lower=points["y"] - points["auc_sd"], upper=points["y"] + points["auc_sd"])
    title = "What more patients would bring"
    drawn = figures.dots(points, title, "Patients that a model learns from", "AUC ± SD over repeats")
    return found.ablation, found.learning_curve, found.spread, found.chosen, drawn


def _remembered(pieces: Pieces, depends_on: list[Any], report: Callable[[str], None]) -> robustness.Answered:
    """Answers that are kept as they are found, each announced before it is looked for."""
    key, numbers = sha256_in_order(depends_on), count()

    def answered(question: str, answer: Callable[[], Table]) -> Table:
        report(question)
        number = next(numbers)
        if (kept := pieces.load(key, number)) is not None:
            return kept
        found = answer()
        pieces.save(key, number, found)
        return found

    return answered


def _nobody(column: str) -> Table:
    """A table without rows, which the report does not show."""
    return pd.DataFrame(columns=[column])
