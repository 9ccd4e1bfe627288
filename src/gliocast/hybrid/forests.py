"""Forests that differ in size and depth, grown together: tree by tree those of scikit-learn's `RandomForestClassifier`.

The trees are grown by scikit-learn's own builder. Going through `RandomForestClassifier` costs ten times what growing a
tree on a hundred patients does, and would grow trees again that another depth has grown already. The tests hold every
probability to the last bit against scikit-learn's, so that another version of it cannot change a result unseen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from gliocast.hybrid.classifiers import number_of_features
from gliocast.hybrid.parameters import Settings

SETTINGS = {"n_estimators", "criterion", "max_depth", "min_samples_split", "min_samples_leaf", "max_features"}
COUNTS = ("min_samples_split", "min_samples_leaf")
UNLIMITED = np.iinfo(np.int32).max


def can_grow(settings: Settings) -> bool:
    """Whether a forest with these settings can be grown here; others are left to `RandomForestClassifier`."""
    return set(settings) <= SETTINGS and all(isinstance(settings.get(name, 1), int) for name in COUNTS)


def depth_of(max_depth: Any) -> float:
    """The depth that a tree may reach; None is unlimited."""
    return math.inf if max_depth is None else float(max_depth)


def grow_forests(
    settings: Settings,
    depths: Sequence[Any],
    n_trees: int,
    fit: Float[np.ndarray, "patients features"],
    outcome: Int[np.ndarray, " patients"],
    held_out: Float[np.ndarray, "held_out features"],
    seed: int,
) -> dict[Any, Float[np.ndarray, "trees held_out classes"]]:
    """Forests that share all settings but size and depth.

    A tree that never reaches a depth is the tree limited to it: it is grown once for both.

    Args:
        settings: what the forests share; those of `RandomForestClassifier`.
        depths: the depths wanted; None is unlimited.
        n_trees: how many trees each forest has.
        fit: features of the patients fitted on.
        outcome: their outcomes, 0 or 1.
        held_out: features of the patients to be scored.
        seed: `random_state` of the forest.

    Returns:
        for each depth the sums over the first 1, 2, … trees of the held-out patients' class probabilities.
    """
    grower = Grower(settings, fit.astype(np.float32), outcome.astype(np.float64).reshape(-1, 1))
    scored = held_out.astype(np.float32)
    grown: dict[Any, list[np.ndarray]] = {depth: [] for depth in depths}
    for tree_seed, weight in bootstraps(n_trees, len(fit), seed):
        tree = None
        for depth in sorted(depths, key=depth_of, reverse=True):
            if tree is None or depth_of(depth) < tree.max_depth:
                tree = grower.grow(tree_seed, weight, depth)
                probability = tree.predict(scored)
            grown[depth].append(probability)
    return {depth: np.cumsum(trees, axis=0) for depth, trees in grown.items()}


@dataclass
class Grower:
    """Grows single trees, as `DecisionTreeClassifier` does, without its checks and copies."""

    settings: Settings
    fit: Float[np.ndarray, "patients features"]
    outcome: Float[np.ndarray, "patients 1"]

    def __post_init__(self) -> None:
        from sklearn.tree._criterion import Entropy, Gini

        self.random = np.random.RandomState(0)
        self.classes = np.array([2], dtype=np.intp)
        self.criterion = (Gini if self.settings.get("criterion", "gini") == "gini" else Entropy)(1, self.classes)
        self.n_features = self.fit.shape[1]
        self.max_features = number_of_features(self.settings.get("max_features", "sqrt"), self.n_features)
        self.leaf = int(self.settings.get("min_samples_leaf") or 1)
        self.split = max(int(self.settings.get("min_samples_split") or 2), 2 * self.leaf)

    def grow(self, seed: int, weight: Float[np.ndarray, " patients"], max_depth: Any) -> Any:
        """A fitted low-level tree of scikit-learn."""
        from sklearn.tree._splitter import BestSplitter
        from sklearn.tree._tree import DepthFirstTreeBuilder, Tree

        self.random.seed(seed)
        splitter = BestSplitter(self.criterion, self.max_features, self.leaf, 0.0, self.random, None)
        depth = UNLIMITED if max_depth is None else max_depth
        tree = Tree(self.n_features, self.classes, 1)
        DepthFirstTreeBuilder(splitter, self.split, self.leaf, 0.0, depth, 0.0).build(
            tree, self.fit, self.outcome, weight, None
        )
        return tree


def bootstraps(n_trees: int, n_patients: int, seed: int) -> Iterator[tuple[int, Float[np.ndarray, " patients"]]]:
    """Each tree's seed, and how often each patient is in its bootstrap sample, as scikit-learn draws them."""
    random = np.random.RandomState(seed)
    for tree_seed in [int(random.randint(np.iinfo(np.int32).max)) for _ in range(n_trees)]:
        random.seed(tree_seed)
        drawn = random.randint(0, n_patients, n_patients)
        yield tree_seed, np.bincount(drawn, minlength=n_patients).astype(np.float64)
