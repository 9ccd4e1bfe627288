"""The ledger of how often each test partition was opened, kept beside the records of stages."""

from __future__ import annotations

import json
from pathlib import Path

from gliocast.datasets.workspace import WorkspaceDataset
from gliocast.errors import ArtefactError, Problem
from gliocast.persistence.atomic import atomic_write
from gliocast.persistence.disk import told_where_unwritable


class Openings:
    """One JSON file; fingerprints alone, no patient."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "test_openings.json"

    def read(self) -> list[tuple[str, str]]:
        """Fingerprints of partition and predictions of each opening, in their order.

        Raises:
            ArtefactError: the file is damaged, so that nobody can tell how often the partition was opened.
        """
        if not self.file.is_file():
            return []
        try:
            return [(partition, predictions) for partition, predictions in json.loads(self.file.read_bytes())]
        except (ValueError, TypeError):
            raise ArtefactError(_damaged(self.file.name)) from None

    def add(self, partition_sha256: str, predictions_sha256: str) -> None:
        """Write one opening down.

        Raises:
            ArtefactError: the disk is full or cannot be written, or the file is damaged.
        """
        everything = [*self.read(), (partition_sha256, predictions_sha256)]
        with told_where_unwritable(self.file), atomic_write(self.file) as temporary:
            temporary.write_text(json.dumps(everything, indent=1), encoding="utf-8")


def _damaged(name: str) -> Problem:
    remedy = "Restore it; or delete it, and say in any report that earlier openings are not counted."
    return Problem("–", name, "damaged", "the openings of the test partition", remedy)


class OpeningsDataset(WorkspaceDataset):
    """The ledger, as a handle."""

    handle = Openings
