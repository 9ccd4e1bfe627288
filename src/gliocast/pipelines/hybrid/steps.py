"""How far steps of a minute or so each have come, for a person who watches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

logger = logging.getLogger(__name__)


@contextmanager
def shown_steps(doing: str, total: int) -> Iterator[Callable[[str], None]]:
    """Yield what is called as each step begins, with its name: it is logged, and moves a bar with the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console, done = Console(stderr=True), count()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task(doing, total=total)

        def begin(step: str) -> None:
            logger.info("%s %s.", doing, step)
            progress.update(bar, completed=next(done), description=f"{doing} {step}")

        yield begin
