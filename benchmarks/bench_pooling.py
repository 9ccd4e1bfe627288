"""Nine slices to one patient: the mean logit, the mean probability, or attention that is trained?

Simulated cohorts of known truth in which all nine slices show the signal, or some of them alone: the others then show
the cohort's mean, at places drawn for each patient. Each way trains the demo profile's network out-of-fold on the same
patients, folds and seeds, and is compared with the mean logit on the same patients. Takes minutes a cohort.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.bench_recovered_signal import (
    SLICES,
    cohort_of,
    demo_parameters,
    out_of_fold_probability,
    stacks_showing,
)
from gliocast.evidence.auc import delong
from gliocast.evidence.comparison import paired_delong
from gliocast.model.parameters import Pooling

POOLINGS: tuple[Pooling, ...] = ("mean_logit", "mean_probability", "attention")


def main() -> None:
    """Print one JSON line a cohort and way of pooling, and one a way over all seeds."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--patients", type=int, default=175)
    asked.add_argument("--image-auc", type=float, default=0.9)
    asked.add_argument("--informative-slices", type=int, nargs="+", default=[SLICES, 3])
    asked.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = asked.parse_args()
    for informative in options.informative_slices:
        cohorts = [pooled_cohort(options.patients, options.image_auc, informative, seed) for seed in options.seeds]
        for figures in over_seeds(cohorts):
            print(json.dumps(figures), flush=True)


def pooled_cohort(n_patients: int, image_auc: float, informative: int, seed: int) -> list[dict[str, Any]]:
    """The figures of every way of pooling on one cohort, printed as they come."""
    stacks, long_term = a_cohort(n_patients, image_auc, informative, seed)
    lines: list[dict[str, Any]] = []
    reference: np.ndarray | None = None
    for pooling in POOLINGS:
        params = demo_parameters().model_copy(update={"pooling": pooling})
        probability = out_of_fold_probability(stacks, long_term, params, seed)
        reference = probability if reference is None else reference
        found = delong(long_term, probability)
        less_mean_logit, *_ = paired_delong(long_term, probability, reference)
        cohort = {"patients": n_patients, "image_auc": image_auc, "informative_slices": informative}
        figures = {"auc": found["value"], "ci95": found["ci95"]}
        difference = {"less_mean_logit": less_mean_logit["value"], "its_ci95": less_mean_logit["ci95"]}
        lines.append({"benchmark": "pooling"} | cohort | {"pooling": pooling, "seed": seed} | figures | difference)
        print(json.dumps(lines[-1]), flush=True)
    return lines


def a_cohort(n_patients: int, image_auc: float, informative: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Slice stacks of which `informative` slices a patient show the signal, and who is a long-term survivor."""
    long_term, score, fields = cohort_of(n_patients, image_auc, seed)
    stacks = stacks_showing(score, fields, seed)
    if informative < SLICES:
        plain = stacks_showing(np.full_like(score, score.mean()), fields, seed)
        generator = np.random.default_rng(seed)
        for shown, other in zip(stacks, plain, strict=True):
            places = generator.permutation(SLICES)[informative:]
            shown[places] = other[places]
    return stacks, long_term


def over_seeds(cohorts: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """For every way of pooling, the means over the cohorts."""
    same = ("benchmark", "patients", "image_auc", "informative_slices", "pooling")
    return [
        {key: lines[0][key] for key in same}
        | {
            "seeds": len(lines),
            "mean_auc": fmean(line["auc"] for line in lines),
            "mean_less_mean_logit": fmean(line["less_mean_logit"] for line in lines),
        }
        for lines in zip(*cohorts, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
