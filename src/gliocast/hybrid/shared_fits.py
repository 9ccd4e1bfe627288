"""Many candidates answered by few fits, each answer equal to scikit-learn's own.

Three facts are used. Settings without effect make equal candidates. The first k trees of a forest, or rounds of a
boosted model, are the forest or model of size k with the same seed. A tree that never reaches a depth is the tree
limited to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from gliocast.hybrid.classifiers import build_classifier, effective_settings
from gliocast.hybrid.forests import can_grow, depth_of, grow_forests
from gliocast.hybrid.parameters import ClassifierName, Settings

Matrix: TypeAlias = Float[np.ndarray, "patients features"]
Response: TypeAlias = np.ndarray  # each held-out patient's class, or where ranks are scored a number that ranks them
DEFAULT_TREES = 100  # scikit-learn's and XGBoost's own default


@dataclass(frozen=True)
class FoldMatrices:
    """One inner fold after preprocessing that was fitted on its `fit` part alone."""

    fit: Float[np.ndarray, "patients features"]
    fit_outcome: Int[np.ndarray, " patients"]
    held_out: Float[np.ndarray, "held_out features"]
    held_out_outcome: Int[np.ndarray, " held_out"]


def responses(
    name: ClassifierName, grid: Sequence[Settings], fold: FoldMatrices, ranks: bool, seed: int
) -> list[Response | None]:
    """What each candidate of `grid`, fitted on the fold, says of the fold's held-out patients.

    Args:
        name: the classifier.
        grid: settings of each candidate.
        fold: the patients fitted on, and the held-out ones.
        ranks: whether numbers that rank the patients are wanted, in place of classes.
        seed: of a classifier that draws.

    Returns:
        one response a candidate; None where so few patients, or patients so alike, cannot teach it.
    """
    keys = [_key(effective_settings(name, settings, fold.fit.shape[1])) for settings in grid]
    distinct = {key: settings for key, settings in zip(keys, grid, strict=True) if _possible(name, settings, fold)}
    answered = dict(_answers(name, list(distinct.items()), fold, ranks, seed))
    return [answered.get(key) for key in keys]


def _answers(
    name: ClassifierName, grid: list[tuple[Hashable, Settings]], fold: FoldMatrices, ranks: bool, seed: int
) -> Iterator[tuple[Hashable, Response]]:
    if name == "random_forest" and all(can_grow(settings) for _, settings in grid):
        yield from _forests(grid, fold, ranks, seed)
    elif name == "xgboost":
        yield from _boosted(grid, fold, ranks, seed)
    else:
        for key, settings in grid:
            try:
                fitted = build_classifier(name, settings, seed).fit(fold.fit, fold.fit_outcome)
            except np.linalg.LinAlgError:  # a covariance of patients so few or alike that it cannot be inverted
                continue
            yield key, response(fitted, fold.held_out, ranks)


def response(fitted: Any, features: Matrix, ranks: bool) -> Response:
    """The classes; or, where ranks are wanted, the decision function, else the probability, as scikit-learn does."""
    if not ranks:
        return np.asarray(fitted.predict(features))
    if hasattr(fitted, "decision_function"):
        return np.asarray(fitted.decision_function(features))
    return np.asarray(fitted.predict_proba(features))[:, 1]


def _boosted(
    grid: list[tuple[Hashable, Settings]], fold: FoldMatrices, ranks: bool, seed: int
) -> Iterator[tuple[Hashable, Response]]:
    for members in _grouped(grid, ("n_estimators",)):
        rounds = [int(settings.get("n_estimators") or DEFAULT_TREES) for _, settings in members]
        longest = build_classifier("xgboost", {**members[0][1], "n_estimators": max(rounds)}, seed)
        longest.fit(fold.fit, fold.fit_outcome)
        for (key, _), count in zip(members, rounds, strict=True):
            if ranks:
                yield key, longest.predict_proba(fold.held_out, iteration_range=(0, count))[:, 1]
            else:
                yield key, longest.predict(fold.held_out, iteration_range=(0, count))


def _forests(
    grid: list[tuple[Hashable, Settings]], fold: FoldMatrices, ranks: bool, seed: int
) -> Iterator[tuple[Hashable, Response]]:
    for members in _grouped(grid, ("n_estimators", "max_depth")):
        shared = {key: value for key, value in members[0][1].items() if key not in ("n_estimators", "max_depth")}
        sizes = {key: int(settings.get("n_estimators") or DEFAULT_TREES) for key, settings in members}
        depths = {key: settings.get("max_depth") for key, settings in members}
        wanted = sorted(set(depths.values()), key=depth_of)
        sample = (fold.fit, fold.fit_outcome, fold.held_out)
        grown = grow_forests(shared, wanted, max(sizes.values()), *sample, seed=seed)
        for key, size in sizes.items():
            probability = grown[depths[key]][size - 1] / size
            yield key, probability[:, 1] if ranks else probability.argmax(axis=1)


def _grouped(
    grid: Iterable[tuple[Hashable, Settings]], apart_from: tuple[str, ...]
) -> Iterable[list[tuple[Hashable, Settings]]]:
    groups: dict[Hashable, list[tuple[Hashable, Settings]]] = defaultdict(list)
    for key, settings in grid:
        groups[_key({name: value for name, value in settings.items() if name not in apart_from})].append(
            (key, settings)
        )
    return groups.values()


def _possible(name: ClassifierName, settings: Settings, fold: FoldMatrices) -> bool:
    """Not where scikit-learn would fail, or answer that the probability is no number."""
    if name == "k_neighbours":
        return int(settings.get("n_neighbors") or 5) <= len(fold.fit)
    if name == "gaussian_nb":
        return _varies(fold.fit)
    if name == "lda":
        return any(_varies(fold.fit[fold.fit_outcome == outcome]) for outcome in (0, 1))
    return True


def _varies(features: Matrix) -> bool:
    """Whether any feature tells one patient from another."""
    return bool(np.ptp(features, axis=0).any())


def _key(settings: Settings) -> Hashable:
    return tuple(sorted((name, type(value).__name__, str(value)) for name, value in settings.items()))
