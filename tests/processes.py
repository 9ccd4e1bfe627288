"""What tests of killed runs ask about processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def helpers_of(run: int, launcher: bytes) -> list[Path]:
    """The children of a process whose command names `launcher`."""
    children = Path(f"/proc/{run}/task/{run}/children").read_text().split()
    commands = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [Path(f"/proc/{child}") for child, command in commands.items() if launcher in command]


def lives(process: Path) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return ") Z " not in (process / "stat").read_text()
    except OSError:
        return False


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Whether it has become true in that time."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.2)
    return true()
