"""Files and folders that the operating system refuses to open, also to root, whom no permission stops."""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def close(monkeypatch: pytest.MonkeyPatch, closed: Path) -> None:
    """Refuse to open a file, or to list a folder and to reach what lies in it."""

    def refusing(function: Callable[..., Any], also_itself: bool) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **named: Any) -> Any:
            place = Path(path) if isinstance(path, str | Path) else Path()
            if closed in place.parents or (also_itself and place == closed):
                raise PermissionError(errno.EACCES, "Permission denied", str(place))
            return function(path, *arguments, **named)

        return call

    for module, name in ((builtins, "open"), (io, "open"), (os, "scandir"), (Path, "lstat")):
        monkeypatch.setattr(module, name, refusing(getattr(module, name), also_itself=name != "lstat"))
