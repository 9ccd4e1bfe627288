"""Fitting the compared models on the training patients of each split, and on nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from gliocast.errors import CohortError, Problem, TrainingError, raise_if_any
from gliocast.hybrid.classifiers import check_grids
from gliocast.hybrid.features import IMAGE_FACTS, IMAGE_SCORE, encode, outcome_codes
from gliocast.hybrid.fitted import (
    CLINICAL,
    HYBRID,
    MAJORITY,
    PRE_OPERATIVE,
    SURGERY_RULE,
    Facts,
    FittedModel,
    FittedModels,
    with_image_score,
)
from gliocast.hybrid.image_scores import joined, score_rows
from gliocast.hybrid.nested import shared_among
from gliocast.hybrid.parameters import HybridParameters, Settings
from gliocast.hybrid.selection import FittedPair, Selection, fit_candidate, select, too_few
from gliocast.hybrid.threshold import operating_threshold
from gliocast.types import ImageScoreKind, Partition, Scores, Split

IMAGE_MODELS: dict[ImageScoreKind, str] = {"cnn": "cnn", "features": "image_features"}


@dataclass(frozen=True)
class Fitting:
    """The fitted models, what they say of training patients out of fold, and how their classifiers were chosen.

    `selections` has one row a split, model and classifier: the best settings, their mean inner score and its spread.
    """

    models: FittedModels
    out_of_fold: Scores
    selections: pd.DataFrame


def fit_models(
    training_cohort: pd.DataFrame,
    image_scores: Scores,
    partition: Partition,
    hybrid: HybridParameters,
    image_score: ImageScoreKind,
    seed: int,
    report: Callable[[str], None] = lambda step: None,
) -> Fitting:
    """Fit every compared model in every split.

    The hybrid model learns from out-of-fold image scores alone: a score from a model that has seen the patient would
    be far better on training patients than it is on new ones, and the classifier would trust it too much.

    Args:
        training_cohort: canonical columns and `outcome` of all patients that train in some split.
        image_scores: patient-level scores; empty where `image_score` is `none`.
        partition: the splits, and the folds inside their training patients.
        hybrid: predictors, classifiers, grids, threshold.
        image_score: where the image score comes from.
        seed: of the inner folds and of every classifier that draws.
        report: called before each model, with what is fitted next.

    Raises:
        LeakageError: an image score comes from a model that has seen the patient.
        TrainingError: a class has too few patients.
        CohortError: a training patient has no outcome, or a value outside the vocabulary.
    """
    check_grids(hybrid)
    raise_if_any(_without_outcome(training_cohort), CohortError)
    fittings = []
    for split in partition.splits:
        for name in fitted_names(image_score, hybrid):
            report(f"{split.name}: {name}")
            fittings.append(fit_model(name, split, training_cohort, image_scores, hybrid, seed))
    return Fitting(
        FittedModels(tuple(model for one in fittings for model in one.models.models)),
        joined(*(one.out_of_fold for one in fittings)),
        pd.concat([one.selections for one in fittings], ignore_index=True),
    )


def check_enough(
    training_cohort: pd.DataFrame, test_predictors: pd.DataFrame, partition: Partition, hybrid: HybridParameters
) -> None:
    """Refuse patients among whom no classifier can be chosen here, and not once the network has been trained.

    Raises:
        CohortError: a patient's value is none that its predictor is said to have.
        TrainingError: in some fold of a split a class has fewer patients than there are inner folds; one problem a
            split, of its poorest fold.
    """
    everyone = pd.concat([training_cohort, test_predictors]).drop_duplicates("patient_id")
    encode(everyone, facts_of(CLINICAL, hybrid))
    indexed, problems = training_cohort.set_index("patient_id"), []
    for split in partition.splits:
        taught = [outcome_codes(indexed.loc[list(fold.seen)]) for fold in split.folds]
        poorest = min(taught, key=lambda outcome: min(outcome.sum(), (1 - outcome).sum()))
        where = f"patients of one fold of {split.name}, by outcome"
        problems += too_few(poorest, hybrid.inner_folds, "hybrid.inner_folds", where)
    raise_if_any(problems, TrainingError)


def model_names(image_score: ImageScoreKind) -> tuple[str, ...]:
    """The models that are compared; without an image score only the clinical ones exist."""
    clinical = (MAJORITY, SURGERY_RULE, CLINICAL)
    return clinical if image_score == "none" else (*clinical, IMAGE_MODELS[image_score], HYBRID)


def fitted_names(image_score: ImageScoreKind, hybrid: HybridParameters) -> tuple[str, ...]:
    """The models that are fitted in each split: the compared ones, and those on what is known before the operation."""
    return (*model_names(image_score), *pre_operative_names(image_score, hybrid))


def pre_operative_names(image_score: ImageScoreKind, hybrid: HybridParameters) -> tuple[str, ...]:
    """The learnt models once more, on what is known before the operation; none where nothing later is read anyway."""
    early = hybrid.pre_operative_predictors
    if not hybrid.pre_operative_models or not early or early == hybrid.predictors:
        return ()
    return tuple(name + PRE_OPERATIVE for name in model_names(image_score) if learns(name))


def facts_of(name: str, hybrid: HybridParameters) -> Facts:
    """What a model reads."""
    predictors = hybrid.pre_operative_predictors if name.endswith(PRE_OPERATIVE) else hybrid.predictors
    clinical = {predictor: hybrid.predictor_facts[predictor] for predictor in predictors}
    image = {IMAGE_SCORE: IMAGE_FACTS}
    facts = {MAJORITY: {}, SURGERY_RULE: {}, CLINICAL: clinical, HYBRID: {**clinical, **image}}
    return facts.get(name.removesuffix(PRE_OPERATIVE), image)


def learns(name: str) -> bool:
    """Whether a model is a classifier, and no rule or bare image score."""
    return name.removesuffix(PRE_OPERATIVE) in (CLINICAL, HYBRID)


def fit_model(
    name: str, split: Split, training_cohort: pd.DataFrame, image_scores: Scores, hybrid: HybridParameters, seed: int
) -> Fitting:
    """Fit one model on the training patients of one split."""
    facts = facts_of(name, hybrid)
    scale = hybrid.image_scale if learns(name) else "probability"
    patients = with_image_score(training_cohort, split.name, split.training, image_scores, "out_of_fold", scale)
    model = FittedModel(
        name=name,
        split=split.name,
        facts=facts,
        image_scale=scale,
        prevalence=float(outcome_codes(patients).mean()),
        threshold=0.5,
        fitted_on=_united(patients["patient_id"], _seen_by_images(split, image_scores) if IMAGE_SCORE in facts else ()),
    )
    if learns(name):
        return _fit_learnt(model, patients, split, hybrid, seed)
    if IMAGE_SCORE in facts:
        return _fit_image_only(model, patients, image_scores, hybrid)
    return Fitting(FittedModels((model,)), joined(), _no_selections())


def with_threshold(
    model: FittedModel, patients: pd.DataFrame, probability: Float[np.ndarray, " patients"], hybrid: HybridParameters
) -> FittedModel:
    """The model with the operating threshold found on these patients, who then count as seen by it."""
    threshold = operating_threshold(outcome_codes(patients) == 1, probability, hybrid.threshold)
    return replace(model, threshold=threshold, fitted_on=_united(model.fitted_on, patients["patient_id"]))


def choose(patients: pd.DataFrame, facts: Facts, hybrid: HybridParameters, seed: int) -> tuple[Selection, FittedPair]:
    """Select among all candidates on these patients, and fit the chosen one on all of them."""
    encoded, outcome = encode(patients, facts), outcome_codes(patients)
    selection = select(encoded, outcome, list(facts.values()), hybrid, seed)
    return selection, fit_candidate(selection.chosen, encoded, outcome, list(facts.values()), seed)


def _fit_learnt(
    model: FittedModel, patients: pd.DataFrame, split: Split, hybrid: HybridParameters, seed: int
) -> Fitting:
    facts, indexed = dict(model.facts), patients.set_index("patient_id", drop=False)
    groups = [tuple(patients["patient_id"]), *(fold.seen for fold in split.folds)]
    (selection, pair), *of_folds = shared_among(
        hybrid.workers, lambda group: choose(indexed.loc[list(group)], facts, hybrid, seed), groups
    )
    scores = _out_of_fold(model, indexed, split, [pair for _, pair in of_folds])
    probability = scores.table.set_index("patient_id")["probability"].loc[patients["patient_id"]].to_numpy()
    fitted = with_threshold(replace(model, candidate=selection.chosen, pair=pair), patients, probability, hybrid)
    return Fitting(FittedModels((fitted,)), scores, _selection_rows(fitted, selection, hybrid))


def _out_of_fold(model: FittedModel, indexed: pd.DataFrame, split: Split, pairs: Iterable[FittedPair]) -> Scores:
    """Each training patient scored by the whole procedure, selection included, repeated without them.

    The image scores of the patients that a fold is fitted on stay those of the partition's folds, as in every stacked
    model.
    """
    rows, fitted_on = [], {}
    for number, (fold, pair) in enumerate(zip(split.folds, pairs, strict=True)):
        name = f"{model.key}/fold{number}"
        probability = pair.probability(encode(indexed.loc[list(fold.held_out)], dict(model.facts)))
        rows.append(score_rows(split.name, fold.held_out, "out_of_fold", name, probability))
        fitted_on[name] = fold.seen
    return Scores(pd.concat(rows, ignore_index=True), fitted_on)


def _fit_image_only(
    model: FittedModel, patients: pd.DataFrame, image_scores: Scores, hybrid: HybridParameters
) -> Fitting:
    fitted = with_threshold(model, patients, model.probability(patients), hybrid)
    return Fitting(FittedModels((fitted,)), _as_predictions(image_scores, model), _no_selections())


def _as_predictions(image_scores: Scores, model: FittedModel) -> Scores:
    """The out-of-fold image scores of one split, as the predictions of the model that reads nothing else."""
    table = image_scores.table
    mine = table[(table["split"] == model.split) & (table["role"] == "out_of_fold")]
    names = {name: f"{model.key}/{name.rsplit('/', 1)[-1]}" for name in mine["model"].unique()}
    fitted_on = {new: image_scores.fitted_on[old] for old, new in names.items()}
    return Scores(mine.assign(model=mine["model"].map(names)), fitted_on)


def _seen_by_images(split: Split, image_scores: Scores) -> set[str]:
    """Whoever the image models beneath have seen."""
    used = image_scores.table.loc[image_scores.table["split"] == split.name, "model"].unique()
    return {patient for model in used for patient in image_scores.fitted_on.get(model, ())}


def _united(*patients: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({str(patient) for some in patients for patient in some}))


def _selection_rows(model: FittedModel, selection: Selection, hybrid: HybridParameters) -> pd.DataFrame:
    """A row a classifier; without a score where the patients could teach none of its candidates."""
    places = [selection.best_of(classifier) for classifier in hybrid.classifiers]
    return pd.DataFrame(
        {
            "split": model.split,
            "model": model.name,
            "classifier": [selection.candidates[place].classifier for place in places],
            "settings": [_written(selection.candidates[place].settings) for place in places],
            "inner_score": [float(selection.means[place]) for place in places],
            "inner_sd": [float(selection.scores[place].std(ddof=1)) for place in places],
            "chosen": [place == selection.place for place in places],
        }
    )


def _written(settings: Settings) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(settings.items()))


def _no_selections() -> pd.DataFrame:
    return pd.DataFrame(columns=["split", "model", "classifier", "settings", "inner_score", "inner_sd", "chosen"])


def _without_outcome(cohort: pd.DataFrame) -> list[Problem]:
    remedy = "Leave the patient out of the training patients."
    undetermined = cohort.loc[cohort["outcome"].isna(), "patient_id"]
    return [Problem(patient, "outcome", "undetermined", "short_term or long_term", remedy) for patient in undetermined]
