"""Every measure of performance, written once as a function of weights.

A resample of patients is a row of weights (how often each observation was drawn), so that one vectorised call gives the
estimate (all weights one), its bootstrap (multinomial weights) and its jackknife (one patient's weights zero).
A measure that a resample cannot have, such as an AUC with one class only, is NaN there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Shaped

PROBABILITY_FLOOR = 1e-6  # a probability of exactly 0 or 1 has no finite logit; trees and k-NN give such

Weights: TypeAlias = Float[np.ndarray, "resamples observations"]
PerResample: TypeAlias = Float[np.ndarray, " resamples"]
Outcome: TypeAlias = Bool[np.ndarray, " observations"]
Probability: TypeAlias = Float[np.ndarray, " observations"]
Splits: TypeAlias = Shaped[np.ndarray, " observations"]


@dataclass(frozen=True)
class Counts:
    """Weighted true and false positives and negatives, one a resample. Long-term survivors are the positives."""

    tp: PerResample
    fp: PerResample
    fn: PerResample
    tn: PerResample


CELLS = ("tp", "fp", "fn", "tn")


def counts(outcome: Outcome, predicted: Outcome, weights: Weights) -> Counts:
    """The confusion table of each resample."""
    cells = (outcome & predicted, ~outcome & predicted, outcome & ~predicted, ~outcome & ~predicted)
    return Counts(*(weights @ cell.astype(float) for cell in cells))


def ratio(part: Float[np.ndarray, "*shape"], whole: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """`part / whole`, NaN where the whole is zero."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def accuracy(c: Counts) -> PerResample:
    return ratio(c.tp + c.tn, c.tp + c.fp + c.fn + c.tn)


def sensitivity(c: Counts) -> PerResample:
    return ratio(c.tp, c.tp + c.fn)


def specificity(c: Counts) -> PerResample:
    return ratio(c.tn, c.tn + c.fp)


def ppv(c: Counts) -> PerResample:
    return ratio(c.tp, c.tp + c.fp)


def npv(c: Counts) -> PerResample:
    return ratio(c.tn, c.tn + c.fn)


def balanced_accuracy(c: Counts) -> PerResample:
    return (sensitivity(c) + specificity(c)) / 2


def f1(c: Counts) -> PerResample:
    return ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn)


def mcc(c: Counts) -> PerResample:
    """Matthews correlation coefficient, doi:10.1016/0005-2795(75)90109-9."""
    margins = (c.tp + c.fp) * (c.tp + c.fn) * (c.tn + c.fp) * (c.tn + c.fn)
    return ratio(c.tp * c.tn - c.fp * c.fn, np.sqrt(margins))


def auc_within(splits: Splits) -> Callable[[Outcome, Probability, Weights], PerResample]:
    """Area under the ROC curve: how often a long-term survivor scores above a short-term one, ties counting half.

    Only pairs of patients of one split count: models of different splits have scales of their own. A rule that says the
    same of every patient of a split is worth exactly one half, whatever it says of another's.

    Args:
        splits: the split of each observation, by name or number.
    """
    return _pooled(_wins_and_pairs, splits)


def area_within(splits: Splits, outcome: Outcome, probability: Probability) -> float:
    """`auc_within`, where every observation counts once."""
    return float(auc_within(splits)(outcome, probability, np.ones((1, len(outcome))))[0])


def _pooled(
    parts_of: Callable[[Outcome, Probability, Weights], tuple[PerResample, PerResample]],
    splits: Splits,
) -> Callable[[Outcome, Probability, Weights], PerResample]:
    """A ratio whose two parts are counted in each split and added up before they are divided."""
    members = [np.flatnonzero(splits == split) for split in np.unique(splits)]

    def pooled(outcome: Outcome, probability: Probability, weights: Weights) -> PerResample:
        counted = [parts_of(outcome[who], probability[who], weights[:, who]) for who in members]
        return ratio(*np.sum(counted, axis=0))

    return pooled


def _wins_and_pairs(outcome: Outcome, probability: Probability, weights: Weights) -> tuple[PerResample, PerResample]:
    """Pairs of a long-term and a short-term survivor that are ranked rightly, ties counting half; and all pairs."""
    positive, negative = _weight_by_score(outcome, probability, weights)
    below = np.cumsum(negative, axis=1) - negative
    wins = (positive * (below + negative / 2)).sum(axis=1)
    return wins, positive.sum(axis=1) * negative.sum(axis=1)


def pr_auc_within(splits: Splits) -> Callable[[Outcome, Probability, Weights], PerResample]:
    """Area under the precision-recall curve as average precision (a step function, no interpolation).

    A long-term survivor's precision is that of the patients of the same split who score no lower.

    Args:
        splits: the split of each observation, by name or number.
    """
    return _pooled(_precision_and_positives, splits)


def _precision_and_positives(
    outcome: Outcome, probability: Probability, weights: Weights
) -> tuple[PerResample, PerResample]:
    """Precision at the rank of each long-term survivor, added up; and how many of them there are.

    Both are 0 where nobody is a short-term survivor: however such patients are ranked, it is always rightly.
    """
    positive, negative = (part[:, ::-1] for part in _weight_by_score(outcome, probability, weights))
    tp, fp = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
    precision = np.divide(tp, tp + fp, out=np.zeros_like(tp), where=tp + fp > 0)
    telling = fp[:, -1] > 0
    return (positive * precision).sum(axis=1) * telling, tp[:, -1] * telling


def brier(outcome: Outcome, probability: Probability, weights: Weights) -> PerResample:
    """Mean squared difference of probability and outcome."""
    return ratio(weights @ (probability - outcome) ** 2, weights.sum(axis=1))


def log_loss(outcome: Outcome, probability: Probability, weights: Weights) -> PerResample:
    """Mean negative log-likelihood, natural logarithm; probabilities are kept `PROBABILITY_FLOOR` from 0 and 1."""
    kept = np.clip(probability, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return ratio(weights @ -np.log(np.where(outcome, kept, 1 - kept)), weights.sum(axis=1))


def calibration_slope_within(splits: Splits) -> Callable[[Outcome, Probability, Weights], PerResample]:
    """Slope of the logistic regression of the outcome on the logit; 1 is ideal, below 1 means too extreme.

    Each split has an intercept of its own: a model learnt where more patients live long than where it is tested says
    too much to all of them, and that is no slope. A split tells nothing where all say the same, or live alike.

    Args:
        splits: the split of each observation, by name or number.

    Source: Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7.
    """
    member = (splits[:, None] == np.unique(splits)).astype(float)

    def slope(outcome: Outcome, probability: Probability, weights: Weights) -> PerResample:
        telling = ((weights * outcome) @ member > 0) & ((weights * ~outcome) @ member > 0)
        return _logistic_regression(outcome, logit(probability), weights * (telling @ member.T), member)[1]

    return slope


def calibration_intercept(outcome: Outcome, probability: Probability, weights: Weights) -> PerResample:
    """Intercept of the logistic regression with the logit as offset; 0 is ideal, below 0 means too optimistic.

    Source: Van Calster et al. 2019, doi:10.1186/s12916-019-1466-7 (calibration-in-the-large).
    """
    everyone = np.ones((len(outcome), 1))
    return _logistic_regression(outcome, logit(probability), weights, everyone, slope=1.0)[0][:, 0]


def expected_calibration_error(n_bins: int) -> Callable[[Outcome, Probability, Weights], PerResample]:
    """Mean distance of observed and predicted share over `n_bins` bins of equal width, weighted by their patients.

    Source: Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602.
    """

    def ece(outcome: Outcome, probability: Probability, weights: Weights) -> PerResample:
        bins = np.minimum((probability * n_bins).astype(int), n_bins - 1)
        excess = (outcome - probability)[:, None] * np.eye(n_bins)[bins]
        return ratio(np.abs(weights @ excess).sum(axis=1), weights.sum(axis=1))

    return ece


def logit(probability: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """log(p / (1 - p)), with probabilities kept `PROBABILITY_FLOOR` from 0 and 1."""
    kept = np.clip(probability, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return np.log(kept / (1 - kept))


def _weight_by_score(
    outcome: Outcome, probability: Probability, weights: Weights
) -> tuple[Float[np.ndarray, "resamples scores"], Float[np.ndarray, "resamples scores"]]:
    """Weight of long-term and of short-term survivors at each distinct score, ascending."""
    order = np.argsort(probability, kind="stable")
    ranked, long_term = probability[order], outcome[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    drawn = weights[:, order]
    return tuple(np.add.reduceat(drawn * side, starts, axis=1) for side in (long_term, ~long_term))  # type: ignore[return-value]


def _logistic_regression(
    outcome: Outcome,
    covariate: Probability,
    weights: Weights,
    member: Float[np.ndarray, "observations splits"],
    slope: float | None = None,
) -> tuple[Float[np.ndarray, "resamples splits"], PerResample]:
    """Intercepts and slope by Newton's method for all resamples at once; NaN where they are infinite."""
    free = slope is None
    intercepts = np.zeros((len(weights), member.shape[1]))
    slopes = np.zeros(len(weights)) if slope is None else np.full(len(weights), slope)
    moves = np.ones((len(weights), 1))
    for _ in range(50):
        score = intercepts @ member.T + slopes[:, None] * covariate
        expected = 1 / (1 + np.exp(-np.clip(score, -500, 500)))
        residual, curvature = weights * (outcome - expected), weights * expected * (1 - expected)
        step = _newton_step(residual, curvature, covariate, member, free)
        intercepts, slopes = intercepts + step[0], slopes + step[1]
        moves = np.abs(np.column_stack(step))
        if not (moves > 1e-10).any():  # NaN never moves again
            break
    settled = moves.max(axis=1) < 1e-6
    return np.where(settled[:, None], intercepts, np.nan), np.where(settled, slopes, np.nan)


def _newton_step(
    residual: Weights,
    curvature: Weights,
    covariate: Probability,
    member: Float[np.ndarray, "observations splits"],
    free: bool,
) -> tuple[Float[np.ndarray, "resamples splits"], PerResample]:
    gradient, a = residual @ member, curvature @ member
    if not free:
        step = np.clip(ratio(gradient, a), -1, 1)  # from logits far apart Newton leaps beyond the root for good
        return step, np.zeros(len(a))
    b = (curvature * covariate) @ member
    mean = np.divide(b, a, out=np.zeros_like(a), where=a > 0)  # 0 where a split tells nothing
    determinant = curvature @ covariate**2 - (mean * b).sum(axis=1)
    slope = (residual @ covariate - (mean * gradient).sum(axis=1)) / np.where(determinant > 1e-10, determinant, np.nan)
    return np.divide(gradient, a, out=np.zeros_like(a), where=a > 0) - mean * slope[:, None], slope
