"""Do the Grad-CAM maps of a finished run change when the weights are drawn anew, and do its networks agree on them?

Sanity check of Adebayo et al. 2018, arXiv:1810.03292, on the networks of a finished `make demo`: the correlation of two
maps over the places of a slice. A map without any contrast resembles nothing; the share of those is told beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gliocast.datasets import CnnEnsembleDataset, SliceStacksDataset
from gliocast.model.device import resident
from gliocast.model.saliency import randomised, saliency
from gliocast.model.scoring import rebuilt

CPU = torch.device("cpu")


def main() -> None:
    """Print one JSON line, or why there is nothing to look at."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--project", type=Path, default=Path())
    asked.add_argument("--patients", type=int, default=20)
    asked.add_argument("--draws", type=int, default=5)
    options = asked.parse_args()
    networks = options.project / "data/06_models/cnn_ensemble"
    if not networks.is_dir():
        print(json.dumps({"benchmark": "saliency", "skipped": "run `make demo` first"}))
        return
    print(json.dumps(resemblance(options.project, options.patients, options.draws)))


def resemblance(project: Path, patients: int, draws: int) -> dict[str, Any]:
    """How much maps resemble those of random weights, and those of the other folds' networks."""
    ensemble = CnnEnsembleDataset(str(project / "data/06_models/cnn_ensemble")).load()
    store = SliceStacksDataset(str(project / "data/04_feature/slice_stacks")).load()
    slices = resident(store.load(store.patient_ids[:patients]), CPU)
    networks = [rebuilt(member, ensemble.params, CPU) for member in ensemble.members]
    learnt = [saliency(network, slices, ensemble.params) for network in networks]
    random = [
        correlations(maps, saliency(randomised(network, seed), slices, ensemble.params))
        for network, maps in zip(networks, learnt, strict=True)
        for seed in range(draws)
    ]
    others = [correlations(*pair) for pair in combinations(learnt, 2)]
    said = {"benchmark": "saliency", "backbone": ensemble.params.backbone, "side_px": slices.shape[-1]}
    counted = {"networks": len(networks), "slices": int(np.prod(slices.shape[:2])), "draws": draws}
    return said | counted | {"with_random_weights": told(random), "between_two_folds": told(others)}


def correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pearson's correlation over the places of each slice; NaN where a map has no contrast."""
    places = (*one.shape[:2], -1)
    with np.errstate(invalid="ignore", divide="ignore"):
        standard = [(maps - maps.mean(-1, keepdims=True)) / maps.std(-1, keepdims=True)
                    for maps in (one.reshape(places), other.reshape(places))]  # fmt: skip
    return (standard[0] * standard[1]).mean(-1).ravel()


def told(found: list[np.ndarray]) -> dict[str, Any]:
    """Median, middle half, and the share of slices where a map has no contrast."""
    every = np.concatenate(found)
    known = every[np.isfinite(every)]
    low, median, high = (round(float(value), 2) for value in np.percentile(known, [25, 50, 75]))
    return {"median": median, "middle_half": [low, high], "without_contrast": round(1 - len(known) / len(every), 2)}


if __name__ == "__main__":
    sys.exit(main())
