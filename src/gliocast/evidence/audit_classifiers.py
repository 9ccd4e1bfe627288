"""Classifiers for many cohorts at once. Who trains is a row of weights, so that a fold costs no copy.

All take features (batch, n, p), outcomes (batch, n), training weights 0 or 1 (batch, n) and patients to score
(batch, m, p), and give the probability of long-term survival (batch, m).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float

Features: TypeAlias = Float[np.ndarray, "batch n p"]
Outcomes: TypeAlias = Bool[np.ndarray, "batch n"]
Training: TypeAlias = Float[np.ndarray, "batch n"]
Scored: TypeAlias = Float[np.ndarray, "batch m p"]
Answers: TypeAlias = Float[np.ndarray, "batch m"]

RIDGE = 1e-6  # keeps a covariance invertible where a level occurs in one class only


def logistic_regression(
    features: Features, outcome: Outcomes, training: Training, scored: Scored, inverse_penalty: float
) -> Answers:
    """Logistic regression with a ridge penalty on all but the intercept, by Newton's method."""
    design = _with_intercept(features)
    penalty = np.diag(np.r_[0.0, np.full(features.shape[2], 1 / inverse_penalty)])
    weights = np.zeros((len(features), design.shape[2]))
    for _ in range(25):
        expected = sigmoid((design @ weights[..., None])[..., 0])
        gradient = (((outcome - expected) * training)[:, None] @ design)[:, 0] - weights @ penalty
        curvature = (design * (training * expected * (1 - expected))[..., None]).transpose(0, 2, 1) @ design
        step = np.linalg.solve(curvature + penalty + RIDGE * np.eye(len(penalty)), gradient[..., None])[..., 0]
        weights += np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-6:
            break
    return sigmoid((_with_intercept(scored) @ weights[..., None])[..., 0])


def lda(features: Features, outcome: Outcomes, training: Training, scored: Scored, _: float) -> Answers:
    """Linear discriminant analysis with the pooled covariance."""
    parts = [training * outcome, training * ~outcome]
    means = [_mean(features, part) for part in parts]
    scatter = sum(_scatter(features, mean, part) for mean, part in zip(means, parts, strict=True))
    pooled = scatter / training.sum(axis=1)[:, None, None] + RIDGE * np.eye(features.shape[2])
    direction = np.linalg.solve(pooled, (means[0] - means[1])[..., None])[..., 0]
    sizes = [part.sum(axis=1) for part in parts]
    offset = np.log(sizes[0] / sizes[1]) - ((means[0] + means[1]) * direction).sum(axis=1) / 2
    return sigmoid((scored @ direction[..., None])[..., 0] + offset[:, None])


def naive_bayes(features: Features, outcome: Outcomes, training: Training, scored: Scored, smoothing: float) -> Answers:
    """Gaussian naive Bayes; `smoothing` times the largest variance is added to every variance."""
    floor = smoothing * _variance(features, training).max(axis=1)[:, None]
    log_odds = np.zeros(scored.shape[:2])
    for sign, part in ((1, training * outcome), (-1, training * ~outcome)):
        mean, variance = _mean(features, part), _variance(features, part) + floor + 1e-12
        density = -((scored - mean[:, None]) ** 2 / variance[:, None] + np.log(variance)[:, None]).sum(axis=2) / 2
        log_odds += sign * (density + np.log(part.sum(axis=1))[:, None])
    return sigmoid(log_odds)


def nearest_neighbours(
    features: Features, outcome: Outcomes, training: Training, scored: Scored, neighbours: float
) -> Answers:
    """Share of long-term survivors among the nearest training patients; among all of them where they are fewer."""
    squares = (features**2).sum(axis=2) + np.where(training > 0, 0.0, np.inf)
    distance = squares[:, None] - 2 * scored @ features.transpose(0, 2, 1)
    count = min(int(neighbours), features.shape[1])
    nearest = np.argpartition(distance, count - 1, axis=2)[..., :count]
    batch = np.arange(len(features))[:, None, None]
    taught = training[batch, nearest]
    return (taught * outcome[batch, nearest]).sum(axis=2) / taught.sum(axis=2)


def decision_tree(features: Features, outcome: Outcomes, training: Training, scored: Scored, depth: float) -> Answers:
    """A decision tree of limited depth, scikit-learn's, cohort by cohort."""
    from sklearn import config_context
    from sklearn.tree import DecisionTreeClassifier

    answers = np.empty(scored.shape[:2])
    exact, others = features.astype(np.float32), scored.astype(np.float32)  # as scikit-learn's trees read them
    with config_context(skip_parameter_validation=True):
        for number, (part, truth, weights) in enumerate(zip(exact, outcome, training > 0, strict=True)):
            tree = DecisionTreeClassifier(max_depth=int(depth), random_state=0)
            tree.fit(part[weights], truth[weights], check_input=False)
            probability = tree.predict_proba(others[number], check_input=False)
            answers[number] = probability[:, list(tree.classes_).index(True)]
    return answers


CLASSIFIERS: dict[str, Callable[[Features, Outcomes, Training, Scored, float], Answers]] = {
    "logistic_regression": logistic_regression,
    "lda": lda,
    "naive_bayes": naive_bayes,
    "nearest_neighbours": nearest_neighbours,
    "decision_tree": decision_tree,
}


def standardised(
    features: Features, fitted_on: Training, *others: Scored
) -> tuple[Float[np.ndarray, "batch _ p"], ...]:
    """Features, and other patients' features, in units of mean and standard deviation of the patients fitted on."""
    mean, spread = _mean(features, fitted_on)[:, None], np.sqrt(_variance(features, fitted_on))[:, None]
    return tuple((part - mean) / np.where(spread > 0, spread, 1.0) for part in (features, *others))


def sigmoid(score: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """1 / (1 + exp(-score)), without overflow."""
    return 1 / (1 + np.exp(-np.clip(score, -500, 500)))


def _with_intercept(features: Float[np.ndarray, "batch n p"]) -> Float[np.ndarray, "batch n columns"]:
    return np.concatenate([np.ones((*features.shape[:2], 1)), features], axis=2)


def _mean(features: Features, weights: Training) -> Float[np.ndarray, "batch p"]:
    return (weights[:, None] @ features)[:, 0] / weights.sum(axis=1)[:, None]


def _variance(features: Features, weights: Training) -> Float[np.ndarray, "batch p"]:
    return _mean((features - _mean(features, weights)[:, None]) ** 2, weights)


def _scatter(
    features: Features, mean: Float[np.ndarray, "batch p"], weights: Training
) -> Float[np.ndarray, "batch p p"]:
    centred = features - mean[:, None]
    return (centred * weights[..., None]).transpose(0, 2, 1) @ centred
