"""The montage's pages on disk: the first under its own name, the others in a folder beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from gliocast.datasets.base import PlacedDataset, missing
from gliocast.errors import ArtefactError
from gliocast.imaging.montage import Montage
from gliocast.persistence.atomic import atomic_folder, atomic_write, flush
from gliocast.persistence.disk import told_where_unwritable
from gliocast.persistence.fingerprints import sha256_of_file, sha256_of_folder, sha256_of_value

DIGEST = "[0-9a-f]" * 12  # of the content of the other pages, in the name of their folder


class MontageDataset(PlacedDataset[Montage, Path]):
    """Pages that link to each other, written as they are drawn and replaced at one stroke.

    The folder of the other pages is named by its content. The first page, which links to it, is put in place when the
    folder is complete, and only then the older folders go: whenever a run is killed, the first page finds its others.
    """

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
        with told_where_unwritable(self.filepath):
            others = self._save_others(data)
            with atomic_write(self.filepath) as temporary:
                pieces = data.page(1, lambda number: f"{others}/{page_name(number)}" if number > 1 else "")
                write_pieces(temporary, pieces)
            self._forget_all_but(others)

    def fingerprint(self) -> str:
        """SHA-256 over all pages."""
        folders = [[folder.name, sha256_of_folder(folder)] for folder in self._folders()]
        return sha256_of_value([sha256_of_file(self.filepath), folders])

    def _save_others(self, montage: Montage) -> str:
        """The pages from the second on; returns their folder's name, which is empty where there are none."""
        if montage.n_pages == 1:
            return ""
        unnamed, home = self.filepath.with_name(f".{self.filepath.stem}-pages"), f"../{self.filepath.name}"
        with atomic_folder(unnamed) as temporary:
            for number in range(2, montage.n_pages + 1):
                pieces = montage.page(number, lambda other: page_name(other) if other > 1 else home)
                write_pieces(temporary / page_name(number), pieces)
        named = self.filepath.with_name(f"{self.filepath.stem}_{sha256_of_folder(unnamed)[:12]}")
        if not named.exists():  # where it does, it holds the very same pages
            unnamed.rename(named)
            flush(named.parent)
        return named.name

    def _folders(self) -> list[Path]:
        return sorted(path for path in self.filepath.parent.glob(f"{self.filepath.stem}_{DIGEST}") if path.is_dir())

    def _forget_all_but(self, others: str) -> None:
        """Remove the pages of an older save, and the remains of one that was killed."""
        remains = self.filepath.parent.glob(f".*{self.filepath.stem}-*")
        for path in [*(folder for folder in self._folders() if folder.name != others), *remains]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def page_name(number: int) -> str:
    """The file of a page, from the second on."""
    return f"page_{number:04d}.html"


def write_pieces(path: Path, pieces: Iterable[str]) -> None:
    """Write a text that never lies in memory as a whole."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(pieces)
