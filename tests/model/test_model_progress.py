"""Bars of folds: one after the other, and side by side in other processes."""

from __future__ import annotations

import numpy as np
import pytest
import rich.progress

from gliocast.model.progress import fold_progress, relayed
from gliocast.model.training import EpochReport


@pytest.fixture
def bars(monkeypatch):
    """Every display that is made, so that its bars can be read."""
    made = []

    class Kept(rich.progress.Progress):
        def __init__(self, *columns, **options):
            super().__init__(*columns, **options)
            made.append(self)

    monkeypatch.setattr("rich.progress.Progress", Kept)
    return lambda: [task.completed for task in made[0].tasks]


def an_epoch(number: int) -> EpochReport:
    return EpochReport(number, 0.7, 0.8, np.array([0.25, 0.75]), 1e-3, is_best=True)


def test_a_fold_that_stopped_early_counts_in_full(bars):
    with fold_progress(["a", "b"], epochs=10) as start:
        start("a")(an_epoch(4))
        assert bars() == [4, 4]
        start("b")(an_epoch(1))
        assert bars() == [11, 1]


def test_folds_that_train_side_by_side_have_a_bar_each(bars):
    with fold_progress(["a", "b", "c"], epochs=10, side_by_side=2) as start, relayed(start) as told:
        for name, epoch in (("a", 1), ("b", 3), ("a", 2), ("c", 1)):
            told.put((name, an_epoch(epoch)))
    assert bars() == [11 + 3, 1, 3]
