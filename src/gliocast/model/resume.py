"""A training to a checkpoint and back, to the bit."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gliocast.model.backbone import import_timm
from gliocast.model.checkpoints import Checkpoint, Checkpoints, Training, with_prefix, without_prefix
from gliocast.model.material import FoldIndices
from gliocast.model.parameters import Hyperparameters, ModelParameters
from gliocast.model.tensors import Tensor

log = logging.getLogger(__name__)
POSITION = ("epoch", "step", "loss_sum", "best", "best_epoch", "curve", "finished")
# Parameters that decide no weight of a training, but for its last bits: where it runs, what follows it, where its first
# weights lie (their digest counts), and the hyperparameters that are configured, since those it is given are told apart
# by themselves.
WITHOUT_EFFECT = {
    "devices",
    "weights",
    "weights_folder",
    "checkpoint_seconds",
    "tensorboard_folder",
    "paper_protocol",
    "explained_patients",
    "learning_rate",
    "weight_decay",
    "dropout",
}


@dataclass
class Saver:
    """Brings a training to its last checkpoint, and stores its way each time that enough seconds have passed."""

    training: Training
    checkpoints: Checkpoints | None
    name: str
    fingerprint: str
    interval_seconds: float
    last: float = field(default_factory=time.monotonic)

    def resume(self) -> None:
        """Go on from the last checkpoint, where there is one of the same data, parameters and seed."""
        checkpoint = self.checkpoints.load(self.name) if self.checkpoints is not None else None
        if checkpoint is None:
            return
        if checkpoint.record["fingerprint"] != self.fingerprint:
            log.info("%s starts anew: its checkpoint belongs to other patients, parameters or versions", self.name)
            return
        _restore(self.training, checkpoint, self.name)
        log.info("%s goes on after epoch %d, step %d", self.name, self.training.epoch, self.training.step)

    def due(self) -> bool:
        """Whether it is time to store."""
        return self.checkpoints is not None and time.monotonic() - self.last >= self.interval_seconds

    def save_if_due(self) -> None:
        """Store when it is time."""
        if self.due():
            self.save()

    def save(self) -> None:
        """Store now; a loss that is no number is never stored."""
        if self.checkpoints is None:
            return
        if math.isfinite(self.training.loss_sum):
            self.checkpoints.save(self.name, _checkpoint(self.training, self.fingerprint))
        self.last = time.monotonic()


def _checkpoint(training: Training, fingerprint: str) -> Checkpoint:
    """This moment of the training; once it is finished, only what is still needed."""
    tensors = with_prefix("best", training.best_weights)
    record = {key: getattr(training, key) for key in POSITION} | {"fingerprint": fingerprint}
    if not training.finished:
        import torch

        record["threads"] = torch.get_num_threads()
        moments, groups = _optimizer_state(training.optimizer)
        tensors |= with_prefix("model", training.network.state_dict()) | with_prefix("optimizer", moments)
        record |= {"groups": groups, "scheduler": _plain(training.scheduler.state_dict())}
    return Checkpoint(tensors, record)


def _restore(training: Training, checkpoint: Checkpoint, name: str) -> None:
    record = checkpoint.record
    for key in POSITION:
        setattr(training, key, record[key])
    training.best = tuple(record["best"])
    training.best_weights = without_prefix("best", checkpoint.tensors)
    if not training.finished:
        _continue(training, checkpoint.tensors, record)
        _with_threads(record["threads"], name)


def training_fingerprint(
    stacks: Any, classes: Any, fold: FoldIndices, settings: Hyperparameters, params: ModelParameters, seed: int
) -> str:
    """SHA-256 of all that decides the weights: the fold's slices and classes, pinned parameters, seed, code."""
    import torch

    digest = hashlib.sha256()
    slices = torch.as_tensor(stacks)
    for patients in (fold.fit, fold.stop):
        for array in (slices[torch.as_tensor(patients)].cpu().numpy(), classes[patients]):
            digest.update(str((array.shape, str(array.dtype))).encode())
            digest.update(np.ascontiguousarray(array).data)
    chosen = params.model_dump(mode="json", exclude=WITHOUT_EFFECT)
    rest: dict[str, Any] = {"params": chosen, "hyperparameters": settings.model_dump(mode="json")}
    rest |= {"seed": seed, **made_with()}
    digest.update(json.dumps(rest, sort_keys=True).encode())
    return digest.hexdigest()


def made_with() -> dict[str, str]:
    """What a training is made with: torch, timm, and SHA-256 of this room's sources. Nothing goes on with another."""
    import torch

    return {"torch": torch.__version__, "timm": import_timm().__version__, "code": code_beside(Path(__file__))}


def code_beside(module: Path) -> str:
    """SHA-256 of the sources of a module's room."""
    return hashlib.sha256(b"".join(source.read_bytes() for source in sorted(module.parent.glob("*.py")))).hexdigest()


def _with_threads(count: int, name: str) -> None:
    """Go on with as many processor threads as before: another number adds up in another order."""
    import torch

    if torch.get_num_threads() != count:
        log.info("%s goes on with %d processor threads, as it began", name, count)
        torch.set_num_threads(count)


def _continue(training: Training, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    training.network.load_state_dict(without_prefix("model", tensors))
    weights = [weight for group in training.optimizer.param_groups for weight in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in without_prefix("optimizer", tensors).items():
        position, name = key.split(".")
        moments.setdefault(int(position), {})[name] = laid_out_like(weights[int(position)], tensor)
    training.optimizer.load_state_dict({"state": moments, "param_groups": record["groups"]})
    training.scheduler.load_state_dict(dict(record["scheduler"]))


def laid_out_like(weight: Tensor, moment: Tensor) -> Tensor:
    """The moment in the memory format of its weight: in another one the optimiser's arithmetic rounds differently."""
    import torch

    return torch.empty_like(weight).detach().copy_(moment) if moment.shape == weight.shape else moment


def _optimizer_state(optimizer: Any) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    state = optimizer.state_dict()
    moments = {f"{place}.{name}": value for place, named in state["state"].items() for name, value in named.items()}
    return moments, [_plain(group) for group in state["param_groups"]]


def _plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a state that JSON can hold; what it cannot hold is made anew at the start."""
    return {key: value for key, value in state.items() if isinstance(value, int | float | str | list | tuple | None)}
