"""A device that is none: its tensors lie in the processor's memory, but torch takes them for another device's.

What mixes them with the processor's own fails here as it would on a graphics card. torch can be given such a device
once a process, and for good: run it in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

TAKES_BOTH = {"aten::copy_", "aten::index"}  # a card copies from the processor, and is indexed by its tensors
WAITED_FOR = {"aten::_local_scalar_dense", "aten::equal", "aten::nonzero"}  # their answers are needed on the processor
CROSSINGS: list[str] = []  # the operators that carried numbers between both: on a card each of them is waited for


class CardModule(_DummyBackendModule):
    """What torch asks of a device."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


_setup_privateuseone_for_python_backend("card", CardModule())
CARD = torch.device("card", 0)


class CardTensor(torch.Tensor):
    """A tensor that says it lies on the card; `raw` holds its numbers."""

    raw: torch.Tensor

    @staticmethod
    def __new__(cls, raw: torch.Tensor) -> CardTensor:
        options = {"strides": raw.stride(), "storage_offset": raw.storage_offset(), "dtype": raw.dtype}
        tensor = torch.Tensor._make_wrapper_subclass(cls, raw.shape, device=CARD, **options)
        tensor.raw = raw
        return tensor

    @classmethod
    def __torch_dispatch__(cls, operator: Any, types: Any, given: Sequence[Any] = (), named: Any = None) -> Any:
        return on_the_card(operator, given, named or {})


def on_the_card(operator: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]) -> Any:
    """What the operator makes of the tensors' numbers, on the device that is named, else on the card."""
    tensors = [leaf for leaf in tree_leaves((given, named)) if isinstance(leaf, torch.Tensor)]
    here = [tensor for tensor in tensors if not isinstance(tensor, CardTensor) and tensor.dim()]
    if here and operator._schema.name not in TAKES_BOTH:
        raise RuntimeError(f"{operator._schema.name}: tensors on the card and on the processor")
    device = named.get("device") or CARD
    if here or device.type != CARD.type or operator._schema.name in WAITED_FOR:
        CROSSINGS.append(operator._schema.name)
    options = {name: torch.device("cpu") if name == "device" else raw(value) for name, value in named.items()}
    result = operator(*tree_map(raw, given), **options)
    if device.type != CARD.type:
        return result
    known = {id(tensor.raw): tensor for tensor in tensors if isinstance(tensor, CardTensor)}
    return tree_map(lambda leaf: known[id(leaf)] if id(leaf) in known else placed(leaf), result)


def raw(leaf: Any) -> Any:
    """The numbers of a tensor of the card; anything else as it is."""
    return leaf.raw if isinstance(leaf, CardTensor) else leaf


def placed(leaf: Any) -> Any:
    """A tensor on the card; anything else as it is."""
    return CardTensor(leaf) if isinstance(leaf, torch.Tensor) else leaf


def empty(size: Sequence[int], *, dtype: Any = None, memory_format: Any = None, **_options: Any) -> CardTensor:
    return CardTensor(torch.empty(size, dtype=dtype, memory_format=memory_format or torch.contiguous_format))


def empty_strided(size: Sequence[int], stride: Sequence[int], *, dtype: Any = None, **_options: Any) -> CardTensor:
    return CardTensor(torch.empty_strided(size, stride, dtype=dtype))


def copy_from(source: torch.Tensor, target: torch.Tensor, _at_once: bool = False) -> torch.Tensor:
    raw(target).copy_(raw(source))
    return target


OPERATORS = torch.library.Library("aten", "IMPL")  # what torch calls where no tensor of the card is given yet
OPERATORS.impl("empty.memory_format", empty, "PrivateUse1")
OPERATORS.impl("empty_strided", empty_strided, "PrivateUse1")
OPERATORS.impl("_copy_from", copy_from, "PrivateUse1")
