"""The study's journal: a file of JSON lines that survives a process killed while it writes."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from gliocast.errors import ArtefactError, Problem
from gliocast.tuning.optuna_types import BaseStorage

ENTRY_OPENING = b'{"op_code":'
REPAIR = "the last entry of the journal had been cut short by a crash and was removed"
logger = logging.getLogger(__name__)


class MendingLock:
    """Lets one process write at a time, and removes what another left half-written before the next line is added.

    Optuna's own lock outlives a killed process by 30 s, and a line added to half a line spoils the journal for good.
    The operating system takes this lock back at the moment its process ends.

    Attributes:
        repairs: what was mended since this lock was made.
    """

    def __init__(self, journal: Path) -> None:
        from filelock import FileLock

        self.journal = journal
        self.lock = FileLock(f"{journal}.lock")
        self.repairs: list[str] = []

    def acquire(self) -> bool:
        """Wait for the lock, and mend the journal's end where it is torn."""
        self.lock.acquire()
        try:
            if not ends_with_whole_line(self.journal):
                self.mend()
        except BaseException:
            self.lock.release()
            raise
        return True

    def release(self) -> None:
        """Give the lock back."""
        self.lock.release()

    def mend(self) -> None:
        """Remove a last entry that was never written to its end; with it goes nothing that anyone has read."""
        content = self.journal.read_bytes()
        entries = whole_entries(content)
        if len(entries) == len(content):
            return
        with self.journal.open("rb+") as file:
            file.truncate(len(entries))
        self.repairs.append(REPAIR)
        logger.warning("%s: %s.", self.journal.name, REPAIR)


def open_journal(journal: Path) -> tuple[BaseStorage, list[str]]:
    """The storage in the file `journal`, which is made where it is absent and mended where its end is torn.

    Returns:
        The storage, and the list that its repairs are written to, now and later.

    Raises:
        ArtefactError: the file is no journal, or was damaged otherwise than by a crash.
        OSError: the file cannot be written.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    journal.parent.mkdir(parents=True, exist_ok=True)
    journal.touch()
    lock = MendingLock(journal)
    lock.acquire()
    try:
        lock.mend()
    finally:
        lock.release()
    backend = JournalFileBackend(str(journal), lock_obj=lock)  # type: ignore[arg-type]  # it only acquires and releases
    return JournalStorage(backend), lock.repairs


def ends_with_whole_line(journal: Path) -> bool:
    """Whether the journal is empty or its last byte ends a line."""
    with journal.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(end - 1, 0))
        return end == 0 or file.read(1) == b"\n"


def whole_entries(content: bytes) -> bytes:
    """The journal's entries up to the last whole one.

    Raises:
        ArtefactError: something other than the end of the last entry is damaged.
    """
    lines = content.splitlines(keepends=True)
    broken = [number for number, line in enumerate(lines) if not _is_entry(line)]
    if broken and (broken != [len(lines) - 1] or not _is_torn(lines[-1])):
        raise ArtefactError(_damaged(broken[0] + 1))
    return b"".join(lines[:-1] if broken else lines)


def _is_entry(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and "op_code" in json.loads(line)
    except (ValueError, TypeError):  # no JSON, or a bare number
        return False


def _is_torn(line: bytes) -> bool:
    """Whether a crash can have left this: the beginning of an entry, or space that was never written to."""
    return ENTRY_OPENING.startswith(line[: len(ENTRY_OPENING)]) or not line.strip(b"\0\n")


def _damaged(line_number: int) -> Problem:
    return Problem(
        "–",
        f"tuning study, line {line_number} of its journal",
        "no journal entry",
        "one JSON object on each line, as the search wrote it",
        "Move the file away; the search then starts afresh. Or restore it from a copy.",
    )
