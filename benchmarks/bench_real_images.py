"""Does the network learn on real images? Glioma or meningioma on contrast-enhanced T1 slices, beside a random forest.

The data (Cheng, doi:10.6084/m9.figshare.1512427) name no patients, and neighbouring files are often one patient: they
are split by blocks of file numbers, never at random. Every block is tested once; all rivals see the same small
pixels of all other blocks. A forest that sees the border of the slice alone shows how much of the task is acquisition.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from model_fakes import tiny

from gliocast.evidence.classification import performance
from gliocast.model.ensemble import Member
from gliocast.model.material import FoldIndices
from gliocast.model.parameters import ModelParameters
from gliocast.model.scoring import member_logits
from gliocast.model.training import train_fold

DATA = Path(os.environ.get("GLIOCAST_DATA", Path(__file__).parents[1] / "../shared/data")) / "cheng_t1ce"
KINDS = ("meningioma", "glioma")  # glioma is the positive class
CALM = {"flip": True, "rotation_degrees": 15, "shift_fraction": 0.05, "intensity_fraction": 0.1}
FRAME = 10 / 64  # of the side: what lies further out holds less than a hundredth of the tumours
TUMOUR_SIDE_PX = 256  # of 512: the square around the tumour
RUN = 10  # files that stay together


def main() -> int:
    """Print one JSON line a rival and blocking."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rivals", nargs="+", default=[*FORESTS, "test_resnet"], help="forests, or any timm backbone")
    asked.add_argument(
        "--around-tumour", action="store_true", help="see a square around the tumour, not the whole slice"
    )
    asked.add_argument("--blocks", type=int, nargs="+", default=[4, 5, 6])
    asked.add_argument("--shift", type=float, default=0.0, help="part of a block by which all cuts are moved")
    asked.add_argument("--side-px", type=int, default=64)
    asked.add_argument("--epochs", type=int, default=20)
    asked.add_argument("--learning-rate", type=float, default=0.003)
    asked.add_argument("--members", type=int, default=3, help="networks of an ensemble")
    asked.add_argument("--parts", type=int, default=5, help="each network is fitted on all of so many parts but one")
    asked.add_argument("--precision", default="float32", help="auto, float32 or bfloat16")
    asked.add_argument("--weights", default="none", help="none, imagenet (fetched before) or a safetensors file")
    options = asked.parse_args()
    if not DATA.is_dir():
        print(json.dumps({"benchmark": "real images", "skipped": "the images are absent; set GLIOCAST_DATA"}))
        return 0
    stacks, glioma, number = slices(options.side_px, options.around_tumour)
    for blocks in options.blocks:
        block = blocks_of(number, glioma, blocks, options.shift)
        for rival in options.rivals:
            if rival in FORESTS:
                found = forest(FORESTS[rival](stacks), glioma, block)
            else:
                found = network(stacks, glioma, number, block, recipe(rival, options), options)
            report(rival, block, glioma, found, options)
    return 0


def recipe(backbone: str, options: argparse.Namespace) -> ModelParameters:
    """How the networks are trained; chosen with seven blocks, which are not reported."""
    return tiny(
        backbone=backbone,
        weights=options.weights,
        weights_folder=str(Path(__file__).parents[1] / "data" / "06_models" / "pretrained"),
        batch_size=16,
        epochs=options.epochs,
        stop_by="nothing",
        scheduler={"kind": "cosine", "factor": 0.1, "patience": 5},
        learning_rate=options.learning_rate,
        weight_decay=0.01,
        augmentation=CALM,
        precision=options.precision,
        devices=("auto",),
        threads=None,
    )


def slices(side_px: int, around_tumour: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slices as stacks of one, 0 to 1, with kind and file number."""
    from PIL import Image

    files = sorted((path for kind in KINDS for path in (DATA / kind).glob("*.jpg")), key=lambda path: int(path.stem))
    images = [Image.open(path).convert("L") for path in files]
    if around_tumour:
        squares = tumour_squares()
        images = [image.crop(squares[int(path.stem)]) for image, path in zip(images, files, strict=True)]
    pixels = [np.asarray(image.resize((side_px, side_px), Image.Resampling.BOX)) for image in images]
    stacks = np.stack(pixels)[:, None].astype(np.float32) / 255
    kinds, numbers = [path.parent.name for path in files], [int(path.stem) for path in files]
    return stacks, np.array(kinds) == KINDS[1], np.array(numbers)


def tumour_squares() -> dict[int, tuple[int, int, int, int]]:
    """Left, top, right and bottom of the square around each file's tumour, black where it leaves the image."""
    found = {}
    with (DATA / "tumor_outlines.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            outline = np.array(json.loads(row["tumorBorder"]))
            left, top = (int(place) for place in (outline.min(0) + outline.max(0)) / 2 - TUMOUR_SIDE_PX / 2)
            found[int(Path(row["file"]).stem)] = (left, top, left + TUMOUR_SIDE_PX, top + TUMOUR_SIDE_PX)
    return found


def frame(stacks: np.ndarray) -> np.ndarray:
    """The pixels near the border alone."""
    width = round(FRAME * stacks.shape[-1])
    near = np.ones(stacks.shape[-2:], dtype=bool)
    near[width:-width, width:-width] = False
    return stacks[..., near]


def blocks_of(number: np.ndarray, glioma: np.ndarray, blocks: int, shift: float) -> np.ndarray:
    """Consecutive file numbers of one kind in one block; each block holds both kinds.

    Where the cuts are shifted, the first block is made of the last files and the first ones.
    """
    block = np.empty(len(number), dtype=np.int64)
    for kind in (False, True):
        own = np.flatnonzero(glioma == kind)
        ordered = own[np.argsort(number[own])]
        places = (np.arange(len(ordered)) + int(shift * len(ordered) / blocks)) % len(ordered)
        block[ordered] = places * blocks // len(ordered)
    return block


def turns(block: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Slices to learn from and to test, with each block tested once."""
    for tested in range(int(block.max()) + 1):
        yield np.flatnonzero(block != tested), np.flatnonzero(block == tested)


def folds(
    known: np.ndarray, number: np.ndarray, glioma: np.ndarray, seed: int, options: argparse.Namespace
) -> Iterator[FoldIndices]:
    """A network each, fitted on all runs of ten files but those of one part.

    Whole blocks would not do: the files are ordered by plane, and a network fitted without one never sees that plane.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    runs = glioma[known] * 1000 + number[known] // RUN
    splitter = StratifiedGroupKFold(options.parts, shuffle=True, random_state=seed)
    for fit, stop in islice(splitter.split(known, glioma[known], runs), options.members):
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
    stacks: np.ndarray,
    glioma: np.ndarray,
    number: np.ndarray,
    block: np.ndarray,
    params: ModelParameters,
    options: argparse.Namespace,
) -> np.ndarray:
    """Ours: the mean logit of a fold ensemble, as a new patient is scored."""
    classes, logit = glioma.astype(np.int64), np.empty(len(stacks))
    for turn, (known, tested) in enumerate(turns(block)):
        logits = []
        for fold in folds(known, number, glioma, turn, options):
            weights = train_fold(stacks, classes, fold, params.hyperparameters, params, len(logits)).weights
            logits.append(member_logits(Member("", "", weights, (), params.dropout), params, stacks[tested])[1])
        logit[tested] = np.mean(logits, axis=0)
    return 1 / (1 + np.exp(-logit))


def report(
    rival: str, block: np.ndarray, glioma: np.ndarray, probability: np.ndarray, options: argparse.Namespace
) -> None:
    """Balanced accuracy and AUC with their intervals, over all blocks; and their values in each."""
    said = {
        "benchmark": "real images",
        "around_tumour": options.around_tumour,
        "side_px": options.side_px,
        "rival": rival,
        "blocks": int(block.max()) + 1,
        "shift": options.shift,
        "n": len(glioma),
    }
    of_each = [judged(glioma[tested], probability[tested]) for _, tested in turns(block)]
    alone = {name: [round(found[name]["value"], 3) for found in of_each] for name in of_each[0]}
    print(json.dumps(said | judged(glioma, probability) | {"of each block": alone}), flush=True)


def judged(glioma: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    """Balanced accuracy at a probability of one half, and AUC, each with its interval."""
    found: dict[str, Any] = performance(glioma, probability, probability >= 0.5, 1000, 0)
    return {name: found[name] for name in ("balanced_accuracy", "auc")}


FORESTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"forest": lambda stacks: stacks, "forest of the frame": frame}

if __name__ == "__main__":
    sys.exit(main())
