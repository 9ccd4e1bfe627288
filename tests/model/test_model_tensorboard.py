"""Learning curves for TensorBoard: what is written, that no patient is, and what is said where it is not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gliocast.errors import ConfigurationError
from gliocast.model.tensorboard import followed_in
from gliocast.model.training import EpochReport


def an_epoch(number: int) -> EpochReport:
    return EpochReport(number, 0.7 / number, 0.8 / number, np.array([0.25, 0.75]), 1e-3, is_best=True)


def events_in(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder)).Reload()


def test_without_a_folder_the_epochs_are_followed_as_before():
    follow = [].append
    with followed_in(None, "holdout/fold0", follow) as followed:
        assert followed is follow


def test_losses_and_learning_rate_are_written_by_epoch(tmp_path: Path):
    seen: list[EpochReport] = []
    with followed_in(str(tmp_path), "holdout/fold0", seen.append) as followed:
        assert followed
        followed(an_epoch(1))
        followed(an_epoch(2))
    shown = events_in(tmp_path / "holdout" / "fold0")
    assert sorted(shown.Tags()["scalars"]) == ["learning_rate", "loss/fit", "loss/stop"]
    assert [(event.step, round(event.value, 3)) for event in shown.Scalars("loss/stop")] == [(1, 0.8), (2, 0.4)]
    assert [report.epoch for report in seen] == [1, 2]


def test_epochs_that_are_trained_again_after_a_kill_are_shown_once(tmp_path: Path):
    for epochs in ((1, 2, 3), (2, 3, 4)):
        with followed_in(str(tmp_path), "holdout/fold0") as followed:
            assert followed
            for epoch in epochs:
                followed(an_epoch(epoch))
    steps = [event.step for event in events_in(tmp_path / "holdout" / "fold0").Scalars("loss/stop")]
    assert steps == [1, 2, 3, 4]


def test_a_fold_that_was_finished_writes_nothing(tmp_path: Path):
    with followed_in(str(tmp_path), "holdout/fold0"):
        pass
    assert list((tmp_path / "holdout" / "fold0").iterdir()) == []


def test_where_tensorboard_is_not_installed_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(ConfigurationError, match=r"gliocast\[tensorboard\]"),
        followed_in(str(tmp_path), "holdout/fold0"),
    ):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigurationError, match=r"model.tensorboard_folder: .*file/fold0: Not a directory"),
        followed_in(str(tmp_path / "file"), "fold0"),
    ):
        pass
