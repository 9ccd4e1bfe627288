"""Tensors on the disk, where a full disk is told as the operating system tells it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def save_tensors(tensors: Mapping[str, Any], path: Path) -> None:
    """Write torch's tensors, each contiguous, as safetensors, which refuses two names for one memory: each has its own.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    from safetensors.torch import save_file

    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    owner = {tensor.untyped_storage().data_ptr(): name for name, tensor in whole.items()}
    apart = {
        name: kept if owner[kept.untyped_storage().data_ptr()] == name else kept.clone() for name, kept in whole.items()
    }
    with told_by_the_system():
        save_file(apart, path)


@contextmanager
def told_by_the_system() -> Iterator[None]:
    """Turn what safetensors says of a disk, in an exception of its own, into what the operating system said to it.

    Raises:
        OSError: the disk is full or cannot be written.
    """
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        said = re.search(r"os error (\d+)", str(error))
        number = int(said[1]) if said else errno.EIO
        raise OSError(number, os.strerror(number)) from error
