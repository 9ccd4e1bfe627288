"""Folders that a stage works in while it runs: checkpoints, a study, the records of stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from gliocast.persistence.stages import StageRecords


class WorkspaceDataset(AbstractDataset[None, Any]):
    """A place to resume from. Loading gives a handle to it; nothing is ever saved through the catalog.

    It is no result and no evidence: what lies in it does not make a stage stale.
    """

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self.filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Any:
        """The folder; subclasses give a richer handle."""
        return self.filepath

    def save(self, data: None) -> None:
        """Refuse: a workspace is written to by its handle alone."""
        raise TypeError("a workspace is written to by its handle alone")

    def fingerprint(self) -> str:
        """The same for any content."""
        return "workspace"

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"folder": self.filepath.name}


class StageRecordsDataset(WorkspaceDataset):
    """The records that tell finished stages from stale ones."""

    def load(self) -> StageRecords:
        """The records."""
        return StageRecords(self.filepath)
