"""Finished pieces of long work, kept so that a killed run goes on where it was."""

from __future__ import annotations

import logging
from io import BytesIO
from pathlib import Path

import pandas as pd

from gliocast.datasets.workspace import WorkspaceDataset
from gliocast.persistence.atomic import atomic_write, whole_files
from gliocast.persistence.disk import told_where_unwritable
from gliocast.persistence.fingerprints import sha256_of_bytes

_log = logging.getLogger(__name__)


class PieceFolder:
    """One Parquet file a finished piece, in a folder named by what the pieces depend on.

    A file's name ends with the digest of its content: Parquet does not notice a flipped bit in a number.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, key: str, number: int) -> pd.DataFrame | None:
        """The finished piece, or None where it has to be done; a damaged file is warned of and done again."""
        stored = whole_files(self._folder(key), f"{number:05d}-*.parquet")
        for path in stored:
            content = _read(path)
            if path.name == _name(number, content):
                return pd.read_parquet(BytesIO(content))
        if stored:
            _log.warning("Piece %d of %s is damaged; it is done again.", number, self.folder.name)
        return None

    def save(self, key: str, number: int, piece: pd.DataFrame) -> None:
        """Keep a finished piece.

        Raises:
            ArtefactError: the disk is full or cannot be written.
        """
        content = piece.to_parquet(index=False)
        with told_where_unwritable(self.folder), atomic_write(self._folder(key) / _name(number, content)) as temporary:
            temporary.write_bytes(content)

    def _folder(self, key: str) -> Path:
        return self.folder / key[:16]


class FinishedPiecesDataset(WorkspaceDataset):
    """The folder of finished pieces, as a handle."""

    handle = PieceFolder


def _name(number: int, content: bytes) -> str:
    return f"{number:05d}-{sha256_of_bytes(content)[:16]}.parquet"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
