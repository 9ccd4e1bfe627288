"""Fitted models: what each has learnt, from whom, and what it says of a patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from gliocast.errors import CohortError, Problem, raise_if_any
from gliocast.evidence.guard import check_unseen
from gliocast.evidence.rules import surgery_rule
from gliocast.hybrid.features import IMAGE_SCORE, encode
from gliocast.hybrid.image_scores import ImageScale, image_score_of, score_rows
from gliocast.hybrid.parameters import PredictorFacts
from gliocast.hybrid.selection import Candidate, FittedPair
from gliocast.types import Partition, Role, Scores

MAJORITY, SURGERY_RULE, CLINICAL, HYBRID = "majority", "surgery_rule", "clinical", "hybrid"
PRE_OPERATIVE = "_pre_operative"  # ends the name of a model that reads only what is known before the operation
Facts: TypeAlias = dict[str, PredictorFacts]


@dataclass(frozen=True)
class FittedModel:
    """One of the compared models, fitted on the training patients of one split.

    Attributes:
        name: `majority`, `surgery_rule`, `clinical`, `cnn` or `image_features`, `hybrid`.
        facts: the predictors that it reads, in order.
        image_scale: the scale on which it reads the image score.
        prevalence: share of long-term survivors among its training patients: what it says of a patient it knows
            nothing of.
        threshold: the probability from which on it calls a patient a long-term survivor.
        fitted_on: every patient that it, or the image model beneath it, has learnt from.
        candidate: the chosen classifier; None for a rule.
        pair: its fit; None for a rule.
    """

    name: str
    split: str
    facts: Mapping[str, PredictorFacts]
    image_scale: ImageScale
    prevalence: float
    threshold: float
    fitted_on: tuple[str, ...]
    candidate: Candidate | None = None
    pair: FittedPair | None = None

    @property
    def key(self) -> str:
        """Its name among the models of all splits."""
        return f"{self.split}/{self.name}"

    def probability(self, patients: pd.DataFrame) -> Float[np.ndarray, " patients"]:
        """Probability of long-term survival; NaN from the surgery rule, which gives none.

        Args:
            patients: one row a patient: the predictors, and `image_score` on the model's scale.
        """
        if self.name == SURGERY_RULE:
            return np.full(len(patients), np.nan)
        if self.pair is not None:
            return self.pair.probability(encode(patients, dict(self.facts)))
        if IMAGE_SCORE in self.facts:
            return patients[IMAGE_SCORE].fillna(self.prevalence).to_numpy(dtype=np.float64)
        return np.full(len(patients), self.prevalence)

    def predicted(
        self, patients: pd.DataFrame, probability: Float[np.ndarray, " patients"]
    ) -> Bool[np.ndarray, " patients"]:
        """Whether each patient is called long-term; where the surgery is unknown, its rule follows the majority."""
        if self.name != SURGERY_RULE:
            return probability >= self.threshold
        unknown = patients["surgery"].isna().to_numpy(dtype=bool)
        return np.where(unknown, self.prevalence >= self.threshold, surgery_rule(patients["surgery"]))


@dataclass(frozen=True)
class FittedModels:
    """All models of all splits."""

    models: tuple[FittedModel, ...]

    def score(self, test_predictors: pd.DataFrame, image_scores: Scores, partition: Partition) -> Scores:
        """What every model says of its split's test patients, whose outcomes it is never given.

        Returns:
            scores whose table has, beside the usual columns, `name` (the model's), `predicted`, `threshold` and
            `image_score_missing`; one row a model, split and patient. `model` is the key of `fitted_on`.

        Raises:
            LeakageError: a model was fitted on a patient that it should be tested on.
        """
        rows = [
            prediction_rows(
                model,
                with_image_score(test_predictors, split.name, split.test, image_scores, "test", model.image_scale),
                "test",
            )
            for split in partition.splits
            for model in self.models
            if model.split == split.name
        ]
        scores = Scores(pd.concat(rows, ignore_index=True), {model.key: model.fitted_on for model in self.models})
        check_unseen(scores)
        return scores


def with_image_score(
    table: pd.DataFrame, split: str, patients: Sequence[str], image_scores: Scores, role: Role, scale: ImageScale
) -> pd.DataFrame:
    """These patients' rows in this order, with their `image_score` (NaN where there is none).

    Raises:
        CohortError: a patient of the partition is not in the table.
        LeakageError: an image score comes from a model that has seen the patient.
    """
    indexed = table.set_index("patient_id")
    raise_if_any([_unknown(patient) for patient in patients if patient not in indexed.index], CohortError)
    score = image_score_of(image_scores, split, patients, role, scale)
    return indexed.loc[list(patients)].reset_index().assign(**{IMAGE_SCORE: score.to_numpy()})


def prediction_rows(model: FittedModel, patients: pd.DataFrame, role: Role) -> pd.DataFrame:
    """One row a patient: what the model says."""
    probability = model.probability(patients)
    rows = score_rows(model.split, patients["patient_id"], role, model.key, probability)
    return rows.assign(
        name=model.name,
        predicted=model.predicted(patients, probability),
        threshold=model.threshold,
        image_score_missing=(patients[IMAGE_SCORE].isna() & (IMAGE_SCORE in model.facts)).to_numpy(),
    )


def _unknown(patient: str) -> Problem:
    return Problem(patient, "the cohort", "not in it", "every patient of the partition", "Draw the partition again.")
