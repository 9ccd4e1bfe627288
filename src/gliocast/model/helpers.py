"""Processes that train for a run end with it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOOK_SECONDS = 0.5


@contextmanager
def ended_with(run: int) -> Iterator[None]:
    """End this process at once, whatever it does, when its parent `run` has ended.

    A run that was killed is started again, and then two processes would train one fold and write one checkpoint.

    Args:
        run: the number of the process that this one works for.
    """
    done = threading.Event()
    threading.Thread(target=_watch, args=(run, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _watch(run: int, done: threading.Event) -> None:
    while not done.wait(LOOK_SECONDS):
        if os.getppid() != run:  # an orphan is given another parent
            os._exit(1)
