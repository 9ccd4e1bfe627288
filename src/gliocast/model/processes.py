"""Processes that work for a run end with it."""

from __future__ import annotations

import os
import time
from functools import cache
from threading import Thread

LOOK_SECONDS = 0.5


@cache  # a process may be given work several times, and needs one watch
def end_with(run: int) -> None:
    """End this process at once, whatever it does, when its parent `run` has ended.

    A run that was killed is started again, and then two processes would train one fold and write one checkpoint.

    Args:
        run: the number of the process that this one works for.
    """
    Thread(target=_watch, args=(run,), daemon=True).start()


def _watch(run: int) -> None:
    while os.getppid() == run:  # an orphan is given another parent
        time.sleep(LOOK_SECONDS)
    os._exit(1)
