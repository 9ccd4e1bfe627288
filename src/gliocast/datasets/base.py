"""What all datasets of gliocast share: atomic saving, a fingerprint, and silence about the machine's paths."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from kedro.io import AbstractDataset

from gliocast.errors import ArtefactError, Problem
from gliocast.persistence.atomic import atomic_folder, atomic_write, stored_folder
from gliocast.persistence.disk import told_where_unreadable, told_where_unwritable
from gliocast.persistence.fingerprints import sha256_of_file, sha256_of_folder

Saved = TypeVar("Saved")
Loaded = TypeVar("Loaded")
Value = TypeVar("Value")


class PlacedDataset(AbstractDataset[Saved, Loaded], Generic[Saved, Loaded]):
    """A file or folder; of its place no more than the name is told."""

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self.filepath = Path(filepath)
        self.metadata = metadata

    def _exists(self) -> bool:
        return self.filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"name": self.filepath.name}


class AtomicDataset(PlacedDataset[Value, Value], Generic[Value]):
    """One file: after a crash it is the old one or the new one, never half of each.

    Subclasses say how a value is written to and read from a path; everything else is here.
    """

    atomically = staticmethod(atomic_write)
    content_sha256: Callable[[Path], str] = staticmethod(sha256_of_file)

    @abstractmethod
    def write(self, path: Path, value: Value) -> None:
        """Write `value` to the temporary file `path`."""

    @abstractmethod
    def read(self, path: Path) -> Value:
        """Read the value stored in `path`."""

    def load(self) -> Value:
        """Read the stored value.

        Raises:
            ArtefactError: there is no such file.
            InputError: it cannot be read.
        """
        if not self._exists():
            raise ArtefactError(missing(self.filepath))
        with told_where_unreadable(self.filepath):
            return self.read(self._stored())

    def save(self, data: Value) -> None:
        """Store the value in place of the old one.

        Raises:
            ArtefactError: the disk is full or cannot be written; the old value is still there.
        """
        with told_where_unwritable(self.filepath), self.atomically(self.filepath) as temporary:
            self.write(temporary, data)

    def fingerprint(self) -> str:
        """SHA-256 of the stored content."""
        with told_where_unreadable(self.filepath):
            return self.content_sha256(self._stored())

    def _stored(self) -> Path:
        return self.filepath


class AtomicFolderDataset(AtomicDataset[Value], Generic[Value]):
    """One folder that is replaced as a whole; its content is the names and contents of all files in it."""

    atomically = staticmethod(atomic_folder)
    content_sha256 = staticmethod(sha256_of_folder)

    def _stored(self) -> Path:
        return stored_folder(self.filepath)

    def _exists(self) -> bool:
        return self._stored().is_dir()


def read_manifest(path: Path, schema_version: int, problem: Callable[[str, str], Problem]) -> dict[str, Any]:
    """What vouches for the files beside it.

    Args:
        path: the manifest, JSON.
        schema_version: the one that this program writes.
        problem: names the manifest and its remedy, given what was found and what was expected.

    Raises:
        ArtefactError: the manifest is absent, damaged, or of another version.
    """
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ArtefactError(problem("absent or damaged", "a manifest")) from None
    if manifest.get("schema_version") != schema_version:
        found = f"schema version {manifest.get('schema_version')}"
        raise ArtefactError(problem(found, f"schema version {schema_version}"))
    return manifest


def file_problems(file: Path, sha256: str, problem: Callable[[str, str, str], Problem]) -> list[Problem]:
    """What is wrong with a file that a manifest names, if anything.

    Args:
        file: where it should lie.
        sha256: of what was written.
        problem: names the file and its remedy, given its name, what was found and what was expected.
    """
    if not file.is_file():
        return [problem(file.name, "absent", "the file that the manifest names")]
    if sha256_of_file(file) != sha256:
        return [problem(file.name, "changed since it was written", "the SHA-256 that the manifest names")]
    return []


def missing(path: Path) -> Problem:
    """The problem of a stored result that is not there."""
    return Problem("–", f"{path.parent.name}/{path.name}", "absent", "a stored result", "Run the stage that makes it.")
