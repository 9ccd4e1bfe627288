"""Learning curves for TensorBoard while a network is trained: losses and learning rates by epoch, and no patient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
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
    place = Path(folder) / name
    refuse_unusable_folder(str(place))
    with ExitStack() as opened:
        writer: Any = None

        def write(report: EpochReport) -> None:
            nonlocal writer
            if writer is None:
                writer = opened.enter_context(_writer(place, report.epoch))
            writer.add_scalar("loss/fit", report.fit_loss, report.epoch)
            writer.add_scalar("loss/stop", report.stop_loss, report.epoch)
            writer.add_scalar("learning_rate", report.learning_rate, report.epoch)
            if follow:
                follow(report)

        yield write


def refuse_unusable_folder(folder: str | None) -> None:
    """Refuse learning curves that cannot be written; their folder is made.

    Raises:
        ConfigurationError: a folder is given, and it cannot be written or TensorBoard is not installed.
    """
    if folder is None:
        return
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        raise ConfigurationError(_not_installed(folder)) from None
    _refuse_unwritable(Path(folder))


def _writer(place: Path, epoch: int) -> Any:
    """A writer that starts with `epoch`: what a killed run wrote of it and of later ones is shown no more."""
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(place), purge_step=epoch)


def _refuse_unwritable(place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=place).close()
    except OSError as error:
        raise ConfigurationError(_unwritable(place, error)) from error


def _unwritable(folder: Path, error: OSError) -> Problem:
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
