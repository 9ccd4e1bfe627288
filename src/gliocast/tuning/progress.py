"""How far the search has come, for a person who watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gliocast.progress import bars
from gliocast.tuning.ledger import places_taken
from gliocast.tuning.optuna_types import Study
from gliocast.tuning.presence import running
from gliocast.tuning.search import Watch


@contextmanager
def trial_bar(trials: int) -> Iterator[Watch]:
    """A bar of the trials that have ended in all processes, with the time left; none where nobody watches."""
    with bars() as shown:
        bar = shown.add_task("Tuning, trials", total=trials)

        def watch(study: Study) -> None:
            ended = places_taken(study) - len(running(study))
            shown.update(bar, completed=min(ended, trials))

        yield watch
