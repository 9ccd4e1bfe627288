"""The bundle: everything that inference needs, and no patient's name.

Nearest neighbours, and support vector classifiers with another kernel than the linear one, cannot be used without rows
that they were fitted on. Where one of them was chosen, the bundle says so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from gliocast.evidence.guard import fingerprint_of_patients
from gliocast.hybrid.classifiers import keeps_rows
from gliocast.hybrid.fitted import FittedModels, with_image_score
from gliocast.hybrid.image_features import FeatureModel, score_new
from gliocast.hybrid.image_scores import ImageScale, joined, no_scores
from gliocast.hybrid.new_patients import known_of, refuse_numbers, refuse_strangers, refuse_unfit, unlike
from gliocast.hybrid.parameters import FeatureParameters
from gliocast.types import LONG_TERM, Fold, Partition, Scores, Split

log = logging.getLogger(__name__)
HOLDS_ROWS = (
    "The bundle holds training patients' predictors and outcomes, without names, as part of %s. For one that may leave "
    "the house, leave k_neighbours and the kernels but the linear one of svc out (hybrid.classifiers, hybrid.grids)."
)
BOUNDED_ON: ImageScale = "logit"  # it tells apart what as a probability is all but 0 or 1
RESEARCH_USE = "Research use only; not a medical device."


@dataclass(frozen=True)
class Bundle:
    """The image models, the fitted models, and what must be known to use them.

    Attributes:
        image_model: the networks' ensemble; empty where no network was trained.
        feature_models: each split's model of precomputed image features; none unless `image_score` is `features`.
        models: the fitted models of every split.
        record: the positive class, the parameters, the fingerprints of the partition and of the patients fitted on,
            and what those patients were like.
        sha256: of all its parts; None of one that was never stored.
    """

    image_model: Any
    feature_models: tuple[FeatureModel, ...]
    models: FittedModels
    record: Mapping[str, Any]
    sha256: str | None = None

    def score(self, patients: pd.DataFrame, image_scores: Scores) -> pd.DataFrame:
        """What every model says of new patients: one row a split, model and patient, as of `FittedModels.score`.

        A model does not answer for a patient unlike all whom it has learnt from: `unlike_training` names the
        predictors, and there is no probability. Nor does a model that reads images answer for a patient without an
        image score. `bundle_sha256`, `fitted_on_sha256` and `use` go with every answer.

        Args:
            patients: one row a patient: `patient_id` and the predictors.
            image_scores: by every split's image model, role `test`: of `score_images`; of `score_patients` with the
                networks; or nobody's.

        Raises:
            CohortError: patients that are not told apart, lack a column, or hold what no patient can have; image
                scores of other spellings, or of nobody who is asked about. All problems of each kind at once.
        """
        ranges = self.record.get("parameters", {}).get("cohort", {}).get("ranges", {})
        refuse_unfit(patients, self.models, ranges)
        everyone = tuple(patients["patient_id"])
        names = dict.fromkeys(model.split for model in self.models.models)
        scores = joined(image_scores)
        refuse_strangers(everyone, names, scores)
        splits = tuple(Split(name, everyone, ()) for name in names)
        new = Partition("new", 0, splits, Fold((), (), ()))
        read = {name: with_image_score(patients, name, everyone, scores, "test", BOUNDED_ON) for name in names}
        return self._within_bounds(self.models.score(patients, scores, new).table, read)

    def _within_bounds(self, answers: pd.DataFrame, read: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        """The answers, without those that no model can vouch for, and with what they come from."""
        known, fitted_on = self.record.get("known", {}), self.record.get("fitted_on_sha256", {})
        strange = {
            model.key: unlike(read[model.split], known[model.key]).set_axis(read[model.split]["patient_id"])
            for model in self.models.models
            if model.key in known
        }
        names = [
            strange[key].loc[who] if key in strange else ""
            for key, who in zip(answers["model"], answers["patient_id"], strict=True)
        ]
        marked = answers.assign(predicted=answers["predicted"].astype("boolean"), unlike_training=names)
        unanswered = (marked["unlike_training"] != "") | marked["image_score_missing"]
        marked.loc[unanswered, ["probability", "logit", "predicted"]] = None
        return marked.assign(
            bundle_sha256=self.sha256, fitted_on_sha256=marked["model"].map(fitted_on), use=RESEARCH_USE
        )

    def score_images(self, image_features: pd.DataFrame) -> Scores:
        """New patients' image scores from their precomputed features; nobody's where the bundle reads none.

        Args:
            image_features: one row a scan, with the columns that the models were fitted on.

        Raises:
            ConfigurationError: a feature is absent.
            CohortError: identifiers that were read as numbers, or several rows of one patient.
        """
        if not self.feature_models:
            return no_scores()
        features = FeatureParameters.model_validate(self.record["parameters"]["hybrid"]["features"])
        refuse_numbers(image_features, features.id_column)
        return score_new(self.feature_models, image_features, features)


def build_bundle(
    image_model: Any,
    feature_models: Sequence[FeatureModel],
    models: FittedModels,
    training: pd.DataFrame,
    image_scores: Scores,
    record: Mapping[str, Any],
) -> Bundle:
    """Put the parts together; the patients that they were fitted on are replaced by their fingerprint.

    Args:
        image_model: with `members`, each with `fitted_on`.
        feature_models: the models of image features.
        models: the fitted models.
        training: predictors of everyone whom a model was fitted on.
        image_scores: the image scores that the models were fitted on, role `out_of_fold`.
        record: parameters and fingerprints of the run.
    """
    holding = [
        model.key
        for model in models.models
        if model.candidate and keeps_rows(model.candidate.classifier, model.candidate.settings)
    ]
    if holding:
        log.warning(HOLDS_ROWS, ", ".join(holding))
    fitted_on = {model.key: fingerprint_of_patients(model.fitted_on) for model in models.models}
    known = {
        model.key: known_of(
            with_image_score(training, model.split, model.fitted_on, image_scores, "out_of_fold", BOUNDED_ON),
            model.facts,
        )
        for model in models.models
    }
    facts = {
        "positive_class": LONG_TERM,
        "use": RESEARCH_USE,
        "fitted_on_sha256": fitted_on,
        "known": known,
        "keep_rows_of_patients": holding,
    }
    return Bundle(
        replace(image_model, members=tuple(replace(member, fitted_on=()) for member in image_model.members)),
        tuple(replace(model, fitted_on=()) for model in feature_models),
        FittedModels(tuple(replace(model, fitted_on=()) for model in models.models)),
        {**record, **facts},
    )
