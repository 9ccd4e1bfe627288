"""Learning curves for TensorBoard while a network is trained: losses and learning rates by epoch, and no patient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gliocast.errors import ConfigurationError, Problem
from gliocast.model.training import EpochReport

Follow = Callable[[EpochReport], None]


@contextmanager
def followed_in(folder: str | None, name: str, follow: Follow | None = None) -> Iterator[Follow | None]:
    """What to call after each epoch: `follow` and, where there is a folder, the writer of the training `name`.

    Raises:
        ConfigurationError: a folder is given, and it cannot be written or TensorBoard is not installed.
    """
    if folder is None:
        yield follow
        return
    with _writer(folder, name) as writer:

        def write(report: EpochReport) -> None:
            writer.add_scalar("loss/fit", report.fit_loss, report.epoch)
            writer.add_scalar("loss/stop", report.stop_loss, report.epoch)
            writer.add_scalar("learning_rate", report.learning_rate, report.epoch)
            if follow:
                follow(report)

        yield write


def refuse_without_tensorboard(folder: str | None) -> None:
    """Refuse to write learning curves with a package that is not there.

    Raises:
        ConfigurationError: a folder is given and TensorBoard is not installed.
    """
    if folder is None:
        return
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        raise ConfigurationError(_not_installed(folder)) from None


def _writer(folder: str, name: str) -> Any:
    refuse_without_tensorboard(folder)
    from torch.utils.tensorboard import SummaryWriter

    try:
        return SummaryWriter(str(Path(folder) / name))
    except OSError as error:
        raise ConfigurationError(_unwritable(folder, error)) from error


def _unwritable(folder: str, error: OSError) -> Problem:
    found = f"{folder}: {error.strerror or 'cannot be written'}"
    return Problem("–", "model.tensorboard_folder", found, "a folder that can be written", "Name another one, or null.")


def _not_installed(folder: str) -> Problem:
    return Problem(
        "–",
        "model.tensorboard_folder",
        f"{folder}, and no package tensorboard",
        "the package installed, or null",
        'Install it by .venv/bin/pip install "gliocast[tensorboard]", or set model.tensorboard_folder to null.',
    )
