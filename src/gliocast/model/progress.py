"""Bars that show a person the fold, the epoch and the time left; silent where nobody watches."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from logging.handlers import QueueHandler
from multiprocessing import get_context
from multiprocessing.managers import SyncManager
from threading import Thread
from typing import Any, TypeAlias

from gliocast.model.training import EpochReport
from gliocast.processes import end_with
from gliocast.progress import bars

OnEpoch: TypeAlias = Callable[[EpochReport], None]
Start: TypeAlias = Callable[[str], OnEpoch]
Told: TypeAlias = Any  # a manager's queue of log records, of (fold, report) after an epoch, and of None at the end


@contextmanager
def fold_progress(names: Sequence[str], epochs: int, side_by_side: int = 1) -> Iterator[Start]:
    """Yield a function that starts a fold's bar and gives the callback that moves it on after every epoch.

    Args:
        names: all folds, in their order; of those trained side by side each device takes every so manieth.
        epochs: that a fold lasts at most.
        side_by_side: devices, with a bar each.
    """
    with bars() as shown:
        all_folds = shown.add_task("folds", total=len(names) * epochs)
        of_devices = [shown.add_task("epochs", total=epochs) for _ in range(side_by_side)]
        done = [0] * side_by_side

        def start(name: str) -> OnEpoch:
            before, bar = divmod(names.index(name), side_by_side)
            shown.reset(of_devices[bar], description=name)

            def move_on(report: EpochReport) -> None:
                done[bar] = before * epochs + report.epoch  # a fold that stopped early counts in full
                description = f"{name}  loss {report.stop_loss:.3f}"
                shown.update(of_devices[bar], completed=report.epoch, description=description)
                shown.update(all_folds, completed=sum(done))

            return move_on

        yield start


@contextmanager
def relayed(start: Start) -> Iterator[Told]:
    """Yield a queue by which other processes move the bars of this one, and log through it."""
    manager = SyncManager(ctx=get_context("spawn"))
    manager.start(end_with, (os.getpid(),))
    with manager:
        told = manager.Queue()
        listener = Thread(target=_pass_on, args=(told, start))
        listener.start()
        try:
            yield told
        finally:
            told.put(None)
            listener.join()


def _pass_on(told: Told, start: Start) -> None:
    running: dict[str, OnEpoch] = {}
    for item in iter(told.get, None):
        if isinstance(item, logging.LogRecord):
            logging.getLogger(item.name).handle(item)
            continue
        name, report = item
        if name not in running:
            running[name] = start(name)
        running[name](report)


@contextmanager
def logged_through(told: Told) -> Iterator[None]:
    """In another process: what the package logs goes into the queue."""
    package, handler = logging.getLogger(__name__.partition(".")[0]), QueueHandler(told)
    package.setLevel(logging.INFO)
    package.addHandler(handler)
    try:
        yield
    finally:
        package.removeHandler(handler)
