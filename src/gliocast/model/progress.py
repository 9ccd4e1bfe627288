"""Bars that show a person the fold, the epoch and the time left; silent where nobody watches."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gliocast.model.training import EpochReport

log = logging.getLogger(__name__)


@contextmanager
def fold_progress(folds: int, epochs: int) -> Iterator[Callable[[str], Callable[[EpochReport], None]]]:
    """Yield a function that starts a fold's bar and gives the callback that moves it on after every epoch."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        all_folds = progress.add_task("folds", total=folds * epochs)
        one_fold = progress.add_task("epochs", total=epochs)
        started = 0

        def start(name: str) -> Callable[[EpochReport], None]:
            nonlocal started
            progress.reset(one_fold, description=name)
            progress.update(all_folds, completed=started * epochs)  # a fold that stopped early counts in full
            started += 1

            def move_on(report: EpochReport) -> None:
                progress.update(one_fold, advance=1, description=f"{name}  loss {report.stop_loss:.3f}")
                progress.advance(all_folds)

            return move_on

        yield start
