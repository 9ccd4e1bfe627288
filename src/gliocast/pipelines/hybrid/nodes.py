"""Nodes of the hybrid pipeline."""

from __future__ import annotations

import logging

from gliocast.cohort.parameters import CohortParameters
from gliocast.cohort.partition_json import partition_sha256
from gliocast.evidence.guard import WATERMARK
from gliocast.hybrid import bundle, fit, image_features, image_scores
from gliocast.hybrid.fitted import FittedModels
from gliocast.hybrid.image_features import FeatureModel
from gliocast.hybrid.parameters import HybridParameters
from gliocast.imaging.parameters import SliceParameters
from gliocast.model.ensemble import Ensemble
from gliocast.progress import steps
from gliocast.types import ImageScoreKind, Partition, ProtocolName, Scores, Table

logger = logging.getLogger(__name__)
BUNDLE_IS_HONEST = (
    "So it is with the results of this run; the models in this bundle were fitted on training patients alone."
)
NO_SCORE = {
    "cnn": "no nine slices of the patient could be scored",
    "features": "the image features have no row of the patient, or an empty one",
    "none": "image_score is none: images are not used",
}


def score_images(
    cnn_out_of_fold_scores: Scores,
    cnn_test_scores: Scores,
    image_features_table: Table,
    training_cohort: Table,
    partition: Partition,
    image_score: ImageScoreKind,
    hybrid: HybridParameters,
    seed: int,
) -> tuple[Scores, Table, tuple[FeatureModel, ...]]:
    """Every patient's image score from a model that has never seen them, who has none, and the models of features."""
    models: tuple[FeatureModel, ...] = ()
    scores = image_scores.no_scores()
    if image_score == "cnn":
        scores = image_scores.joined(cnn_out_of_fold_scores, cnn_test_scores)
    if image_score == "features":
        table = image_features_table
        scores, models = image_features.score_features(table, training_cohort, partition, hybrid.features, seed)
    gaps = image_scores.gaps(scores, partition, NO_SCORE[image_score])
    if image_score != "none" and len(gaps):
        logger.warning("%d patients have no image score: %s.", gaps["patient_id"].nunique(), NO_SCORE[image_score])
    return scores, gaps, models


def fit_models(
    training_cohort: Table,
    image_scores: Scores,
    partition: Partition,
    hybrid: HybridParameters,
    image_score: ImageScoreKind,
    seed: int,
) -> tuple[FittedModels, Scores, Table]:
    """The compared models, what they say of training patients out of fold, and how each classifier was chosen."""
    total = len(partition.splits) * len(fit.fitted_names(image_score, hybrid))
    with steps("Fitting", total) as report:
        fitting = fit.fit_models(training_cohort, image_scores, partition, hybrid, image_score, seed, report)
    return fitting.models, fitting.out_of_fold, fitting.selections


def build_bundle(
    cnn_ensemble: Ensemble,
    image_feature_models: tuple[FeatureModel, ...],
    fitted_models: FittedModels,
    training_cohort: Table,
    image_scores: Scores,
    partition: Partition,
    cohort: CohortParameters,
    slices: SliceParameters,
    hybrid: HybridParameters,
    image_score: ImageScoreKind,
    protocol: ProtocolName,
) -> bundle.Bundle:
    """Everything that inference needs, without the patients; its models are fitted honestly under either protocol."""
    sections = {"cohort": cohort, "slices": slices, "hybrid": hybrid}
    record = {
        "image_score": image_score,
        "protocol": protocol,
        **({"watermark": f"{WATERMARK} {BUNDLE_IS_HONEST}"} if protocol == "paper" else {}),
        "partition_sha256": partition_sha256(partition),
        "parameters": {name: section.model_dump(mode="json") for name, section in sections.items()},
    }
    return bundle.build_bundle(cnn_ensemble, image_feature_models, fitted_models, training_cohort, image_scores, record)


def score_test_patients(
    fitted_models: FittedModels, test_predictors: Table, image_scores: Scores, partition: Partition
) -> Scores:
    """What every model says of the test patients; their outcomes are not at hand here."""
    return fitted_models.score(test_predictors, image_scores, partition)
