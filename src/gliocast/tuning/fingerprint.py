"""What a study searches, in a few hexadecimal words: so that two different searches are never mixed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from gliocast.model.parameters import Hyperparameters
from gliocast.model.resume import code_beside
from gliocast.tuning.parameters import TuningParameters
from gliocast.tuning.search_space import as_point

Fingerprint = Mapping[str, str]  # for each part of the search, its digest


def fingerprint_of_search(
    tuning: TuningParameters,
    configured: Hyperparameters,
    epochs: int,
    seed: int,
    training: Mapping[str, Any],
    images: Mapping[str, str],
) -> Fingerprint:
    """The digests of everything that gives a trial its value; the number of trials and of workers do not.

    Args:
        tuning: what is searched, and how it is judged.
        configured: the hyperparameters that the first trial takes if `tuning.try_configured`.
        epochs: epochs of one training at most.
        seed: the project's seed.
        training: how a trial trains, as plain values.
        images: digests of the images, the outcomes and the folds.
    """
    import optuna

    searched_with = [optuna.__version__, code_beside(Path(__file__))]
    parts: dict[str, Any] = {
        "ranges": tuning.ranges.model_dump(),
        "measure": [tuning.measure, tuning.direction, tuning.folds],
        "method": [tuning.startup_trials, tuning.pruning.model_dump(), *searched_with],
        "first trial": as_point(configured) if tuning.try_configured else None,
        "seed": seed,
        "training": [epochs, dict(training)],
    }
    return {**{name: digest_of_value(part) for name, part in parts.items()}, **images}


def digest_of_value(value: Any) -> str:
    """A short digest of plain values."""
    return _short(json.dumps(value, sort_keys=True, default=str).encode())


def digest_of_array(values: Shaped[np.ndarray, "..."]) -> str:
    """A short digest of an array's type, shape and content."""
    content = np.ascontiguousarray(values)
    return _short(f"{content.dtype} {content.shape}".encode(), content.view(np.uint8).data)


def name_of_study(fingerprint: Fingerprint) -> str:
    """The study's name where none is configured: another search has another name, and both stay in the storage."""
    return f"gliocast-{digest_of_value(dict(fingerprint))}"


def _short(*pieces: bytes | memoryview) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()[:16]
