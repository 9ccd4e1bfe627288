"""The names of torch's types for annotations, without importing torch (seconds) where only the names are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Generator, Tensor, device
    from torch.nn import Module

    Device = device
else:
    Generator = Tensor = Module = Device = Any

__all__ = ["Device", "Generator", "Module", "Tensor"]
