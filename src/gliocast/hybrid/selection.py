"""Choosing among the eight classifiers, inside training patients only."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from gliocast.errors import ConfigurationError, Problem, TrainingError, raise_if_any
from gliocast.hybrid.classifiers import build_classifier, with_probability, without_rows
from gliocast.hybrid.features import build_preprocessor
from gliocast.hybrid.parameters import ClassifierName, HybridParameters, PredictorFacts, Scoring, Settings
from gliocast.hybrid.shared_fits import FoldMatrices, Response, responses
from gliocast.types import Choice

# What XGBoost says first: the time, the place in its sources as they were built, and the condition that failed.
XGBOOST_FROM = r"^\[[\d:]+\] \S+:\d+: (Check failed: .* : )?"


@dataclass(frozen=True)
class Candidate:
    """A classifier with settings."""

    classifier: ClassifierName
    settings: Settings


@dataclass(frozen=True)
class Selection:
    """All candidates with their scores on the inner folds (NaN: these patients cannot teach it), and how to choose."""

    candidates: tuple[Candidate, ...]
    scores: Float[np.ndarray, "candidates folds"]
    choice: Choice = "best"

    @property
    def means(self) -> Float[np.ndarray, " candidates"]:
        """Mean score over the inner folds, as `GridSearchCV.cv_results_["mean_test_score"]`."""
        return self.scores.mean(axis=1)

    @property
    def classifiers(self) -> tuple[ClassifierName, ...]:
        """In the order of preference, those of which the patients can teach a candidate."""
        fits = np.isfinite(self.means)
        return tuple(dict.fromkeys(self.candidates[place].classifier for place in np.flatnonzero(fits)))

    @property
    def best(self) -> int:
        """The first candidate with the highest mean: candidates stand in the order of preference."""
        return int(np.nanargmax(self.means))

    @property
    def place(self) -> int:
        """Where the chosen candidate stands.

        By `one_standard_error` it is the best of the most preferred classifier that scores within one standard error
        of the best of all: among hundreds of candidates on a hundred patients the best one is so by luck as well.

        Source: Breiman et al. 1984, Classification and Regression Trees, section 3.4.3.
        """
        if self.choice == "best":
            return self.best
        spread = self.scores[self.best].std(ddof=1) / np.sqrt(self.scores.shape[1])
        best_of_each = map(self.best_of, self.classifiers)
        return next(place for place in best_of_each if self.means[place] >= self.means[self.best] - spread)

    @property
    def chosen(self) -> Candidate:
        """The chosen candidate."""
        return self.candidates[self.place]

    def best_of(self, classifier: ClassifierName) -> int:
        """The best candidate of one classifier; the first, where the patients can teach none of them."""
        mine = [place for place, candidate in enumerate(self.candidates) if candidate.classifier == classifier]
        return mine[int(np.argmax(np.nan_to_num(self.means[mine], nan=-np.inf)))]


@dataclass(frozen=True)
class FittedPair:
    """A preprocessing and a classifier, fitted on the same patients."""

    preprocessor: Any
    classifier: Any

    def probability(self, encoded: Float[np.ndarray, "patients predictors"]) -> Float[np.ndarray, " patients"]:
        """Probability of long-term survival."""
        probabilities = self.classifier.predict_proba(self.preprocessor.transform(encoded))
        return np.asarray(probabilities, dtype=np.float64)[:, list(self.classifier.classes_).index(1)]


def select(
    encoded: Float[np.ndarray, "patients predictors"],
    outcome: Int[np.ndarray, " patients"],
    facts: Sequence[PredictorFacts],
    hybrid: HybridParameters,
    seed: int,
) -> Selection:
    """Score every candidate on inner folds of these patients; the preprocessing is fitted anew in each.

    The scores are those of scikit-learn's `GridSearchCV` over a pipeline of the same preprocessing and classifier.

    Raises:
        TrainingError: a class has fewer patients than there are inner folds, or no candidate can be fitted.
        ConfigurationError: a candidate's setting has a value that its classifier refuses.
    """
    return score_candidates(inner_folds(encoded, outcome, facts, hybrid.inner_folds, seed), hybrid, seed)


def score_candidates(folds: Sequence[FoldMatrices], hybrid: HybridParameters, seed: int) -> Selection:
    """Score every candidate on folds that are preprocessed already.

    Raises:
        TrainingError: the patients are too few or too alike for every candidate.
        ConfigurationError: a candidate's setting has a value that its classifier refuses.
    """
    candidates = list_candidates(hybrid)
    scores = np.full((len(candidates), len(folds)), np.nan)
    for number, fold in enumerate(folds):
        with quick_scikit_learn(checked=number == 0):
            scores[:, number] = _scores(candidates, hybrid, fold, seed)
    selection = Selection(candidates, scores, hybrid.choice)
    if not selection.classifiers:
        raise TrainingError(_nothing_to_learn(hybrid.classifiers))
    return selection


def check_candidates(hybrid: HybridParameters) -> None:
    """Try every candidate on invented patients, before the network is trained for it.

    Raises:
        ConfigurationError: settings have values that do not go together; one problem a classifier.
    """
    generator = np.random.default_rng(0)
    features, outcome = generator.normal(size=(80, 20)), np.arange(80) % 2
    invented = FoldMatrices(features[:60], outcome[:60], features[60:], outcome[60:])
    with quick_scikit_learn(checked=True):
        _answers(list_candidates(hybrid), hybrid, invented, seed=0)


def fit_candidate(
    candidate: Candidate,
    encoded: Float[np.ndarray, "patients predictors"],
    outcome: Int[np.ndarray, " patients"],
    facts: Sequence[PredictorFacts],
    seed: int,
) -> FittedPair:
    """Fit the preprocessing and the candidate on all these patients."""
    preprocessor = build_preprocessor(facts)
    features = preprocessor.fit_transform(encoded)
    classifier = build_classifier(candidate.classifier, candidate.settings, seed)
    with quick_scikit_learn(checked=True):
        fitted = with_probability(candidate.classifier, classifier, outcome).fit(features, outcome)
    return FittedPair(preprocessor, without_rows(fitted))


def list_candidates(hybrid: HybridParameters) -> tuple[Candidate, ...]:
    """Every point of every grid, in the order of preference of the classifiers."""
    from sklearn.model_selection import ParameterGrid

    return tuple(
        Candidate(name, settings)
        for name in hybrid.classifiers
        for variant in hybrid.grids[name].values()
        for settings in ParameterGrid({setting: list(values) for setting, values in variant.items()})
    )


def inner_folds(
    encoded: Float[np.ndarray, "patients predictors"],
    outcome: Int[np.ndarray, " patients"],
    facts: Sequence[PredictorFacts] | None,
    n_folds: int,
    seed: int,
) -> list[FoldMatrices]:
    """Stratified folds, each preprocessed by what its own fitting part teaches; not at all where `facts` is None."""
    folds = []
    for fit, held_out in stratified(outcome, n_folds, seed):
        features = encoded if facts is None else build_preprocessor(facts).fit(encoded[fit]).transform(encoded)
        folds.append(FoldMatrices(features[fit], outcome[fit], features[held_out], outcome[held_out]))
    return folds


def stratified(
    outcome: Int[np.ndarray, " patients"], n_folds: int, seed: int, setting: str = "hybrid.inner_folds"
) -> list[tuple[Int[np.ndarray, " fit"], Int[np.ndarray, " held_out"]]]:
    """Places of the patients fitted on and held out by each fold, of which `setting` names the number.

    Raises:
        TrainingError: a class has fewer patients than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    raise_if_any(too_few(outcome, n_folds, setting), TrainingError)
    return list(StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(outcome, outcome))


@contextmanager
def quick_scikit_learn(checked: bool) -> Iterator[None]:
    """Fits of a hundred patients: one thread, no warnings of convergence, and arguments checked only where asked."""
    from sklearn import config_context
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with (
        threadpool_limits(limits=1),
        config_context(assume_finite=not checked, skip_parameter_validation=not checked),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # collinear or unconverged candidates are judged by their scores
        yield


def _scores(
    candidates: Sequence[Candidate], hybrid: HybridParameters, fold: FoldMatrices, seed: int
) -> Float[np.ndarray, " candidates"]:
    answers = _answers(candidates, hybrid, fold, seed)
    scores = [np.nan if one is None else score(hybrid.scoring, fold.held_out_outcome, one) for one in answers]
    return np.array(scores, dtype=np.float64)


def _answers(
    candidates: Sequence[Candidate], hybrid: HybridParameters, fold: FoldMatrices, seed: int
) -> list[Response | None]:
    answers: list[Response | None] = []
    problems = []
    for name in hybrid.classifiers:
        grid = [candidate.settings for candidate in candidates if candidate.classifier == name]
        try:
            answers += responses(name, grid, fold, hybrid.scoring == "roc_auc", seed)
        except (ValueError, TypeError, NotImplementedError) as error:
            problems.append(_refused(name, error))
    raise_if_any(problems, ConfigurationError)
    return answers


def score(scoring: Scoring, outcome: Int[np.ndarray, " patients"], response: np.ndarray) -> float:
    """The score of one response, as scikit-learn's scorer of that name gives it."""
    if scoring == "accuracy":
        return float(np.average(outcome == response))
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score

    return float((roc_auc_score if scoring == "roc_auc" else balanced_accuracy_score)(outcome, response))


def too_few(
    outcome: Int[np.ndarray, " patients"], n_folds: int, setting: str, where: str = "training patients by outcome"
) -> list[Problem]:
    """The problem of a class with fewer patients than there are folds, of which `setting` names the number."""
    n_long, n_short = int(outcome.sum()), int((1 - outcome).sum())
    if min(n_long, n_short) >= n_folds:
        return []
    found = f"{n_long} long-term and {n_short} short-term training patients"
    return [Problem("–", where, found, f"{n_folds} or more of each", f"Include more patients, or lower {setting}.")]


def _nothing_to_learn(classifiers: Sequence[str]) -> Problem:
    found = f"too few or too alike to fit any candidate of {', '.join(classifiers)}"
    remedy = (
        "Add patients, a predictor that differs between them (hybrid.predictors), another classifier, or fewer "
        "neighbours to hybrid.grids."
    )
    return Problem("–", "training patients", found, "patients that a classifier can learn from", remedy)


def _refused(name: str, error: Exception) -> Problem:
    found = re.sub(XGBOOST_FROM, "", str(error).splitlines()[0])
    return Problem("–", f"hybrid.grids.{name}", found, "values that it accepts", "Correct the grid.")
