"""The scores of the selection are those of scikit-learn's GridSearchCV, candidate by candidate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hybrid_examples import a_cohort, configured
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline

from gliocast.errors import ConfigurationError, TrainingError
from gliocast.hybrid import classifiers, shared_fits
from gliocast.hybrid.classifiers import build_classifier, effective_settings
from gliocast.hybrid.features import build_preprocessor, encode, outcome_codes
from gliocast.hybrid.forests import grow_forests
from gliocast.hybrid.selection import Candidate, Selection, fit_candidate, inner_folds, list_candidates, select
from gliocast.hybrid.shared_fits import FoldMatrices, responses

COHORT = a_cohort(60)
FACTS = [configured().predictor_facts[predictor] for predictor in configured().predictors]
ENCODED, OUTCOME = encode(COHORT, dict(zip(configured().predictors, FACTS, strict=True))), outcome_codes(COHORT)
SMALL = {
    "random_forest": {
        "plain": {
            "n_estimators": (1, 3),
            "criterion": ("entropy", "log_loss"),
            "max_depth": (2, 50, None),
            "max_features": ("sqrt", "log2"),
        },
        "leaves": {"n_estimators": (2,), "min_samples_leaf": (1, 3), "min_samples_split": (2, 5)},
    },
    "xgboost": {
        "plain": {"n_estimators": (1, 4, 9), "max_depth": (2,), "subsample": (0.6, 1.0), "colsample_bytree": (0.7,)}
    },
    "svc": {"plain": {"kernel": ("linear", "rbf", "poly"), "gamma": ("scale", 0.1), "degree": (2, 3), "C": (1.0,)}},
    "decision_tree": {"plain": {"max_depth": (2, 5, None), "min_samples_leaf": (1, 3), "min_samples_split": (2, 5)}},
}


def selected(name: str, scoring: str) -> tuple[Any, np.ndarray]:
    """Our scores, and those of GridSearchCV over the same candidates with the preprocessing inside."""
    grids = {**configured().grids, **SMALL}
    hybrid = configured(classifiers=(name,), grids=grids, scoring=scoring)
    ours = select(ENCODED, OUTCOME, FACTS, hybrid, seed=7)
    steps = [("preprocessor", build_preprocessor(FACTS)), ("classifier", build_classifier(name, {}, 7))]
    grid = [
        {f"classifier__{key}": [value] for key, value in candidate.settings.items()} for candidate in ours.candidates
    ]
    folds = StratifiedKFold(5, shuffle=True, random_state=7)
    peer = GridSearchCV(Pipeline(steps), grid, scoring=scoring, cv=folds, refit=False).fit(ENCODED, OUTCOME)
    return ours, np.column_stack([peer.cv_results_[f"split{fold}_test_score"] for fold in range(5)])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", configured().classifiers)
def test_every_candidate_scores_as_in_scikit_learn(name):
    ours, theirs = selected(name, "accuracy")
    np.testing.assert_array_equal(ours.scores, theirs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "scoring"),
    [
        ("random_forest", "roc_auc"),
        ("xgboost", "balanced_accuracy"),
        ("svc", "roc_auc"),
        ("gaussian_nb", "roc_auc"),
    ],
)
def test_other_scores_are_scikit_learns_too(name, scoring):
    ours, theirs = selected(name, scoring)
    np.testing.assert_allclose(ours.scores, theirs, rtol=0, atol=1e-12)


def test_the_forests_are_those_of_scikit_learn_to_the_last_bit():
    fold = inner_folds(ENCODED, OUTCOME, FACTS, 5, seed=3)[0]
    sample = (fold.fit, fold.fit_outcome, fold.held_out)
    grown = grow_forests({"min_samples_leaf": 2}, [2, 6, None], 9, *sample, seed=3)
    for depth, sums in grown.items():
        for size in (1, 4, 9):
            settings = {"n_estimators": size, "max_depth": depth, "min_samples_leaf": 2}
            forest = build_classifier("random_forest", settings, 3).fit(fold.fit, fold.fit_outcome)
            np.testing.assert_array_equal(sums[size - 1] / size, forest.predict_proba(fold.held_out))


def test_candidates_that_differ_in_nothing_that_counts_are_fitted_once(monkeypatch):
    fitted = []
    build = shared_fits.build_classifier
    monkeypatch.setattr(shared_fits, "build_classifier", lambda *call: fitted.append(call) or build(*call))
    grids = {"svc": {"plain": {"kernel": ("linear",), "gamma": ("scale", 0.1, 1.0), "C": (1.0, 10.0)}}}
    hybrid = configured(classifiers=("svc",), grids=grids)
    select(ENCODED, OUTCOME, FACTS, hybrid, seed=0)
    assert len(fitted) == 2 * hybrid.inner_folds


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("svc", {"kernel": "linear", "gamma": 1.0}, {"kernel": "linear", "gamma": 0.1}),
        ("random_forest", {"max_features": "sqrt"}, {"max_features": "log2"}),
        ("random_forest", {"criterion": "entropy"}, {"criterion": "log_loss"}),
        (
            "decision_tree",
            {"min_samples_leaf": 5, "min_samples_split": 2},
            {"min_samples_leaf": 5, "min_samples_split": 9},
        ),
    ],
)
def test_settings_without_effect_are_recognised(name, first, second):
    assert effective_settings(name, first, 6) == effective_settings(name, second, 6)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("svc", {"kernel": "rbf", "gamma": 1.0}, {"kernel": "rbf", "gamma": 0.1}),
        ("random_forest", {"max_features": "sqrt"}, {"max_features": None}),
        (
            "decision_tree",
            {"min_samples_leaf": 1, "min_samples_split": 2},
            {"min_samples_leaf": 1, "min_samples_split": 9},
        ),
    ],
)
def test_settings_with_an_effect_stay_apart(name, first, second):
    assert effective_settings(name, first, 6) != effective_settings(name, second, 6)


def test_a_support_vector_classifier_that_does_not_converge_ends_and_is_judged_by_its_score(monkeypatch):
    monkeypatch.setattr(classifiers, "SVC_STEPS", 5)
    hard = {"svc": {"plain": {"kernel": ("linear",), "C": (100.0,)}}}
    fitted = fit_candidate(Candidate("svc", {"C": 100.0}), ENCODED, OUTCOME, FACTS, seed=7).classifier
    assert max(one.estimator.n_iter_.max() for one in fitted.calibrated_classifiers_) == 5
    assert np.isfinite(
        select(ENCODED, OUTCOME, FACTS, configured(classifiers=("svc",), grids=hard), seed=7).means
    ).all()


def test_a_support_vector_classifier_gives_probabilities_with_fewer_than_five_patients_of_an_outcome():
    few = np.array([1] * 2 + [0] * 10)
    fitted = fit_candidate(Candidate("svc", {"C": 1.0}), ENCODED[:12], few, FACTS, seed=0)
    assert np.isfinite(fitted.probability(ENCODED)).all()


def test_more_neighbours_than_patients_is_no_candidate():
    grids = {"k_neighbours": {"plain": {"n_neighbors": (3, 500)}}}
    hybrid = configured(classifiers=("k_neighbours",), grids=grids)
    selection = select(ENCODED, OUTCOME, FACTS, hybrid, seed=0)
    assert selection.chosen.settings["n_neighbors"] == 3
    assert np.isnan(selection.means[1])


@pytest.mark.parametrize("name", ["lda", "gaussian_nb", "k_neighbours"])
def test_a_classifier_that_patients_alike_cannot_teach_leaves_the_choice_to_the_others(name):
    alike, grids = np.zeros((60, 1)), configured().grids | {"k_neighbours": {"plain": {"n_neighbors": (500,)}}}
    hybrid = configured(classifiers=(name, "decision_tree"), grids=grids)
    selection = select(alike, OUTCOME, FACTS[:1], hybrid, seed=0)
    assert selection.chosen.classifier == "decision_tree"
    assert selection.classifiers == ("decision_tree",)
    with pytest.raises(TrainingError, match=f"too alike to fit any candidate of {name}"):
        select(alike, OUTCOME, FACTS[:1], configured(classifiers=(name,), grids=grids), seed=0)


def test_a_predictor_that_tells_the_outcome_without_error_teaches_no_discriminant_but_the_others():
    hybrid = configured(classifiers=("lda", "gaussian_nb"))
    told = OUTCOME[:, None].astype(float)
    assert select(told, OUTCOME, FACTS[:1], hybrid, seed=0).chosen.classifier == "gaussian_nb"


def test_a_classifier_without_a_candidate_for_so_few_patients_is_passed_over():
    candidates = (Candidate("k_neighbours", {"n_neighbors": 500}), Candidate("lda", {}))
    selection = Selection(candidates, np.array([[np.nan, np.nan], [0.7, 0.8]]), "one_standard_error")
    assert selection.chosen.classifier == "lda"
    assert selection.classifiers == ("lda",)


def test_equal_scores_go_to_the_classifier_that_is_preferred():
    candidates = (Candidate("logistic_regression", {}), Candidate("svc", {}), Candidate("lda", {}))
    selection = Selection(candidates, np.array([[0.7, 0.8], [0.8, 0.9], [0.9, 0.8]]))
    assert selection.chosen.classifier == "svc"


def test_within_one_standard_error_of_the_best_the_preferred_classifier_is_chosen():
    candidates = (Candidate("logistic_regression", {}), Candidate("lda", {}), Candidate("svc", {}))
    scores = np.array([[0.5, 0.6], [0.7, 0.8], [0.7, 0.9]])  # means 0.55, 0.75, 0.80; standard error of the best 0.1
    assert Selection(candidates, scores, "one_standard_error").chosen.classifier == "lda"
    assert Selection(candidates, scores, "best").chosen.classifier == "svc"


def test_of_the_preferred_classifier_the_best_settings_are_chosen():
    candidates = (Candidate("lda", {"solver": "svd"}), Candidate("lda", {"solver": "lsqr"}), Candidate("svc", {}))
    scores = np.array([[0.7, 0.8], [0.75, 0.8], [0.7, 0.9]])
    assert Selection(candidates, scores, "one_standard_error").chosen.settings == {"solver": "lsqr"}


def test_candidates_stand_in_the_order_of_preference():
    hybrid = configured(classifiers=("svc", "lda"))
    names = [candidate.classifier for candidate in list_candidates(hybrid)]
    assert names == sorted(names, reverse=True)


def test_too_few_patients_of_a_class_stop_before_any_fit():
    outcome = np.array([1] * 3 + [0] * 57)
    hybrid = configured()
    with pytest.raises(TrainingError, match="3 long-term and 57 short-term"):
        select(ENCODED, outcome, FACTS, hybrid, seed=0)


def test_a_covariance_that_cannot_be_inverted_is_passed_over_and_not_blamed_on_the_grid():
    """Two columns that say the same: scikit-learn's eigen solver fails, the solver by singular values does not."""
    twice = np.repeat(np.arange(6.0)[:, None], 2, axis=1)
    fold = FoldMatrices(twice, np.array([0, 0, 1, 0, 1, 1]), twice, np.array([0, 0, 1, 0, 1, 1]))
    by_eigen, by_svd = responses("lda", [{"solver": "eigen"}, {"solver": "svd"}], fold, ranks=False, seed=0)
    assert by_eigen is None
    assert by_svd.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("svc", {"C": (-1.0,)}),
        ("svc", {"kernel": ("precomputed",)}),  # of a matrix that nobody gives
        ("lda", {"solver": ("svd",), "shrinkage": ("auto",)}),  # of what it has not implemented
    ],
)
def test_a_value_that_scikit_learn_refuses_is_an_error_of_the_configuration(name, settings):
    hybrid = configured(classifiers=(name,), grids={name: {"plain": settings}})
    with pytest.raises(ConfigurationError, match=rf"hybrid\.grids\.{name}"):
        select(ENCODED, OUTCOME, FACTS, hybrid, seed=0)
