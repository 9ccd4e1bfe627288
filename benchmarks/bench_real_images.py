"""Does the network learn on real images? Glioma or meningioma on contrast-enhanced T1 slices, beside a random forest.

The data (Cheng, doi:10.6084/m9.figshare.1512427) name no patients, and neighbouring files are often one patient: they
are split by blocks of file numbers, never at random. Every block is tested once; all rivals see the same small
pixels of all other blocks.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "model"))

from model_fakes import tiny

from gliocast.evidence.classification import performance
from gliocast.model.ensemble import Member
from gliocast.model.parameters import ModelParameters
from gliocast.model.scoring import member_logits
from gliocast.model.training import FoldIndices, train_fold

DATA = Path(os.environ.get("GLIOCAST_DATA", Path(__file__).parents[1] / "../shared/data")) / "cheng_t1ce"
KINDS = ("meningioma", "glioma")  # glioma is the positive class
CALM = {"flip": True, "rotation_degrees": 15, "shift_fraction": 0.05, "intensity_fraction": 0.1}
FOREST = "forest"
MEMBERS, PARTS, RUN = 3, 5, 10  # networks of an ensemble, each fitted on all parts but one; files that stay together


def main() -> int:
    """Print one JSON line a rival and blocking."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rivals", nargs="+", default=[FOREST, "test_resnet"], help=f"{FOREST}, or any timm backbone")
    asked.add_argument("--blocks", type=int, nargs="+", default=[4, 5, 6])
    asked.add_argument("--side-px", type=int, default=64)
    asked.add_argument("--epochs", type=int, default=20)
    options = asked.parse_args()
    if not DATA.is_dir():
        print(json.dumps({"benchmark": "real images", "skipped": "the images are absent; set GLIOCAST_DATA"}))
        return 0
    stacks, glioma, number = slices(options.side_px)
    for blocks in options.blocks:
        block = blocks_of(number, glioma, blocks)
        for rival in options.rivals:
            found = (
                forest(stacks, glioma, block)
                if rival == FOREST
                else network(stacks, glioma, number, block, recipe(rival, options.epochs))
            )
            report(rival, blocks, glioma, found)
    return 0


def recipe(backbone: str, epochs: int) -> ModelParameters:
    """How the networks are trained; chosen with seven blocks, which are not reported."""
    return tiny(
        backbone=backbone,
        batch_size=16,
        epochs=epochs,
        stop_by="nothing",
        scheduler={"kind": "cosine", "factor": 0.1, "patience": 5},
        learning_rate=0.003,
        weight_decay=0.01,
        augmentation=CALM,
        devices=("auto",),
        threads=None,
    )


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


def turns(block: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Slices to learn from and to test, with each block tested once."""
    for tested in range(int(block.max()) + 1):
        yield np.flatnonzero(block != tested), np.flatnonzero(block == tested)


def folds(known: np.ndarray, number: np.ndarray, glioma: np.ndarray, seed: int) -> Iterator[FoldIndices]:
    """A network each, fitted on four fifths of the runs of ten files.

    Whole blocks would not do: the files are ordered by plane, and a network fitted without one never sees that plane.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    runs = glioma[known] * 1000 + number[known] // RUN
    splitter = StratifiedGroupKFold(PARTS, shuffle=True, random_state=seed)
    for fit, stop in islice(splitter.split(known, glioma[known], runs), MEMBERS):
        yield FoldIndices(known[fit], known[stop])


def forest(stacks: np.ndarray, glioma: np.ndarray, block: np.ndarray) -> np.ndarray:
    """The rival: fitted on everything but the tested block."""
    from sklearn.ensemble import RandomForestClassifier

    pixels, probability = stacks.reshape(len(stacks), -1), np.empty(len(stacks))
    for known, tested in turns(block):
        grown = RandomForestClassifier(500, random_state=0, n_jobs=-1).fit(pixels[known], glioma[known])
        probability[tested] = grown.predict_proba(pixels[tested])[:, 1]
    return probability


def network(
    stacks: np.ndarray, glioma: np.ndarray, number: np.ndarray, block: np.ndarray, params: ModelParameters
) -> np.ndarray:
    """Ours, from random weights: the mean logit of a fold ensemble, as a new patient is scored."""
    classes, logit = glioma.astype(np.int64), np.empty(len(stacks))
    for turn, (known, tested) in enumerate(turns(block)):
        logits = []
        for fold in folds(known, number, glioma, turn):
            weights = train_fold(stacks, classes, fold, params.hyperparameters, params, len(logits)).weights
            logits.append(member_logits(Member("", "", weights, (), params.dropout), params, stacks[tested])[1])
        logit[tested] = np.mean(logits, axis=0)
    return 1 / (1 + np.exp(-logit))


def report(rival: str, blocks: int, glioma: np.ndarray, probability: np.ndarray) -> None:
    """Balanced accuracy and AUC with their intervals, over all blocks."""
    found: dict[str, Any] = performance(glioma, probability, probability >= 0.5, 1000, 0)
    said = {"benchmark": "real images", "rival": rival, "blocks": blocks, "n": len(glioma)}
    print(json.dumps(said | {name: found[name] for name in ("balanced_accuracy", "auc")}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
