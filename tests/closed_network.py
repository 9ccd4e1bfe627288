"""A network that nobody reaches, for processes that are started: whoever asks for it is refused, and noted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from os import pathsep
from pathlib import Path

import pytest

CLOSED = """
import socket
from pathlib import Path

def refuse(*asked, **_):
    with Path({asked!r}).open("a") as file:
        print(*asked, file=file)
    raise OSError(101, "Network is unreachable")

def connect(self, address, connect=socket.socket.connect):
    return connect(self, address) if self.family == socket.AF_UNIX else refuse(address)

socket.socket.connect, socket.getaddrinfo = connect, refuse
"""


@contextmanager
def closed_network(folder: Path) -> Iterator[Path]:
    """Close the network to every Python that is started meanwhile; yields the file of what was asked of it."""
    asked = folder / "asked.txt"
    (folder / "sitecustomize.py").write_text(CLOSED.format(asked=str(asked)), encoding="utf-8")
    asked.touch()
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("PYTHONPATH", str(folder), prepend=pathsep)
        yield asked
