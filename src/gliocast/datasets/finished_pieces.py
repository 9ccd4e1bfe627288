"""Finished pieces of long work, kept so that a killed run goes on where it was."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from gliocast.datasets.workspace import WorkspaceDataset
from gliocast.persistence.atomic import atomic_write

_log = logging.getLogger(__name__)


class PieceFolder:
    """One Parquet file a finished piece, in a folder named by what the pieces depend on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, key: str, number: int) -> pd.DataFrame | None:
        """The finished piece, or None where it has to be done; a damaged file is warned of and done again."""
        path = self._path(key, number)
        if not path.is_file():
            return None
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError):
            _log.warning("Piece %d of %s is damaged; it is done again.", number, self.folder.name)
            return None

    def save(self, key: str, number: int, piece: pd.DataFrame) -> None:
        """Keep a finished piece."""
        with atomic_write(self._path(key, number)) as temporary:
            piece.to_parquet(temporary, index=False)

    def _path(self, key: str, number: int) -> Path:
        return self.folder / key[:16] / f"{number:05d}.parquet"


class FinishedPiecesDataset(WorkspaceDataset):
    """The folder of finished pieces, as a handle."""

    def load(self) -> PieceFolder:
        """The handle."""
        return PieceFolder(self.filepath)
