"""Weights learnt on some images are stored in a local file, and a training on others starts from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from model_fakes import a_cohort, tiny
from PIL import Image
from safetensors.torch import save_file

from gliocast.model.material import FoldIndices
from gliocast.model.parameters import ModelParameters
from gliocast.model.training import TrainedFold, train_fold

SIDE_PX = 32


def learnt(stacks: np.ndarray, classes: np.ndarray, params: ModelParameters) -> TrainedFold:
    """Fitted on all but every fourth, which stop it."""
    places = np.arange(len(stacks))
    fold = FoldIndices(places[places % 4 > 0], places[places % 4 == 0])
    return train_fold(stacks, classes, fold, params.hyperparameters, params, 1)


def stored(trained: TrainedFold, folder: Path) -> str:
    save_file(trained.weights, folder / "learnt.safetensors")
    return str(folder / "learnt.safetensors")


@pytest.mark.parametrize("backbone", ["test_byobnet", "test_resnet"])
def test_a_training_starts_from_a_local_file_and_with_a_new_classifier(tmp_path, backbone):
    before = learnt(*a_cohort(12, seed=1), tiny(backbone=backbone, epochs=1))
    still = tiny(backbone=backbone, epochs=1, weights=stored(before, tmp_path), learning_rate=1e-12, weight_decay=0.0)
    after = learnt(*a_cohort(12, seed=2), still)
    is_kept = {
        name: torch.allclose(weight, before.weights[name]) for name, weight in after.weights.items() if weight.ndim > 1
    }
    assert len(is_kept) > 4
    assert [name for name, kept in is_kept.items() if not kept] in (["head.fc.weight"], ["fc.weight"])


@pytest.mark.realdata
def test_weights_learnt_on_real_images_help_on_others(data_root: Path, tmp_path: Path):
    some, others = halves_of_real_slices(data_root / "cheng_t1ce")
    schedule = {"kind": "cosine", "factor": 0.1, "patience": 1}
    random_start = tiny(backbone="test_resnet", batch_size=16, epochs=8, stop_by="nothing", scheduler=schedule)
    weights = stored(learnt(*some, random_start), tmp_path)
    briefly = random_start.model_copy(update={"epochs": 2})
    from_file = learnt(*others, briefly.model_copy(update={"weights": weights}))
    assert from_file.stop_loss < 0.5 * learnt(*others, briefly).stop_loss


def halves_of_real_slices(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Slices and classes (0 meningioma, 1 glioma): each kind's files of even hundreds, and those of odd ones."""
    files = [
        (kind, path) for kind in (0, 1) for path in sorted((folder / ("meningioma", "glioma")[kind]).glob("*.jpg"))
    ]
    hundred = np.array([int(path.stem) // 100 % 2 for _, path in files])
    pixels = [
        np.asarray(Image.open(path).convert("L").resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)) for _, path in files
    ]
    stacks = np.stack(pixels)[:, None].astype(np.float32) / 255
    classes = np.array([kind for kind, _ in files], dtype=np.int64)
    return [(stacks[hundred == half], classes[hundred == half]) for half in (0, 1)]
