"""Folders that a stage works in while it runs: checkpoints, a study, the records of stages."""

from __future__ import annotations

from typing import Any, ClassVar

from gliocast.datasets.base import PlacedDataset
from gliocast.persistence.stages import StageRecords


class WorkspaceDataset(PlacedDataset[None, Any]):
    """A place to resume from. Loading gives a handle to it; nothing is ever saved through the catalog.

    It is no result and no evidence: what lies in it does not make a stage stale.
    """

    handle: ClassVar[Any]

    def load(self) -> Any:
        """The handle."""
        return self.handle(self.filepath)

    def save(self, data: None) -> None:
        """Refuse: a workspace is written to by its handle alone."""
        raise TypeError("a workspace is written to by its handle alone")

    def fingerprint(self) -> str:
        """The same for any content."""
        return "workspace"

    def _exists(self) -> bool:
        return True


class StageRecordsDataset(WorkspaceDataset):
    """The records that tell finished stages from stale ones."""

    handle = StageRecords
