"""Tensors on the disk, where a full disk is told as the operating system tells it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def save_tensors(tensors: Mapping[str, Any], path: Path) -> None:
    """Write torch's tensors, each contiguous, as safetensors.

    Raises:
        OSError: the disk is full or cannot be written; safetensors itself says so in an exception of its own.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    except SafetensorError as error:
        said = re.search(r"os error (\d+)", str(error))
        number = int(said[1]) if said else errno.EIO
        raise OSError(number, os.strerror(number)) from error
