"""How far the search has come, for a person who watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gliocast.tuning.ledger import places_taken
from gliocast.tuning.optuna_types import Study
from gliocast.tuning.presence import running
from gliocast.tuning.search import Watch


@contextmanager
def trial_bar(trials: int) -> Iterator[Watch]:
    """A bar of the trials that have ended in all processes, with the time left; none where nobody watches."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("Tuning, trials", total=trials)

        def watch(study: Study) -> None:
            ended = places_taken(study.get_trials(deepcopy=False)) - len(running(study))
            bar.update(task, completed=min(ended, trials))

        yield watch
