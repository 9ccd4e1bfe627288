"""What the operating system says of a full, closed or broken disk, told as our errors."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gliocast.errors import OBSTRUCTED, UNREADABLE, UNWRITABLE, ArtefactError, InputError, Problem

RUN_AGAIN = "run again: finished stages are kept"


@contextmanager
def told_where_unwritable(path: Path, then: str = RUN_AGAIN) -> Iterator[None]:
    """Turn what the operating system says of a full or closed disk, or of an obstructed place, into our error.

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
        refused = ArtefactError(unwritable(path, said, then))
        refused.say_what_is_kept()  # there was something to write
        raise refused from error


def unwritable_folders(folders: Iterable[Path]) -> Iterator[Problem]:
    """The problem of each folder in which no file can be made; tried out there, or where the folder will lie."""
    for folder in folders:
        try:
            with told_where_unwritable(folder):
                nearest = next(place for place in (folder, *folder.parents) if place.is_dir())
                with tempfile.TemporaryFile(dir=nearest) as tried:
                    tried.write(b" ")
        except ArtefactError as error:
            yield from error.problems


@contextmanager
def told_where_unreadable(path: Path) -> Iterator[None]:
    """Turn what the operating system says of a closed or broken file, or of a folder in its place, into our error.

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


def unwritable(path: Path, error: OSError, then: str = RUN_AGAIN) -> Problem:
    """The problem of a disk that takes no result, or of a place that is taken."""
    return problem(path, error, "a writable disk with room", "Make room or give write access", then)


def unreadable(path: Path, error: OSError) -> Problem:
    """The problem of a file that is there and cannot be read, or is none."""
    return problem(path, error, "a file that this account may read", "Give read access, or copy the file anew")


def problem(path: Path, error: OSError, expected: str, remedy: str, then: str = RUN_AGAIN) -> Problem:
    """What the system says of `path`; where something else stands there, another remedy helps."""
    if error.errno in OBSTRUCTED:
        expected, remedy = "nothing else in its place", "Move away what stands there, or where its folder belongs"
    found = error.strerror or f"error {error.errno}"
    return Problem("–", f"{path.parent.name}/{path.name}", found, expected, f"{remedy}, and {then}.")
