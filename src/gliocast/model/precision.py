"""The arithmetic that a training computes in: float32, or bfloat16 where that is faster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gliocast.errors import ConfigurationError, Problem
from gliocast.model.backbone import in_narrow_groups
from gliocast.model.parameters import ModelParameters, Precision
from gliocast.model.tensors import Device

SMALLEST_BFLOAT16_PX = 32


@contextmanager
def mixed_precision(params: ModelParameters, device: Device, side_px: int) -> Iterator[None]:
    """Training in the precision that `arithmetic` names; weights stay float32."""
    import torch

    enabled = arithmetic(params, device, side_px) == "bfloat16"
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled):
        yield


def arithmetic(params: ModelParameters, device: Device, side_px: int) -> Precision:
    """The precision that training computes in: with `auto`, bfloat16 on a device that has instructions for it.

    There are two exceptions. Slices so small that the last convolutions see a single pixel: what oneDNN gives as their
    gradient in bfloat16 on a processor is then in part unset memory. And, on a processor, networks of depthwise or
    otherwise narrow convolutions, such as EfficientNet: a step of theirs takes longer in bfloat16 than in float32.

    Raises:
        ConfigurationError: bfloat16 is asked of a processor for such slices; timm knows no such backbone.
    """
    on_processor, small = device.type == "cpu", side_px < SMALLEST_BFLOAT16_PX
    if params.precision == "bfloat16" and small and on_processor:
        raise ConfigurationError(_too_small_for_bfloat16(side_px))
    if params.precision != "auto":
        return params.precision
    if small or not has_bfloat16(device) or (on_processor and in_narrow_groups(params.backbone)):
        return "float32"
    return "bfloat16"


def has_bfloat16(device: Device) -> bool:
    """Whether the device multiplies bfloat16 itself; software that imitates it is slower than float32."""
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        features = torch.cpu.get_capabilities()
        return bool(features.get("avx512_bf16") or features.get("amx_bf16"))
    return False


def _too_small_for_bfloat16(side_px: int) -> Problem:
    found, expected = f"bfloat16 on a processor, for slices of {side_px} px", f"at least {SMALLEST_BFLOAT16_PX} px"
    remedy = "Set it to `auto` or `float32`: in bfloat16 part of a gradient would be left unset."
    return Problem("–", "model.precision", found, expected, remedy)
