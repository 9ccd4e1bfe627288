"""scikit-learn objects as skops files: known types only, and the same bytes whenever the object is the same."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from gliocast.errors import ArtefactError, Problem

SCHEMA = "schema.json"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can bear


def dump_skops(fitted: Any, file: Path) -> None:
    """Write `fitted`, with its addresses in memory numbered and without the time: equal objects give equal files."""
    import skops.io

    numbers: dict[int | str, int] = {}
    with ZipFile(io.BytesIO(skops.io.dumps(fitted))) as written:
        schema = _numbered(json.loads(written.read(SCHEMA)), numbers)
        entries = {name: _without_padding(name, written.read(name)) for name in written.namelist() if name != SCHEMA}
    with ZipFile(file, "w") as archive:
        _add(archive, SCHEMA, json.dumps(schema, indent=2).encode())
        for name, content in sorted((_renamed(name, numbers), content) for name, content in entries.items()):
            _add(archive, name, content)


def load_skops(file: Path, trusted: Sequence[str]) -> Any:
    """Read an object whose types are those that skops trusts by itself, or stand in `trusted`.

    Raises:
        ArtefactError: another type is in the file.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.load(file, trusted=list(trusted))
    except UntrustedTypesFoundException as error:
        found = str(error).splitlines()[0]
        remedy = "Do not use this file; fit the models again."
        raise ArtefactError(Problem("–", file.name, found, "known types only", remedy)) from None


def _add(archive: ZipFile, name: str, content: bytes) -> None:
    archive.writestr(ZipInfo(name, EPOCH), content, ZIP_DEFLATED)


def _without_padding(name: str, content: bytes) -> bytes:
    """An array whose rows hold their fields alone: the nodes of a tree are padded with whatever the memory held."""
    import numpy as np

    if not name.endswith(".npy"):
        return content
    table: Any = np.load(io.BytesIO(content))
    if table.dtype.names is None:
        return content
    clean: Any = np.zeros(table.shape, table.dtype)  # `zeros_like` leaves the padding as it finds it
    for field in table.dtype.names:
        clean[field] = table[field]
    packed = io.BytesIO()
    np.save(packed, clean)
    return packed.getvalue()


def _numbered(part: Any, numbers: dict[int | str, int]) -> Any:
    """A part of the schema with addresses in the order in which they appear.

    A plain value goes by what it is: whether two equal ones are one object depends on the process that fitted them.
    """
    if isinstance(part, list):
        return [_numbered(inner, numbers) for inner in part]
    if not isinstance(part, dict):
        return part
    if "__id__" in part:
        identity = part["content"] if part["__loader__"] == "JsonNode" else part["__id__"]
        part = {**part, "__id__": numbers.setdefault(identity, len(numbers) + 1)}
    if isinstance(part.get("file"), str):
        part = {**part, "file": _renamed(part["file"], numbers)}
    return {name: _numbered(inner, numbers) for name, inner in part.items()}


def _renamed(name: str, numbers: dict[int | str, int]) -> str:
    stem, dot, suffix = name.partition(".")
    return f"{numbers[int(stem)]}{dot}{suffix}"
