"""The montage's pages on disk: the first under its own name, the others in a folder beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gliocast.datasets.base import PlacedDataset, missing
from gliocast.errors import ArtefactError
from gliocast.imaging.montage import Montage
from gliocast.persistence.atomic import atomic_folder, atomic_write
from gliocast.persistence.disk import told_where_unwritable
from gliocast.persistence.fingerprints import sha256_of_file, sha256_of_folder, sha256_of_value


class MontageDataset(PlacedDataset[Montage, Path]):
    """Pages that link to each other, written as they are drawn and put in place together, once all are drawn."""

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(filepath, metadata)
        self.others = self.filepath.with_name(f"{self.filepath.stem}_pages")

    def load(self) -> Path:
        """The first page.

        Raises:
            ArtefactError: there is none.
        """
        if not self._exists():
            raise ArtefactError(missing(self.filepath))
        return self.filepath

    def save(self, data: Montage) -> None:
        """Draw and store all pages; those of patients who are no longer shown disappear.

        Raises:
            ArtefactError: the disk is full or cannot be written; the old pages are still there.
        """
        home = f"../{self.filepath.name}"
        with told_where_unwritable(self.filepath):
            with atomic_write(self.filepath) as first, atomic_folder(self.others) as folder:
                write_pieces(first, data.page(1, lambda to: f"{self.others.name}/{page_name(to)}" if to > 1 else ""))
                for number in range(2, data.n_pages + 1):
                    pieces = data.page(number, lambda to: page_name(to) if to > 1 else home)
                    write_pieces(folder / page_name(number), pieces)
            if data.n_pages == 1:
                shutil.rmtree(self.others)

    def fingerprint(self) -> str:
        """SHA-256 over all pages."""
        return sha256_of_value([sha256_of_file(self.filepath), sha256_of_folder(self.others)])


def page_name(number: int) -> str:
    """The file of a page, from the second on."""
    return f"page_{number:04d}.html"


def write_pieces(path: Path, pieces: Iterable[str]) -> None:
    """Write a text that never lies in memory as a whole."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(pieces)
