"""Where training happens, and with whose random numbers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float

from gliocast.errors import ConfigurationError, Problem
from gliocast.model.tensors import Device, Generator, Tensor

log = logging.getLogger(__name__)


def choose_devices(names: Sequence[str]) -> list[Device]:
    """The devices to train on: `auto` stands for every CUDA device, else the processor.

    Raises:
        ConfigurationError: a named device is not on this machine.
    """
    import torch

    # Of cards that torch cannot use, as with an old driver, `device_count` may tell, too.
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    chosen = [found for name in names for found in ((cuda or ["cpu"]) if name == "auto" else [name])]
    absent = [name for name in chosen if name not in ("cpu", *cuda) and not (name == "cuda" and cuda)]
    if absent:
        expected = ", ".join(["auto", "cpu", *cuda])
        raise ConfigurationError([_absent_device(name, expected) for name in absent])
    return [torch.device(name) for name in chosen]


def device_to_score_on(names: Sequence[str]) -> Device:
    """The first of the devices; where they are another machine's, as of a bundle that was moved, one of this one's."""
    try:
        return choose_devices(names)[0]
    except ConfigurationError:
        device = choose_devices(["auto"])[0]
        log.warning("Networks that were trained on %s score on %s: not all of that is here.", ", ".join(names), device)
        return device


def refuse_unusable(device: Device) -> None:
    """Refuse a device that torch lists and cannot use: one that is busy, or too old or too new for this torch.

    Raises:
        ConfigurationError: it cannot add one and one.
    """
    import torch

    try:
        torch.ones(1, device=device).add(1).item()
    except (RuntimeError, AssertionError) as error:
        raise ConfigurationError(_unusable_device(device, error)) from error


def resident(stacks: Float[Any, "patients slices height width"], device: Device) -> Tensor:
    """The whole cohort's slices as float32 on the device: nine small slices a patient fit into any memory."""
    import torch

    return torch.as_tensor(stacks).to(device=device, dtype=torch.float32)


@contextmanager
def private_randomness(device: Device) -> Iterator[Generator]:
    """Yield the generator that dropout draws from on `device`; the caller's random state comes back afterwards."""
    import torch

    on_gpu = device.type == "cuda"
    with torch.random.fork_rng([device] if on_gpu else []):
        yield torch.cuda.default_generators[device.index or 0] if on_gpu else torch.default_generator


@contextmanager
def processor_threads(count: int | None) -> Iterator[None]:
    """Let torch use `count` processor threads (None: as many as it likes)."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def whole_float32() -> Iterator[None]:
    """Let GPUs multiply float32 in all its 24 bits; by default their convolutions take 11 of them (TF32)."""
    import torch

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def derived_seed(*parts: int) -> int:
    """One seed out of several numbers: the same numbers give the same seed, others an unrelated one.

    Zeros at the end do not count: a seed alone, and that seed with a zero after it, are the same.
    """
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def _unusable_device(device: Device, error: Exception) -> Problem:
    found = f"{device}: {str(error).partition(chr(10))[0]}"
    remedy = "Look at its driver and at what else runs on it, or name another device, such as cpu."
    return Problem("–", "model.devices", found, "a device that torch can use", remedy)


def _absent_device(name: str, expected: str) -> Problem:
    return Problem("–", "model.devices", name, expected, "Name a device of this machine, or `auto`.")
