"""Does the localiser find the lesion that nobody has drawn, and does its confidence say when it does not?

The volumes' masks are hidden from it. Beside it stand two simple rivals. What it takes for bright and asymmetric was
chosen on the real volumes: so that is chosen again on all patients but one, among a small grid, and that one is
measured, in turn. How it weighs heights was chosen without them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from gliocast.evidence.auc import delong
from gliocast.evidence.comparison import compare_paired
from gliocast.evidence.intervals import wilson
from gliocast.imaging import localiser
from lesion_volumes import PARAMETERS, REAL, KnownLesion, brightest_mm, known_lesions, middle_mm, simulate

GRID = {"BRIGHT": (1.0, 1.5, 2.0), "ASYMMETRIC": (0.5, 1.0, 1.5), "EDGE_MM": (3.0, 5.0, 8.0)}
SETTINGS = [dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]
UNTOUCHED = ("_shrunk", "_head", "_brain")
PRESENT = SETTINGS.index({name: getattr(localiser, name) for name in GRID})
AGREE_MM = PARAMETERS.extent_mm  # blocks of nine slices closer than this share a slice
SAID: dict[str, Any] = {"benchmark": "localiser"}


def main() -> None:
    """Print one JSON line a figure."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--simulated", type=int, default=60, help="number of simulated patients; 0: none")
    asked.add_argument("--seed", type=int, default=0, help="of the simulated patients; 1 chose the weight of no lesion")
    options = asked.parse_args()
    real = [known for source in REAL if source.root.is_dir() for known in known_lesions(source)]
    if real:
        measure("real", real)
    else:
        print(json.dumps(SAID | {"cohort": "real", "skipped": "the volumes are absent; set GLIOCAST_DATA"}))
    if options.simulated:
        with tempfile.TemporaryDirectory() as folder:
            measure("simulated", list(known_lesions(simulate(Path(folder), options.simulated, options.seed))))


def measure(cohort: str, lesions: Sequence[KnownLesion]) -> None:
    """All figures of one cohort."""
    guesses = np.array([guessed_with_each_setting(known) for known in lesions])  # (volume, setting, 2)
    overlap, distance = judged(lesions, guesses[..., 0])
    rivals = {"localiser": guesses[:, PRESENT, 0]}
    rivals |= {name: np.array([rival(known.volume) for known in lesions]) for name, rival in RIVALS.items()}
    for name, guessed in rivals.items():
        told(cohort, name, *(found[:, 0] for found in judged(lesions, guessed[:, None])))
    chosen = chosen_without([known.patient for known in lesions], overlap, distance)
    each = np.arange(len(lesions))
    told(cohort, "localiser, constants chosen without the patient", overlap[each, chosen], distance[each, chosen])
    certainty(cohort, overlap[:, PRESENT], guesses)


RIVALS = {"middle of the volume": middle_mm, "brightest slice": brightest_mm}


def guessed_with_each_setting(known: KnownLesion) -> list[tuple[float, float]]:
    """The localiser's position (mm) and confidence; what the grid's constants do not touch is worked out once."""
    guesses = []
    with patch.multiple(localiser, **{name: once(getattr(localiser, name)) for name in UNTOUCHED}):
        for setting in SETTINGS:
            with patch.multiple(localiser, **setting):
                located = localiser.locate_lesion(known.volume, PARAMETERS)
            guesses.append((located.centre_mm, located.confidence))
    return guesses


def once(work: Callable[..., Any]) -> Callable[..., Any]:
    """Do it the first time, and give the same again whatever is asked."""
    done: list[Any] = []

    def again(*asked: Any) -> Any:
        if not done:
            done.append(work(*asked))
        return done[0]

    return again


def judged(lesions: Sequence[KnownLesion], centres_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each volume (row) and guess (column): do the nine slices meet the lesion, and how far is its centre, mm?"""
    rows = zip(lesions, centres_mm, strict=True)
    overlap = np.array([[known.overlaps(float(centre)) for centre in centres] for known, centres in rows])
    return overlap, np.abs(centres_mm - np.array([known.true_mm for known in lesions])[:, None])


def chosen_without(patients: Sequence[str], overlap: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """For each volume the setting that is best on the other patients' volumes: most hits, then the least mean distance.

    Of equally good ones the present constants are kept, so that nothing is changed for nothing.
    """
    return np.array([best(overlap[others], distance[others]) for others in others_of(patients)])


def others_of(patients: Sequence[str]) -> Iterator[np.ndarray]:
    """For each volume the volumes of other patients: one patient's two dates are never on both sides."""
    names = np.array(patients)
    yield from (names != name for name in names)


def best(overlap: np.ndarray, distance: np.ndarray) -> int:
    """The setting with most hits, then the least mean distance."""
    order = np.lexsort((np.arange(len(SETTINGS)) != PRESENT, distance.mean(axis=0), -overlap.sum(axis=0)))
    return int(order[0])


def told(cohort: str, who: str, overlap: np.ndarray, distance: np.ndarray) -> None:
    """One line: how often and how near."""
    quantiles = {f"{name}_mm": round(float(np.quantile(distance, at)), 1) for name, at in QUANTILES.items()}
    line = {"cohort": cohort, "who": who, "n": len(overlap), "hits": int(overlap.sum())}
    print(json.dumps(SAID | line | {"overlap": rounded(wilson(int(overlap.sum()), len(overlap)))} | quantiles
                     | {"mean_mm": round(float(distance.mean()), 1)}), flush=True)  # fmt: skip


QUANTILES = {"median": 0.5, "quarter_beyond": 0.75, "worst": 1.0}


def certainty(cohort: str, right: np.ndarray, guesses: np.ndarray) -> None:
    """Does a confidence tell right from wrong? The present one, and the share of settings that agree on the place."""
    agreement = np.abs(guesses[..., 0] - guesses[:, [PRESENT], 0]) <= AGREE_MM
    kinds = {"confidence": guesses[:, PRESENT, 1], "agreement of settings": agreement.mean(axis=1)}
    for name, score in kinds.items():
        line = {"cohort": cohort, "right or wrong, told by": name, "wrong": int((~right).sum())}
        print(json.dumps(SAID | line | {"auc": rounded(delong(right, score))} | halves(right, score)), flush=True)
    apart = compare_paired(right, kinds["agreement of settings"], kinds["confidence"])["delta_auc"]
    print(json.dumps(SAID | {"cohort": cohort, "agreement minus confidence": rounded(apart)}), flush=True)


def halves(right: np.ndarray, score: np.ndarray) -> dict[str, str]:
    """How many are right among those who are sure, and among the others."""
    sure = score >= 0.5
    return {
        "right of the sure": f"{int(right[sure].sum())} of {int(sure.sum())}",
        "right of the unsure": f"{int(right[~sure].sum())} of {int((~sure).sum())}",
    }


def rounded(value: Any) -> Any:
    """Three digits."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
