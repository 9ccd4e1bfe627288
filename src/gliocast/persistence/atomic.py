"""Files and folders that are the old one or the new one, never half of each."""

from __future__ import annotations

import errno
import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

A_DAY_SECONDS = 24 * 3600.0
RANDOM = "?" * 8  # what `tempfile` puts into a name


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`; on success it takes the place of `path`, on failure it is removed.

    The temporary file lies in the same folder, since a rename is atomic only within one file system, and it keeps the
    suffix of `path`, since several writers choose their format by it. File and folder are flushed to the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_forgotten(path.parent, f".{glob.escape(path.stem)}-{RANDOM}{glob.escape(path.suffix)}")
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        flush(temporary)
        temporary.chmod(0o666 & ~umask())
        temporary.replace(path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def whole_files(folder: Path, pattern: str) -> list[Path]:
    """The files in `folder`, in the order of their names, without those that `atomic_write` is writing."""
    return sorted(path for path in folder.glob(pattern) if not path.name.startswith("."))


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes the place of `path`, on failure it is removed.

    A folder cannot replace a folder in one step: the old one is moved aside first. Between the two steps, and after a
    crash there, readers find it by `stored_folder`; the next writer brings it back.

    Raises:
        NotADirectoryError: a file stands in its place.
    """
    if path.is_file():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    recover_folder(path)
    remove_forgotten(path.parent, f".{glob.escape(path.name)}-{RANDOM}")
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield temporary
        for written in (*sorted(temporary.rglob("*")), temporary):
            written.chmod((0o777 if written.is_dir() else 0o666) & ~umask())  # safetensors writes for the owner alone
            flush(written)
        if path.exists():
            path.rename(_aside(path))
        temporary.rename(path)
        flush(path.parent)
        with suppress(OSError):
            _remove(_aside(path))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def stored_folder(path: Path) -> Path:
    """Where the content of `path` lies: there, or still aside. Nothing is moved: another run may be writing."""
    aside = _aside(path)
    return path if path.exists() or not aside.exists() else aside


def recover_folder(path: Path) -> None:
    """Finish what a crash interrupted in `atomic_folder`: the old folder comes back where the new one never arrived.

    For the writer alone, of whom there is one at a time.
    """
    aside = _aside(path)
    if not aside.exists():
        return
    if path.exists():
        _remove(aside)
    else:
        aside.rename(path)


def remove_forgotten(folder: Path, pattern: str) -> None:
    """Remove the temporary files and folders of writers that were killed: they hold patients' rows."""
    for path in forgotten(folder):
        if path.match(pattern):
            with suppress(FileNotFoundError):  # another run may remove it as well
                _remove(path)


@cache  # a look at every write would take the square of a folder's files
def forgotten(folder: Path) -> list[Path]:
    """The hidden files and folders that, as this process first writes to `folder`, nobody has touched for a day.

    What has been touched since, another run may be writing now.
    """
    found = []
    for path in folder.glob(".*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime >= A_DAY_SECONDS:
                found.append(path)
    return found


def umask() -> int:
    """The permissions that the site withholds from new files; temporary ones are made for their owner alone."""
    mask = os.umask(0o077)  # it can only be asked by setting it
    os.umask(mask)
    return mask


def flush(path: Path) -> None:
    """Force what was written to `path`, a file or a folder, onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove a file, a folder, or a link: what a link leads to stays."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")
