"""Looks for planted words in whatever a run has left behind, however deep they are packed."""

from __future__ import annotations

import base64
import gzip
import io
import re
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

DATA_URL = re.compile(rb"base64,([A-Za-z0-9+/=]{16,})")


def leaks(files: Iterable[Path], words: Iterable[str]) -> list[tuple[str, str]]:
    """Which word stands in which file: in its name or anywhere in its content, in any case and in UTF-8 or UTF-16."""
    patterns = {word: _pattern(word) for word in words}
    return [
        (file.name, word)
        for file in files
        for content in [file.name.encode(), *unpacked(file.read_bytes())]
        for word, pattern in patterns.items()
        if pattern.search(content)
    ]


def unpacked(content: bytes) -> Iterator[bytes]:
    """The content itself, and what is packed in it: gzip, zip, PNG text, Parquet, SQLite, base64 within a page."""
    yield content
    for data_url in DATA_URL.finditer(content):
        yield from unpacked(base64.b64decode(data_url[1] + b"=" * (-len(data_url[1]) % 4)))
    for start, inner in PACKED.items():
        if content.startswith(start):
            for part in inner(content):
                yield from unpacked(part)


def _pattern(word: str) -> re.Pattern[bytes]:
    """The word, not within a longer number: digits of some probability are no date of birth."""
    spelled = "|".join(re.escape(word.encode(code)).decode("latin-1") for code in ("utf-8", "utf-16-le"))
    return re.compile(rf"(?<![0-9.])(?:{spelled})(?![0-9])".encode("latin-1"), re.IGNORECASE)


def _gzip(content: bytes) -> Iterator[bytes]:
    yield gzip.decompress(content)


def _zip(content: bytes) -> Iterator[bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            yield member.filename.encode()
            yield archive.read(member)


def _png(content: bytes) -> Iterator[bytes]:
    for chunk in re.finditer(rb"zTXt[^\0]*\0\0", content):
        yield zlib.decompressobj().decompress(content[chunk.end() :])


def _parquet(content: bytes) -> Iterator[bytes]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(io.BytesIO(content))
    yield f"{table.schema.metadata} {table.column_names} {table.to_pydict()}".encode()


def _sqlite(content: bytes) -> Iterator[bytes]:
    with tempfile.NamedTemporaryFile() as copy:
        copy.write(content)
        copy.flush()
        connection = sqlite3.connect(copy.name)
        yield "\n".join(connection.iterdump()).encode()
        connection.close()


PACKED = {
    b"\x1f\x8b": _gzip,
    b"PK\x03\x04": _zip,
    b"\x89PNG": _png,
    b"PAR1": _parquet,
    b"SQLite format 3\0": _sqlite,
}
