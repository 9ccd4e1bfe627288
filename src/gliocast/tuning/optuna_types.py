"""Optuna's types by name, for annotations only: Optuna itself is imported where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from filelock import FileLock
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial
else:
    FileLock = BaseDistribution = BasePruner = BaseSampler = BaseStorage = Study = FrozenTrial = Trial = Any

__all__ = [
    "BaseDistribution",
    "BasePruner",
    "BaseSampler",
    "BaseStorage",
    "FileLock",
    "FrozenTrial",
    "Study",
    "Trial",
]
