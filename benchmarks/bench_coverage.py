"""Do intervals and tests keep what they promise, where the truth is known?

Probabilities drawn without any model give the calibration error of right ones. Cohorts whose patients train each
other's models in five folds, as `nested_cv` has it, give how often the AUC's interval holds the truth, and how often
groups that a model of noise calls differ by a log-rank test. Centres whose AUCs scatter, as `leave_one_centre_out` has
them, give how often the interval over their patients holds what a further centre has. Scores of two equal models give
how often one is called the better. Takes ten minutes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from gliocast.evidence import metrics
from gliocast.evidence.auc import delong, delong_parts
from gliocast.evidence.bootstrap import bootstrap
from gliocast.evidence.classification import area_within_splits
from gliocast.evidence.comparison import paired_delong
from gliocast.evidence.intervals import Z_95
from gliocast.evidence.survival_curves import logrank

PATIENTS, PREDICTORS, FOLDS, N_BINS, N_BOOTSTRAP = 100, 6, 5, 10, 400
CENTRES, PATIENTS_A_CENTRE = 5, 40
NEW_PATIENTS = 4000  # who tell what a model is worth
THRESHOLD_DAYS, MEAN_DAYS = 332.0, 480.0  # exponential survival, half of it long-term

Rows = Float[np.ndarray, "patients predictors"]
Outcome = Bool[np.ndarray, " patients"]
Folds = Int[np.ndarray, " patients"]


def main() -> None:
    """Print one JSON line a question."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--samples", type=int, default=1000)
    samples = asked.parse_args().samples
    for patients in (35, 112):
        say("calibration error of right probabilities", calibration_error(patients, samples), patients=patients)
    for patients in (12, 20, 35, 112):
        say("Brier score of right probabilities", brier_score(patients, samples), patients=patients)
    for long_term, short_term in ((3, 34), (5, 32), (18, 17)):
        for truth in (0.5, 0.7, 0.9):
            setting = {"long_term": long_term, "short_term": short_term, "truth": truth}
            say("AUC of one model", area_of_one_model(samples=samples, **setting), **setting)
    for shift in (0.0, 0.6):
        for repeats in (1, 3):
            setting = {"shift_sd": shift, "repeats": repeats}
            say("AUC over folds", area_over_folds(samples=samples, **setting), patients=PATIENTS, **setting)
    for scatter in (0.0, 0.05):
        say("AUC over centres", area_over_centres(scatter, samples), centres=CENTRES, scatter=scatter)
    for long_term, short_term in ((3, 3), (3, 30), (4, 20), (18, 17)):
        sizes = {"long_term": long_term, "short_term": short_term}
        say("difference of two equal models", equal_models(long_term, short_term, samples), **sizes)
    say("log-rank of groups called by noise, over folds", groups_of_noise(samples), patients=PATIENTS)


def say(question: str, found: dict[str, float], **setting: float) -> None:
    """One line."""
    print(json.dumps({"benchmark": "coverage", "question": question, **setting, **found}), flush=True)


def calibration_error(patients: int, samples: int) -> dict[str, float]:
    """Mean of the error where the truth is 0, and how often a bootstrap's interval would hold it."""
    rng, error = np.random.default_rng(0), metrics.expected_calibration_error(N_BINS)
    values, held = [], []
    for seed in range(samples):
        probability = 1 / (1 + np.exp(-rng.normal(0, 1.2, patients)))
        outcome = rng.random(patients) < probability
        found = bootstrap(partial(error, outcome, probability), np.arange(patients), N_BOOTSTRAP, seed)
        values.append(found["value"])
        held.append(found["ci95"] is not None and found["ci95"][0] <= 0)
    return {"mean": round(float(np.mean(values)), 3), "share of intervals with the truth": float(np.mean(held))}


def brier_score(patients: int, samples: int) -> dict[str, float]:
    """How often the bootstrap's interval holds what these probabilities come to among very many patients."""
    rng, held = np.random.default_rng(0), []
    many = 1 / (1 + np.exp(-rng.normal(0, 1.2, 10**6)))
    truth = float((many * (1 - many)).mean())
    for seed in range(samples):
        probability = 1 / (1 + np.exp(-rng.normal(0, 1.2, patients)))
        outcome = rng.random(patients) < probability
        low, high = bootstrap(partial(metrics.brier, outcome, probability), np.arange(patients), N_BOOTSTRAP, seed)[
            "ci95"
        ]
        held.append(low <= truth <= high)
    return {"share of intervals with the truth": round(float(np.mean(held)), 3)}


def area_of_one_model(long_term: int, short_term: int, truth: float, samples: int) -> dict[str, float]:
    """How often the interval holds the AUC of two normals; and the plain one with the normal quantile."""
    from scipy.special import ndtri

    rng, outcome = np.random.default_rng(0), np.arange(long_term + short_term) < long_term
    intervals, held, held_plain = 0, 0, 0
    for _ in range(10 * samples):
        score = rng.normal(size=len(outcome)) + np.sqrt(2) * ndtri(truth) * outcome
        if (found := delong(outcome, score))["ci95"] is not None:
            low, high = found["ci95"]
            intervals, held = intervals + 1, held + (low <= truth <= high)
            held_plain += abs(found["value"] - truth) <= Z_95 * float(
                np.sqrt(delong_parts(outcome, score[None])[1].sum())
            )
    shares = {"share of intervals with the truth": held, "of plain ones with the normal quantile": held_plain}
    return {name: round(count / intervals, 3) for name, count in shares.items()}


def area_over_folds(shift_sd: float, repeats: int, samples: int) -> dict[str, float]:
    """How often the interval holds the mean of what the folds' models are worth on new patients.

    Args:
        shift_sd: by which the first predictor of long-term survivors differs, in standard deviations.
        repeats: how often the folds are drawn.
        samples: number of cohorts.
    """
    from sklearn.metrics import roc_auc_score

    rng, held = np.random.default_rng(0), []
    who = np.tile(np.arange(PATIENTS).astype(str), repeats)
    for seed in range(samples):
        rows, outcome = drawn(PATIENTS, shift_sd, rng)
        new_rows, new_outcome = drawn(NEW_PATIENTS, shift_sd, rng)
        folds = [stratified(outcome, rng) for _ in range(repeats)]
        scored = [scored_by_others(rows, outcome, drawn_folds) for drawn_folds in folds]
        truth = np.mean([roc_auc_score(new_outcome, model(new_rows)) for _, models in scored for model in models])
        probability = np.concatenate([said for said, _ in scored])
        splits = np.concatenate([repeat * FOLDS + drawn_folds for repeat, drawn_folds in enumerate(folds)]).astype(str)
        interval = area_within_splits(np.tile(outcome, repeats), probability, N_BOOTSTRAP, seed, who, splits)["ci95"]
        held.append(interval[0] <= truth <= interval[1])
    return {"share of intervals with the truth": round(float(np.mean(held)), 3)}


def area_over_centres(scatter: float, samples: int) -> dict[str, float]:
    """How often the interval over the centres' patients holds the AUC of a further centre.

    Args:
        scatter: standard deviation of the centres' own AUCs around 0.7.
        samples: number of cohorts.
    """
    from scipy.special import ndtri

    rng, who, held = np.random.default_rng(0), np.arange(CENTRES * PATIENTS_A_CENTRE), []
    centre = who // PATIENTS_A_CENTRE
    for seed in range(samples):
        *areas, further = np.clip(rng.normal(0.7, scatter, CENTRES + 1), 0.5, 0.95)
        outcome = rng.random(len(who)) < 0.5
        score = rng.normal(size=len(who)) + np.sqrt(2) * ndtri(np.array(areas))[centre] * outcome
        low, high = area_within_splits(outcome, score, N_BOOTSTRAP, seed, who.astype(str), centre.astype(str))["ci95"]
        held.append(low <= further <= high)
    return {"share of intervals with a further centre's": round(float(np.mean(held)), 3)}


def equal_models(long_term: int, short_term: int, samples: int) -> dict[str, float]:
    """How often one of two independent models, each of a true AUC of 0.7, is called the better: 0.025 is promised."""
    from scipy.special import ndtri

    rng, outcome = np.random.default_rng(0), np.arange(long_term + short_term) < long_term
    above, above_normal = 0, 0
    for _ in range(10 * samples):
        scores = rng.normal(size=(2, len(outcome))) + np.sqrt(2) * ndtri(0.7) * outcome
        difference, error, _ = paired_delong(outcome, *scores)
        above += difference["ci95"] is not None and difference["ci95"][0] > 0
        above_normal += difference["value"] > Z_95 * error
    shares = {"share called better": above, "by the normal quantile": above_normal}
    return {name: round(count / samples / 10, 3) for name, count in shares.items()}


def groups_of_noise(samples: int) -> dict[str, float]:
    """How often groups that mean nothing differ at p < 0.05."""
    rng, rejected = np.random.default_rng(0), []
    for _ in range(samples):
        rows, days = rng.normal(size=(PATIENTS, PREDICTORS)), rng.exponential(MEAN_DAYS, PATIENTS)
        called = scored_by_others(rows, days >= THRESHOLD_DAYS, rng.permutation(PATIENTS) % FOLDS)[0] >= 0.5
        died = np.ones(PATIENTS, dtype=bool)
        p_value = logrank({str(group): (days[called == group], died[called == group]) for group in (True, False)})["p"]
        rejected.append(p_value is not None and p_value < 0.05)
    return {"share with p below 0.05": round(float(np.mean(rejected)), 3)}


def drawn(patients: int, shift_sd: float, rng: np.random.Generator) -> tuple[Rows, Outcome]:
    """Patients, of whom every other one is a long-term survivor."""
    outcome = np.arange(patients) % 2 == 0
    rows = rng.normal(size=(patients, PREDICTORS))
    rows[:, 0] += shift_sd * outcome
    return rows, outcome


def stratified(outcome: Outcome, rng: np.random.Generator) -> Folds:
    """A fold for each patient, with the same share of long-term survivors in each."""
    folds = np.zeros(len(outcome), dtype=np.int64)
    for group in (True, False):
        members = rng.permutation(np.flatnonzero(outcome == group))
        folds[members] = np.arange(len(members)) % FOLDS
    return folds


def scored_by_others(
    rows: Rows, outcome: Outcome, folds: Folds
) -> tuple[Float[np.ndarray, " patients"], list[Callable[[Rows], Any]]]:
    """Each patient's probability by the logistic regression that has not seen them, and these models."""
    from sklearn.linear_model import LogisticRegression

    probability, models = np.zeros(len(outcome)), []
    for fold in range(FOLDS):
        fitted = LogisticRegression().fit(rows[folds != fold], outcome[folds != fold])
        model = partial(_long_term, fitted)
        probability[folds == fold] = model(rows[folds == fold])
        models.append(model)
    return probability, models


def _long_term(fitted: Any, rows: Rows) -> Float[np.ndarray, " patients"]:
    scores: Float[np.ndarray, " patients"] = fitted.predict_proba(rows)[:, 1]
    return scores


if __name__ == "__main__":
    main()
