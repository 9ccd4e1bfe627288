"""Does the network learn on real images? Glioma or meningioma on contrast-enhanced T1 slices, beside a random forest.

The data (Cheng, doi:10.6084/m9.figshare.1512427) name no patients, and neighbouring files are often one patient: they
are split by blocks of file numbers, never at random. Every block is tested once; all rivals see the same small pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "model"))

from model_fakes import tiny

from gliocast.evidence.classification import performance
from gliocast.model.ensemble import Member
from gliocast.model.scoring import member_logits
from gliocast.model.training import FoldIndices, train_fold

DATA = Path(os.environ.get("GLIOCAST_DATA", Path(__file__).parents[1] / "../shared/data")) / "cheng_t1ce"
KINDS = ("meningioma", "glioma")  # glioma is the positive class
CALM = {"flip": True, "rotation_degrees": 15, "shift_fraction": 0.05, "intensity_fraction": 0.1}


def main() -> int:
    """Print one JSON line a rival and blocking."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--backbones", nargs="+", default=["test_byobnet", "resnet51q"])
    asked.add_argument("--blocks", type=int, nargs="+", default=[4, 5])
    asked.add_argument("--side-px", type=int, default=64)
    asked.add_argument("--epochs", type=int, default=20)
    options = asked.parse_args()
    if not DATA.is_dir():
        print(json.dumps({"benchmark": "real images", "skipped": "the images are absent; set GLIOCAST_DATA"}))
        return 0
    stacks, glioma, number = slices(options.side_px)
    for blocks in options.blocks:
        block = blocks_of(number, glioma, blocks)
        report("random forest", blocks, glioma, forest(stacks, glioma, block))
        for backbone in options.backbones:
            report(backbone, blocks, glioma, network(stacks, glioma, block, backbone, options.epochs))
    return 0


def slices(side_px: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slices as stacks of one, 0 to 1, with kind and file number."""
    from PIL import Image

    files = sorted((path for kind in KINDS for path in (DATA / kind).glob("*.jpg")), key=lambda path: int(path.stem))
    pixels = [
        np.asarray(Image.open(path).convert("L").resize((side_px, side_px), Image.Resampling.BOX)) for path in files
    ]
    stacks = np.stack(pixels)[:, None].astype(np.float32) / 255
    kinds, numbers = [path.parent.name for path in files], [int(path.stem) for path in files]
    return stacks, np.array(kinds) == KINDS[1], np.array(numbers)


def blocks_of(number: np.ndarray, glioma: np.ndarray, blocks: int) -> np.ndarray:
    """Consecutive file numbers of one kind in one block; each block holds both kinds."""
    block = np.empty(len(number), dtype=np.int64)
    for kind in (False, True):
        own = np.flatnonzero(glioma == kind)
        ordered = own[np.argsort(number[own])]
        block[ordered] = np.arange(len(ordered)) * blocks // len(ordered)
    return block


def turns(block: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Slices to fit on, to stop by (the next block), and to test, with each block tested once."""
    count = int(block.max()) + 1
    for tested in range(count):
        stop = (tested + 1) % count
        fit = (block != tested) & (block != stop)
        yield tuple(np.flatnonzero(chosen) for chosen in (fit, block == stop, block == tested))  # type: ignore[misc]


def forest(stacks: np.ndarray, glioma: np.ndarray, block: np.ndarray) -> np.ndarray:
    """The rival: fitted on everything but the tested block, since it needs nobody to stop it."""
    from sklearn.ensemble import RandomForestClassifier

    pixels, probability = stacks.reshape(len(stacks), -1), np.empty(len(stacks))
    for fit, stop, tested in turns(block):
        seen = np.r_[fit, stop]
        grown = RandomForestClassifier(500, random_state=0, n_jobs=-1).fit(pixels[seen], glioma[seen])
        probability[tested] = grown.predict_proba(pixels[tested])[:, 1]
    return probability


def network(stacks: np.ndarray, glioma: np.ndarray, block: np.ndarray, backbone: str, epochs: int) -> np.ndarray:
    """Ours, from random weights."""
    scheduler = {"factor": 0.1, "patience": 5}
    params = tiny(
        backbone=backbone,
        batch_size=30,
        epochs=epochs,
        patience=10,
        scheduler=scheduler,
        augmentation=CALM,
        precision="auto",
        devices=("auto",),
        threads=None,
        stop_by="auc",
    )
    classes, probability = glioma.astype(np.int64), np.empty(len(stacks))
    for fit, stop, tested in turns(block):
        trained = train_fold(stacks, classes, FoldIndices(fit, stop), params.hyperparameters, params, 0)
        member = Member("block", "block", trained.weights, (), params.dropout)
        _, logit = member_logits(member, params, stacks[tested])
        probability[tested] = 1 / (1 + np.exp(-logit))
    return probability


def report(rival: str, blocks: int, glioma: np.ndarray, probability: np.ndarray) -> None:
    """Balanced accuracy and AUC with their intervals, over all blocks."""
    found: dict[str, Any] = performance(glioma, probability, probability >= 0.5, 1000, 0)
    said = {"benchmark": "real images", "rival": rival, "blocks": blocks, "n": len(glioma)}
    print(json.dumps(said | {name: found[name] for name in ("balanced_accuracy", "auc")}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
