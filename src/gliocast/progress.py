"""How far long work has come, for a person who watches: bars with the time left on a terminal, and lines in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

logger = logging.getLogger(__name__)
Item = TypeVar("Item")


@contextmanager
def bars() -> Iterator[Progress]:
    """Yield bars that all look alike; they leave the screen at the end, and are drawn on a terminal alone."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as shown:
        yield shown


def counted(
    items: Iterable[Item], total: int, what: str, patients: Callable[[Item], int] = lambda item: 1
) -> Iterator[Item]:
    """The items as they come, with a bar of the patients done; every tenth of them is logged.

    Args:
        items: long work, done as they are asked for.
        total: patients in all of them.
        what: is done to the patients.
        patients: how many an item stands for.
    """
    done = 0
    with bars() as shown:
        bar = shown.add_task(what, total=total)
        for item in items:
            yield item
            before, done = done, done + patients(item)
            shown.update(bar, completed=done)
            if done * 10 // total > before * 10 // total:
                logger.info("%s: %d of %d patients", what, done, total)


@contextmanager
def steps(doing: str, total: int) -> Iterator[Callable[[str], None]]:
    """Yield what is called as each step of a minute or so begins, with its name: it is logged, and moves a bar."""
    done = count()
    with bars() as shown:
        bar = shown.add_task(doing, total=total)

        def begin(step: str) -> None:
            logger.info("%s %s.", doing, step)
            shown.update(bar, completed=next(done), description=f"{doing} {step}")

        yield begin
