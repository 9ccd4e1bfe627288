"""The site's own key for pseudonyms: made once, kept beside the site's configuration, and stored in no result."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from gliocast.datasets.base import PlacedDataset
from gliocast.errors import ConfigurationError, Problem
from gliocast.persistence.atomic import flush
from gliocast.persistence.disk import told_where_unreadable, told_where_unwritable
from gliocast.persistence.fingerprints import sha256_of_value

SHORTEST = 32  # characters, 128 bits in hexadecimal: below that, a pseudonym can be undone by trying keys


class SecretKeyDataset(PlacedDataset[None, str]):
    """A file with a random key, readable by its owner alone; it is made when it is first asked for."""

    def load(self) -> str:
        """The key, 64 hexadecimal digits where gliocast made it.

        Raises:
            ConfigurationError: it is so short that anybody could find it.
            ArtefactError: there is none, and it cannot be written.
            InputError: this account may not read it, or it is no file.
        """
        if not self.filepath.is_file():
            with told_where_unwritable(self.filepath):
                self._make()
        with told_where_unreadable(self.filepath):
            key = self.filepath.read_text(encoding="ascii").strip()
        if len(key) < SHORTEST:
            raise ConfigurationError(too_short(self.filepath, len(key)))
        return key

    def save(self, data: None) -> None:
        """Refuse: a key is never replaced by a run."""
        raise TypeError("a key is never replaced")

    def fingerprint(self) -> str:
        """Changes with the key, and does not tell it."""
        return sha256_of_value(["pseudonym key", self.load()])

    def _make(self) -> None:
        """Put a complete key in place; where another run was first, its key stays."""
        self.filepath.parent.mkdir(parents=True, exist_ok=True)
        opened, name = tempfile.mkstemp(prefix=f".{self.filepath.name}-", dir=self.filepath.parent)  # its owner's alone
        try:
            with os.fdopen(opened, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
            flush(Path(name))
            put_first(Path(name), self.filepath)
            flush(self.filepath.parent)
        finally:
            Path(name).unlink(missing_ok=True)

    def _exists(self) -> bool:
        return True


def put_first(temporary: Path, path: Path) -> None:
    """Give a complete file its name, unless a file of that name is there."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    except OSError:  # a file system without links, such as exFAT
        temporary.replace(path)


def too_short(path: Path, length: int) -> Problem:
    """The problem of a key that could be guessed, as an interrupted run of an older version left it."""
    return Problem(
        "–",
        f"{path.parent.name}/{path.name}",
        f"a key of {length} characters",
        f"at least {SHORTEST}",
        "Put the site's key back, or delete the file: the next run makes a new key, and with it other pseudonyms.",
    )
