"""Small cohorts of small slices, and the smallest parameters that train on them in a second."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from gliocast.model.backbone import import_timm
from gliocast.model.checkpoints import Checkpoint
from gliocast.model.parameters import ModelParameters
from gliocast.types import Fold, Partition, Split

SLICES, SIDE_PX = 3, 16
TINY: dict[str, Any] = {
    "backbone": "test_byobnet",
    "weights": "none",
    "weights_folder": "absent",
    "weights_sha256": None,
    "classes": 2,
    "survival_cut_points_days": (),
    "first_long_term_class": 1,
    "loss": "binary",
    "pooling": "mean_logit",
    "batch_size": 8,
    "epochs": 3,
    "patience": 10,
    "stop_by": "loss",
    "scheduler": {"factor": 0.1, "patience": 1},
    "learning_rate": 0.003,
    "weight_decay": 0.001,
    "dropout": 0.2,
    "augmentation": {"flip": False, "rotation_degrees": 0, "shift_fraction": 0, "intensity_fraction": 0},
    "precision": "float32",
    "channels_last": True,
    "compile": False,
    "threads": 1,
    "devices": ("cpu",),
    "checkpoint_seconds": 0.0,
    "paper_protocol": True,
    "explained_patients": 1,
}


def tiny(**changes: Any) -> ModelParameters:
    return ModelParameters.model_validate(TINY | changes)


def names(count: int) -> tuple[str, ...]:
    return tuple(f"P{number:03d}" for number in range(count))


def a_cohort(patients: int, contrast: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy slices, in which long-term survivors bear a bright square; and the classes, which alternate."""
    generator = np.random.default_rng(seed)
    classes = np.arange(patients, dtype=np.int64) % 2
    stacks = generator.random((patients, SLICES, SIDE_PX, SIDE_PX))
    stacks[classes == 1, :, 4:12, 4:12] += contrast
    return stacks.astype(np.float16), classes


def a_partition(patients: Sequence[str], test: int, folds: int = 2) -> Partition:
    """The last `test` patients are tested; the folds hold out every `folds`-th of the others, and stop by a third."""
    training, tested = tuple(patients[:-test]), tuple(patients[-test:])
    made = []
    for place in range(folds):
        held_out = training[place * 2 :: folds * 2] + training[place * 2 + 1 :: folds * 2]
        others = [patient for patient in training if patient not in held_out]
        made.append(Fold(fit=tuple(others[:-4]), stop=tuple(others[-4:]), held_out=tuple(sorted(held_out))))
    paper = Fold(fit=training[:-4], stop=training[-4:], held_out=tested)
    return Partition("holdout", 0, (Split("holdout", tested, tuple(made)),), paper)


def three_channel_state(classes: int = 1000) -> tuple[Any, dict[str, Any]]:
    """A network as it is published, with three channels and a thousand classes; and its weights."""
    import torch

    torch.manual_seed(7)
    coloured = import_timm().create_model("test_byobnet", in_chans=3, num_classes=classes)
    return coloured.eval(), coloured.state_dict()


@contextmanager
def a_full_disk() -> Iterator[Callable[..., None]]:
    """Yield what fills the disk: from then on no file grows beyond four kilobytes, until the block ends."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing on then fails as on a full disk
    try:
        yield lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


class MemoryCheckpoints:
    """Keeps every checkpoint that was ever saved, in the one memory format that a file has."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, Checkpoint]] = []

    def save(self, name: str, checkpoint: Checkpoint) -> None:
        tensors = {key: tensor.contiguous().clone() for key, tensor in checkpoint.tensors.items()}
        self.kept.append((name, Checkpoint(tensors, _copied(checkpoint.record))))

    def free_bytes(self) -> int:
        return 1 << 40

    def load(self, name: str) -> Checkpoint | None:
        return next((checkpoint for known, checkpoint in reversed(self.kept) if known == name), None)


class OneCheckpoint:
    """A store that holds one moment of a training, and forgets what comes after."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def save(self, name: str, checkpoint: Checkpoint) -> None:
        pass

    def free_bytes(self) -> int:
        return 1 << 40

    def load(self, name: str) -> Checkpoint:
        return self.checkpoint


class Stacks:
    """Slices by patient, in memory."""

    def __init__(self, patients: Sequence[str], stacks: np.ndarray) -> None:
        self.place = {patient: number for number, patient in enumerate(patients)}
        self.stacks = stacks

    def load(self, patient_ids: Sequence[str]) -> np.ndarray:
        return self.stacks[[self.place[patient] for patient in patient_ids]]


def _copied(record: Mapping[str, Any]) -> dict[str, Any]:
    import json

    return json.loads(json.dumps(record))
