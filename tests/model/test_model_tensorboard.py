"""Learning curves for TensorBoard: what is written, that no patient is, and what is said where it is not installed."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gliocast.errors import ConfigurationError
from gliocast.model.tensorboard import followed_in
from gliocast.model.training import EpochReport


def an_epoch(number: int) -> EpochReport:
    return EpochReport(number, 0.7 / number, 0.8 / number, np.array([0.25, 0.75]), 1e-3, is_best=True)


def test_without_a_folder_the_epochs_are_followed_as_before():
    follow = [].append
    with followed_in(None, "holdout/fold0", follow) as followed:
        assert followed is follow


def test_losses_and_learning_rate_are_written_by_epoch(tmp_path: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="no tensorboard")
    seen: list[EpochReport] = []
    with followed_in(str(tmp_path), "holdout/fold0", seen.append) as followed:
        assert followed
        followed(an_epoch(1))
        followed(an_epoch(2))
    events = accumulator.EventAccumulator(str(tmp_path / "holdout" / "fold0")).Reload()
    assert sorted(events.Tags()["scalars"]) == ["learning_rate", "loss/fit", "loss/stop"]
    assert [(event.step, round(event.value, 3)) for event in events.Scalars("loss/stop")] == [(1, 0.8), (2, 0.4)]
    assert [report.epoch for report in seen] == [1, 2]


def test_where_tensorboard_is_not_installed_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(ConfigurationError, match=r"gliocast\[tensorboard\]"),
        followed_in(str(tmp_path), "holdout/fold0"),
    ):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Writer:
        def __init__(self, folder: str) -> None:
            Path(folder).mkdir(parents=True)

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigurationError, match=r"model.tensorboard_folder is .*file: Not a directory"),
        followed_in(str(tmp_path / "file"), "holdout/fold0"),
    ):
        pass
