"""Fingerprints: the same content gives the same 64 characters, on every machine."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from gliocast.types import IN_FULL

CHUNK_BYTES = 1 << 20


def sha256_of_bytes(content: bytes) -> str:
    """SHA-256 of `content`, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_of_folder(folder: Path) -> str:
    """SHA-256 over names and contents of all files below `folder`, by name; what Python compiles there is none."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return sha256_of_value([[path.relative_to(folder).as_posix(), sha256_of_file(path)] for path in files])


def sha256_of_value(value: Any) -> str:
    """SHA-256 of a value of plain types, typed parameters or dataclasses, independent of the order of keys."""
    return sha256_of_bytes(json.dumps(value, sort_keys=True, default=_plain).encode())


def sha256_in_order(value: Any) -> str:
    """As `sha256_of_value`, the order of keys included: it may say what is preferred, or which of equals is taken."""
    return sha256_of_bytes(json.dumps(value, default=_plain).encode())


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", context=IN_FULL)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
