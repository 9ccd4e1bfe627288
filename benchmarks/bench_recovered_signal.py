"""How much of a planted image signal does the network recover: (AUC − 0.5) / (image_auc − 0.5), by cohort size?

Simulated cohorts of known truth; the network is trained out-of-fold and judged on patients that it has not seen. With
`image_auc` 0.5 there is nothing to find, and the interval of the AUC must contain 0.5. The five networks' scores are
ranked all together, levels that differ included, and then each network's alone.
At n=600 it takes its time.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from omegaconf import OmegaConf

from gliocast.cohort.simulation.clinical import simulate_clinical
from gliocast.cohort.simulation.parameters import PaperParameters, VolumeGeometry
from gliocast.cohort.simulation.phantom import rendered
from gliocast.evidence.auc import delong
from gliocast.evidence.classification import area_within_splits
from gliocast.evidence.intervals import Estimate
from gliocast.model.out_of_fold import train_out_of_fold
from gliocast.model.parameters import ModelParameters
from gliocast.types import LONG_TERM, PATIENT_LEVEL, Fold, Partition, Split

CONF = Path(__file__).parents[1] / "conf" / "base"
SIDE_PX, SLICES, FOLDS = 64, 9, 5
GEOMETRY = VolumeGeometry(size_px=96, slices=40, spacing_mm=256 / 96, slice_spacing_mm=4.0)
FIELD_OF_VIEW_MM = 96.0  # around the lesion
N_BOOTSTRAP = 2000


def main() -> None:
    """Print one JSON line a cohort."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--patients", type=int, nargs="+", default=[60, 175])
    asked.add_argument("--image-auc", type=float, nargs="+", default=[0.8, 0.5])
    asked.add_argument("--seed", type=int, default=1)
    demo = demo_parameters()
    asked.add_argument("--backbone", default=demo.backbone)
    asked.add_argument("--weights", default=demo.weights, help="none, or a safetensors file")
    asked.add_argument("--learning-rate", type=float, default=demo.learning_rate)
    options = asked.parse_args()
    network = {"backbone": options.backbone, "weights": options.weights, "learning_rate": options.learning_rate}
    for n_patients in options.patients:
        for image_auc in options.image_auc:
            params = demo.model_copy(update=network)
            print(json.dumps(recovered(n_patients, image_auc, params, options.seed)), flush=True)


def recovered(n_patients: int, image_auc: float, params: ModelParameters, seed: int) -> dict[str, Any]:
    """Train out-of-fold on one simulated cohort; a perfect reader of the same patients stands beside it."""
    stacks, long_term, score = simulated(n_patients, image_auc, seed)
    scores = out_of_fold_scores(stacks, long_term, params, seed)
    probability, networks = scores["probability"].to_numpy(float), scores["model"].to_numpy(str)
    within = area_within_splits(long_term, probability, N_BOOTSTRAP, seed, splits=networks)
    figures = of_the_signal(delong(long_term, probability), image_auc)
    figures |= {"perfect_reader_auc": delong(long_term, score)["value"]}
    figures |= {"within_networks": of_the_signal(within, image_auc)}
    said = {
        "benchmark": "recovered signal",
        "patients": n_patients,
        "image_auc": image_auc,
        "backbone": params.backbone,
        "pretrained": params.weights != "none",
        "learning_rate": params.learning_rate,
    }
    return said | figures


def of_the_signal(found: Estimate, image_auc: float) -> dict[str, Any]:
    """An AUC, and the share of the planted signal that it comes to; no share where nothing is planted."""
    share = None if image_auc == 0.5 else round((found["value"] - 0.5) / (image_auc - 0.5), 3)
    return {"auc": found["value"], "ci95": found["ci95"], "recovered_share": share}


def out_of_fold_probability(
    stacks: np.ndarray, long_term: np.ndarray, params: ModelParameters, seed: int
) -> np.ndarray:
    """The probability of long-term survival of each patient, by the network that has not seen them."""
    return out_of_fold_scores(stacks, long_term, params, seed)["probability"].to_numpy(float)


def out_of_fold_scores(stacks: np.ndarray, long_term: np.ndarray, params: ModelParameters, seed: int) -> pd.DataFrame:
    """One row a patient, in their order: `probability` of long-term survival, and the `model` that says so."""
    patients = tuple(f"P{number:04d}" for number in range(len(stacks)))
    partition, classes = five_folds(patients, long_term, seed), long_term.astype(np.int64)
    trained = train_out_of_fold(stacks, patients, classes, partition, params.hyperparameters, params, seed)
    table = trained.scores.table[trained.scores.table["slice"] == PATIENT_LEVEL].set_index("patient_id")
    return table.loc[list(patients)]


def simulated(n_patients: int, image_auc: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slice stacks, which patients are long-term survivors, and the score that their lesions show."""
    long_term, score, fields = cohort_of(n_patients, image_auc, seed)
    return stacks_showing(score, fields, seed), long_term, score


def cohort_of(n_patients: int, image_auc: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which patients are long-term survivors, the score that their lesions show, and the scanner's field in tesla."""
    paper = PaperParameters.model_validate(yaml.safe_load((CONF / "parameters_paper.yml").read_text())["paper"])
    cohort, score = simulate_clinical(paper.table1, n_patients, seed, image_auc, paper.figure1, [1.5, 3.0])
    long_term = (cohort["outcome"] == LONG_TERM).to_numpy(bool)
    return long_term, np.asarray(score, dtype=float), cohort["scanner_field_t"].to_numpy(float)


def stacks_showing(score: np.ndarray, fields: np.ndarray, seed: int) -> np.ndarray:
    """The slice stack of every patient, whose lesion looks as the patient's score says."""
    patients = enumerate(zip(score, fields, strict=True))
    return np.stack([slice_stack(float(shown), float(field), seed, index) for index, (shown, field) in patients])


def slice_stack(score: float, field_t: float, seed: int, index: int) -> np.ndarray:
    """Nine 1 mm slices around the largest lesion section, in a square around the lesion, divided by their maximum."""
    from scipy.ndimage import map_coordinates

    volume = rendered(GEOMETRY, score, field_t, seed, index)
    section = int(volume.lesion_mask.sum(axis=(1, 2), dtype=np.int64).argmax())
    row, column = (float(place.mean()) for place in np.nonzero(volume.lesion_mask[section]))
    half_px = FIELD_OF_VIEW_MM / 2 / GEOMETRY.spacing_mm
    offsets = np.linspace(-half_px, half_px, SIDE_PX)
    heights = section + (np.arange(SLICES) - SLICES // 2) / GEOMETRY.slice_spacing_mm
    places = np.meshgrid(heights, row + offsets, column + offsets, indexing="ij")
    pixels = map_coordinates(volume.voxels.astype(np.float32), places, order=1, mode="nearest").clip(min=0)
    return (pixels / pixels.max()).astype(np.float16)


def five_folds(patients: tuple[str, ...], long_term: np.ndarray, seed: int) -> Partition:
    """Everyone is held out once; a quarter of the others stops each training."""
    from sklearn.model_selection import StratifiedKFold, train_test_split

    folds = []
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for others, held_out in splitter.split(long_term, long_term):
        fit, stop = train_test_split(others, test_size=0.25, stratify=long_term[others], random_state=seed)
        folds.append(Fold(*(tuple(patients[place] for place in group) for group in (fit, stop, held_out))))
    return Partition("holdout", seed, (Split("holdout", (), tuple(folds)),), Fold((), (), ()))


def demo_parameters() -> ModelParameters:
    """The demo profile's network, without the paper's protocol beside it."""
    loaded = OmegaConf.merge({"profile": "demo"}, OmegaConf.load(CONF / "parameters_cnn_training.yml"))
    model = OmegaConf.to_container(loaded, resolve=True)["model"]  # type: ignore[index]
    return ModelParameters.model_validate(model | {"paper_protocol": False})


if __name__ == "__main__":
    sys.exit(main())
