"""The fitted networks, with who each of them has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gliocast.errors import NOT_APPLICABLE, ConfigurationError, Problem
from gliocast.model.parameters import ModelParameters
from gliocast.model.tensors import Tensor


@dataclass(frozen=True)
class Member:
    """One fitted network: its weights, and the patients that it was fitted on or stopped by."""

    name: str
    split: str
    weights: Mapping[str, Tensor]
    fitted_on: tuple[str, ...]
    dropout: float


@dataclass(frozen=True)
class Ensemble:
    """The networks of all folds of all splits; `reason` says why there are none."""

    params: ModelParameters
    members: tuple[Member, ...]
    reason: str | None = None

    def of_split(self, split: str) -> tuple[Member, ...]:
        """The networks of one split.

        Raises:
            ConfigurationError: the split has none.
        """
        found = tuple(member for member in self.members if member.split == split)
        if not found:
            raise ConfigurationError(self._without_networks(split))
        return found

    def _without_networks(self, split: str) -> Problem:
        known = ", ".join(dict.fromkeys(member.split for member in self.members))
        expected = (
            f"one of {known}" if known else f"a split with networks; there is none: {self.reason or 'not trained'}"
        )
        return Problem(NOT_APPLICABLE, "the networks' split", split, expected, "Name a split that has networks.")
