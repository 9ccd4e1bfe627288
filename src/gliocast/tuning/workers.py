"""Several processes of one machine on one study."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess

from gliocast.processes import end_with
from gliocast.tuning.objective import reason_of
from gliocast.tuning.search import Search, Watch

INTERRUPTED = 130
logger = logging.getLogger(__name__)


def work_together(search: Search, watch: Watch) -> None:
    """Work on the study here and in `tuning.workers` - 1 further processes, until it is done.

    A process that dies takes nothing with it: the others repeat its trial.

    Raises:
        TrainingError: too many trials failed one after the other in this process.
    """
    with further_processes(search) as processes:
        search.for_worker(0).work(watch)
        for process in processes:
            process.join()
    for process in processes:
        if process.exitcode:
            logger.warning("A process of the search ended with exit code %s; the others went on.", process.exitcode)


@contextmanager
def further_processes(search: Search) -> Iterator[list[SpawnProcess]]:
    """Processes that work on the study; ended with the context, whatever ends it.

    They are started afresh, not forked: a fork of a process that has used torch or a GPU hangs.
    """
    spawn = get_context("spawn")
    others = range(1, search.tuning.workers)
    processes = [
        spawn.Process(target=work_quietly, args=(search.for_worker(n), os.getpid()), daemon=True) for n in others
    ]
    try:
        for process in processes:
            process.start()
        yield processes
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()


def work_quietly(search: Search, run: int) -> None:
    """Work on the study for the process `run`; an error ends this process alone, told without the patients it names."""
    end_with(run)
    try:
        search.work()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None  # the first process tells the user
    except Exception as error:
        logger.warning("A process of the search ended: %s.", reason_of(error, search.patient_ids))
        raise SystemExit(1) from None
