"""The names of torch's types for annotations, without importing torch (seconds) where only the names are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, device
    from torch.nn import Module

    Device = device
else:
    Tensor = Module = Device = Any

__all__ = ["Device", "Module", "Tensor"]
