"""Processes that prepare patients: they start at once, share what was imported once, and use one core each."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import parent_process
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from threading import Thread
from types import ModuleType
from typing import Any

IMPORTED_ONCE = (  # by the process that the workers are copies of: they start at once, and share that memory
    "gliocast.imaging.study",
    "isal.isal_zlib",
    "scipy.ndimage",
    "scipy.sparse",
    "SimpleITK",
)


class WorkerProcess(ForkServerProcess):
    """A process that does not import the script that was started: Kedro's command line would take each a second.

    It does not hear Ctrl-C, which a terminal sends to every process: the run ends it, and tells the user.
    """

    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802 - Python's own name
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")  # without a file, so that there is nothing to import
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what is started here is born deaf to it
        try:
            return ForkServerProcess._Popen(process_obj)  # type: ignore[attr-defined]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)
            sys.modules["__main__"] = main


class WorkerContext(ForkServerContext):
    """Python's fork server, with processes of this kind."""

    Process = WorkerProcess


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """A pool of worker processes."""
    context = WorkerContext()
    context.set_forkserver_preload(list(IMPORTED_ONCE))
    return ProcessPoolExecutor(workers, mp_context=context, initializer=begin)


def begin() -> None:
    """End with the run; worker processes share the cores already, and threads within each would only get in the way."""
    import SimpleITK

    Thread(target=end_with_the_run, daemon=True).start()
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)


def end_with_the_run() -> None:
    """Wait for the end of the run: killed, or interrupted while it starts workers, it does not tell them to end."""
    if run := parent_process():
        run.join()
        os._exit(1)
