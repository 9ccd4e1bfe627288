"""The site's own key for pseudonyms: made once, kept beside the site's configuration, and stored in no result."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from gliocast.persistence.fingerprints import sha256_of_value


class SecretKeyDataset(AbstractDataset[None, str]):
    """A file with a random key, readable by its owner alone; it is made when it is first asked for."""

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self.filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> str:
        """The key, 64 hexadecimal digits where gliocast made it."""
        if not self.filepath.is_file():
            self._make()
        return self.filepath.read_text(encoding="ascii").strip()

    def save(self, data: None) -> None:
        """Refuse: a key is never replaced by a run."""
        raise TypeError("a key is never replaced")

    def fingerprint(self) -> str:
        """Changes with the key, and does not tell it."""
        return sha256_of_value(["pseudonym key", self.load()])

    def _make(self) -> None:
        self.filepath.parent.mkdir(parents=True, exist_ok=True)
        opened = os.open(self.filepath, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"file": self.filepath.name}
