"""What a training needs to go on after a kill, and the store that keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from gliocast.model.tensors import Tensor


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
