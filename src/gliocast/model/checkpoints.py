"""What a training needs to go on after a kill, and the store that keeps it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from gliocast.model.tensors import Module, Tensor


@dataclass
class Training:
    """A training under way: everything that a checkpoint holds."""

    network: Module
    forward: Callable[[Tensor], Tensor]  # the network itself, or what the compiler made of it
    optimizer: Any
    scheduler: Any
    epoch: int = 0  # epochs finished
    step: int = 0  # steps finished in the epoch under way
    loss_sum: float = 0.0
    best: tuple[float, float] = (math.inf, math.inf)  # what the best epoch was judged by, and its loss
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    finished: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """One moment of a training.

    Attributes:
        tensors: all weights and moments, by name.
        record: plain JSON: position, curve, and the fingerprint of what is trained on.
    """

    tensors: Mapping[str, Tensor]
    record: Mapping[str, Any]


@runtime_checkable
class Checkpoints(Protocol):
    """A store that keeps the last checkpoint of each training by name; see `gliocast.datasets.checkpoints`."""

    def load(self, name: str) -> Checkpoint | None:
        """The last sound checkpoint, or None where there is none."""

    def save(self, name: str, checkpoint: Checkpoint) -> None:
        """Keep `checkpoint` in place of the last one, atomically."""

    def free_bytes(self) -> int:
        """Room that is left for checkpoints."""


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under `prefix.name`."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def without_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors stored under `prefix`, by their own names."""
    start = prefix + "."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
