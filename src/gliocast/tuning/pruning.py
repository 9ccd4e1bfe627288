"""Ending trials early that fall behind."""

from __future__ import annotations

from gliocast.tuning.optuna_types import BasePruner
from gliocast.tuning.parameters import PruningParameters


def build_pruner(pruning: PruningParameters, epochs: int) -> BasePruner:
    """The pruner that `pruning` describes.

    Args:
        pruning: which one, and how strict.
        epochs: epochs of a trial at most, over all its folds; Hyperband (Li et al., JMLR 2018) divides them into rungs.
    """
    from optuna import pruners

    if pruning.method == "none":
        return pruners.NopPruner()
    if pruning.method == "hyperband":
        return pruners.HyperbandPruner(
            min_resource=min(pruning.warmup_epochs, epochs),
            max_resource=epochs,
            reduction_factor=pruning.reduction_factor,
        )
    return pruners.PercentilePruner(
        50.0 if pruning.method == "median" else pruning.keep_percent,
        n_startup_trials=pruning.startup_trials,
        n_warmup_steps=pruning.warmup_epochs,
    )
