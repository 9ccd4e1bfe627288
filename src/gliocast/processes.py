"""Processes that work for a run, and end with it; and the cores for them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from functools import cache
from threading import Thread
from typing import Any, TypeVar

LOOK_SECONDS = 0.5
Job = TypeVar("Job")
Answer = TypeVar("Answer")


def n_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    workers: int, function: Callable[[Job], Answer], jobs: Iterable[Job], **settings: Any
) -> Iterable[Answer]:
    """`function` of every job, in order, by so many processes; -1 uses every core.

    Args:
        workers: number of processes; joblib keeps them for the next jobs.
        function: what is done to a job.
        jobs: whatever `function` takes.
        settings: further ones of `joblib.Parallel`.
    """
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=workers, initializer=end_with, initargs=(os.getpid(),), **settings)
    return parallel(delayed(function)(job) for job in jobs)  # type: ignore[no-any-return]


@cache  # a process may be given work several times, and needs one watch
def end_with(run: int) -> None:
    """End this process at once, whatever it does, when its parent `run` has ended.

    A run that was killed is started again, and then two processes would train one fold and write one checkpoint; those
    without work would keep their memory for minutes.

    Args:
        run: the number of the process that this one works for.
    """
    Thread(target=_watch, args=(run,), daemon=True).start()


def _watch(run: int) -> None:
    while os.getppid() == run:  # an orphan is given another parent
        time.sleep(LOOK_SECONDS)
    os._exit(1)
