"""What the operating system says of a full, closed or broken disk, told as our errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gliocast.errors import UNREADABLE, UNWRITABLE, ArtefactError, InputError, Problem


@contextmanager
def told_where_unwritable(path: Path, then: str = "run again: finished stages are kept") -> Iterator[None]:
    """Turn what the operating system says of a full or closed disk into our error.

    Args:
        path: what is to be written.
        then: what the user does once there is room.

    Raises:
        ArtefactError: `path` cannot be written.
    """
    try:
        yield
    except OSError as error:
        said = by_the_system(error)
        if said.errno not in UNWRITABLE:
            raise
        raise ArtefactError(unwritable(path, said, then)) from error


@contextmanager
def told_where_unreadable(path: Path) -> Iterator[None]:
    """Turn what the operating system says of a closed or broken file into our error.

    Raises:
        InputError: `path` cannot be read.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        raise InputError(unreadable(path, error)) from error


def by_the_system(error: OSError) -> OSError:
    """The error that bears the system's number: pydicom raises one of its own, without a number, from it."""
    while error.errno is None and isinstance(error.__cause__, OSError):
        error = error.__cause__
    return error


def unwritable(path: Path, error: OSError, then: str) -> Problem:
    """The problem of a disk that takes no result."""
    remedy = f"Make room or give write access, and {then}."
    found = error.strerror or "unwritable"
    return Problem("–", f"{path.parent.name}/{path.name}", found, "a writable disk with room", remedy)


def unreadable(path: Path, error: OSError) -> Problem:
    """The problem of a file that is there and cannot be read."""
    found = error.strerror or "unreadable"
    remedy = "Give read access, or copy the file anew, and run again."
    return Problem("–", f"{path.parent.name}/{path.name}", found, "a file that this account may read", remedy)
