"""What made each stored result: a record a stage, so that a finished stage is reused and a stale one never is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from gliocast.persistence.atomic import atomic_write, whole_files
from gliocast.persistence.disk import told_where_unreadable, told_where_unwritable

LOCK_MESSAGE = "Another run is working on stage %s; waiting for it."


@dataclass(frozen=True)
class StageRecord:
    """The fingerprints of everything that a stage's results depend on, and of the results themselves."""

    code: str
    parameters: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    def difference(self, now: StageRecord) -> str | None:
        """Why the stage has to run again, in words; None where nothing has changed."""
        if self.code != now.code:
            return "its code, or a library that it calls, has changed"
        for what, before, after in (
            ("parameter", self.parameters, now.parameters),
            ("input", self.inputs, now.inputs),
        ):
            changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
            if changed:
                return f"{what} {', '.join(changed)} has changed"
        return None


class StageRecords:
    """The records of all stages, one JSON file each, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, stage: str) -> StageRecord | None:
        """The record of the last complete run of `stage`; None where there is none that this version can read.

        Raises:
            InputError: this account may not read it, or it is no file.
        """
        path = self._path(stage)
        try:
            with told_where_unreadable(path):
                return StageRecord(**json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):  # absent, cut short, or of other fields
            return None

    def write(self, stage: str, record: StageRecord) -> None:
        """Keep `record` as the last complete run of `stage`."""
        path = self._path(stage)
        with told_where_unwritable(path), atomic_write(path) as temporary:
            temporary.write_text(json.dumps(asdict(record), indent=1, sort_keys=True), encoding="utf-8")

    def forget(self, stage: str) -> None:
        """Remove the record of `stage`: from now on until it is complete, its results count as unfinished."""
        path = self._path(stage)
        with told_where_unwritable(path):
            path.unlink(missing_ok=True)

    def written_by_any(self, output: str, fingerprint: str) -> bool:
        """Whether some stage has written this content of `output`: then nobody has edited it by hand."""
        records = (self.read(path.stem) for path in whole_files(self.folder, "*.json"))
        return any(record.outputs.get(output) == fingerprint for record in records if record)

    @contextmanager
    def lock(self, stage: str) -> Iterator[None]:
        """Let one run at a time work on `stage`; a second one waits, and then finds it finished.

        Raises:
            ArtefactError: the folder of the records cannot be written.
        """
        import logging

        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / f"{stage}.lock")
        try:
            with told_where_unwritable(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=0)
        except Timeout:
            logging.getLogger(__name__).warning(LOCK_MESSAGE, stage)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _path(self, stage: str) -> Path:
        return self.folder / f"{stage}.json"
