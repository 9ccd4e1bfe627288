"""The way of each training, kept on the disk so that a kill at any moment loses nothing that was stored."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gliocast.datasets.workspace import WorkspaceDataset
from gliocast.errors import ArtefactError, Problem
from gliocast.model.checkpoints import Checkpoint
from gliocast.persistence.atomic import atomic_write, whole_files
from gliocast.persistence.fingerprints import sha256_of_file, sha256_of_value
from gliocast.persistence.tensor_files import save_tensors

log = logging.getLogger(__name__)
KEPT = 2  # the last checkpoint, and the one before in case the last is damaged


class CheckpointFolder:
    """Keeps the last checkpoints of each training: tensors as safetensors, and a JSON record that vouches for them.

    The record is written last and names the SHA-256 of the tensors: without a record there is no checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, checkpoint: Checkpoint) -> None:
        """Keep `checkpoint`, and the one before it."""
        records = self._records(name)
        number = int(records[0].stem) + 1 if records else 1
        record = self._folder_of(name) / f"{number:08d}.json"
        with atomic_write(_tensors_of(record)) as temporary:
            save_tensors(checkpoint.tensors, temporary)
        with atomic_write(record) as temporary:
            temporary.write_text(json.dumps(_vouched(_tensors_of(record), checkpoint.record)), encoding="utf-8")
        self._keep_newest(name)

    def load(self, name: str) -> Checkpoint | None:
        """The last sound checkpoint of `name`, or None where there is none yet.

        A damaged one after it is warned of and removed: it would be kept as the one before in place of a sound one.

        Raises:
            ArtefactError: every checkpoint is damaged.
        """
        damaged: list[Path] = []
        for record in self._records(name):
            checkpoint = _read(record)
            if checkpoint is not None:
                for other in damaged:
                    log.warning("Checkpoint %s of %s is damaged; the one before is taken.", other.stem, name)
                    other.unlink()
                return checkpoint
            damaged.append(record)
        if damaged:
            raise ArtefactError(_damaged(name, self._folder_of(name)))
        return None

    def free_bytes(self) -> int:
        """Room left on the disk that the folder lies on, or will lie on."""
        nearest = next(
            parent for parent in (self.folder.absolute(), *self.folder.absolute().parents) if parent.exists()
        )
        return shutil.disk_usage(nearest).free

    def _records(self, name: str) -> list[Path]:
        return whole_files(self._folder_of(name), "*.json")[::-1]

    def _folder_of(self, name: str) -> Path:
        return self.folder / name.replace("/", "-")

    def _keep_newest(self, name: str) -> None:
        kept = {record.stem for record in self._records(name)[:KEPT]}
        for path in self._folder_of(name).iterdir():
            if path.stem not in kept:  # also what a kill left half-written
                path.unlink()


class CheckpointsDataset(WorkspaceDataset):
    """The folder of checkpoints, as a handle."""

    handle = CheckpointFolder


def _read(record: Path) -> Checkpoint | None:
    from safetensors.torch import load_file

    try:
        stored = json.loads(record.read_text(encoding="utf-8"))
        if stored != _vouched(_tensors_of(record), stored["record"]):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Checkpoint(load_file(_tensors_of(record)), stored["record"])


def _vouched(tensors: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    return {"tensors": sha256_of_file(tensors), "digest": sha256_of_value(record), "record": dict(record)}


def _tensors_of(record: Path) -> Path:
    return record.with_suffix(".safetensors")


def _damaged(name: str, folder: Path) -> Problem:
    remedy = f"Remove the folder {folder.parent.name}/{folder.name} to train {name} from its beginning."
    return Problem("–", f"the checkpoints of {name}", "all damaged", "one that is as it was written", remedy)
