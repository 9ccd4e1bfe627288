"""What is true of a simulated cohort: the best AUC that any model could reach, from each source and from both.

Given the outcome the predictors are independent, so the log-likelihood ratio of a patient is the sum of the ratios of
each predictor; ranking patients by it is optimal (Neyman-Pearson). All AUCs are computed by summation, not by drawing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from gliocast.cohort.simulation.clinical import age_curves, clinical_csv, separation, simulate_clinical
from gliocast.cohort.simulation.fingerprint import generator_fingerprint, request_fingerprint, sha256_of_text
from gliocast.cohort.simulation.parameters import Figure1, SimulationParameters, Table1
from gliocast.types import LONG_TERM, SHORT_TERM

CATEGORICAL = ("sex", "surgery", "who_status")
AGE_BINS = 400  # of about 0.16 years: the AUC of age changes by less than 1e-4 with twice as many
RATIO_STEP = 0.005  # width of a bin of the log-likelihood ratio
RATIO_LIMIT = 25.0  # where one class has no patient at all the ratio is infinite; this far is as good

Evidence = tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]  # P(state) in long- and short-term survivors


@dataclass(frozen=True)
class RatioDistribution:
    """How the log-likelihood ratio of some predictors is distributed in each class.

    Attributes:
        ratio: ascending values of the ratio, long-term over short-term.
        long_term: probability of each value in a long-term survivor.
        short_term: probability of each value in a short-term survivor.
    """

    ratio: Float[np.ndarray, " values"]
    long_term: Float[np.ndarray, " values"]
    short_term: Float[np.ndarray, " values"]


def truth(table1: Table1, figure1: Figure1, simulation: SimulationParameters, seed: int) -> dict[str, Any]:
    """The record of a simulated cohort: what it was asked for, what was planted, and what could be recovered.

    It is written before any image and names the SHA-256 of the clinical table, which is written last: a table with this
    hash is the sign that the cohort is complete.

    Args:
        table1: Moreau et al., Table 1.
        figure1: Moreau et al., Figure 1.
        simulation: size, image signal and volumes.
        seed: the seed of the cohort.

    Returns:
        Plain values: `simulated`, `parameters`, `seed`, `fingerprint`, `clinical_sha256`, `planted` (AUCs of the
        distributions), `sample` (AUCs of the same scores in these very patients), `patients` (id and image score).
    """
    cohort, scores = simulated_patients(table1, figure1, simulation, seed)
    return {
        "simulated": True,
        "parameters": simulation.model_dump(mode="json"),
        "seed": seed,
        "generator": generator_fingerprint(),
        "fingerprint": request_fingerprint(simulation, seed, (table1, figure1)),
        "clinical_sha256": sha256_of_text(clinical_csv(cohort)),
        "planted": planted_aucs(table1, simulation.image_auc),
        "sample": sample_results(table1, simulation.image_auc, cohort, scores),
        "patients": [
            {"patient_id": patient_id, "image_score": float(score), "scanner_field_t": float(field)}
            for patient_id, score, field in zip(cohort["patient_id"], scores, cohort["scanner_field_t"], strict=True)
        ],
    }


def simulated_patients(
    table1: Table1, figure1: Figure1, simulation: SimulationParameters, seed: int
) -> tuple[pd.DataFrame, Float[np.ndarray, " patients"]]:
    """The clinical rows and image scores that the parameters ask for."""
    fields = simulation.acquisition.field_strengths_t
    return simulate_clinical(table1, simulation.n_patients, seed, simulation.image_auc, figure1, fields)


def planted_aucs(table1: Table1, image_auc: float) -> dict[str, float]:
    """The AUC of the best possible reader of each predictor, of all clinical ones, of the image, and of both."""
    evidence = predictor_evidence(table1)
    alone = {name: best_auc(ratio_distribution([states]), 0.5) for name, states in evidence.items()}
    clinical = ratio_distribution(list(evidence.values()))
    return {
        **alone,
        "clinical": best_auc(clinical, 0.5),
        "image": image_auc,
        "clinical_and_image": best_auc(clinical, image_auc),
    }


def sample_results(
    table1: Table1, image_auc: float, cohort: pd.DataFrame, scores: Float[np.ndarray, " patients"]
) -> dict[str, float]:
    """The same optimal scores, read in the simulated patients themselves: chance moves them away from the planted."""
    long_term = (cohort["outcome"] == LONG_TERM).to_numpy(dtype=bool)
    clinical = patient_ratios(table1, cohort)
    resected = (cohort["surgery"] != "biopsy").to_numpy(dtype=bool)
    return {
        "clinical": rank_auc(clinical, long_term),
        "image": rank_auc(scores, long_term),
        "clinical_and_image": rank_auc(clinical + separation(image_auc) * scores, long_term),
        "surgery_rule_accuracy": float((resected == long_term).mean()),
    }


def predictor_evidence(table1: Table1) -> dict[str, Evidence]:
    """For each predictor the probabilities of its values in long-term and short-term survivors."""
    evidence = {
        name: (level_shares(table1, LONG_TERM, name), level_shares(table1, SHORT_TERM, name)) for name in CATEGORICAL
    }
    edges = age_edges(table1)
    curves = age_curves(table1)
    shares = {outcome: np.diff(curve.cumulative(edges)) for outcome, curve in curves.items()}
    return {**evidence, "age_years": (shares[LONG_TERM], shares[SHORT_TERM])}


def level_shares(table1: Table1, outcome: Any, name: str) -> Float[np.ndarray, " levels"]:
    """The share of each level of a categorical predictor in one class."""
    summary = table1.classes[outcome]
    return np.array(list(getattr(summary, name).values())) / summary.n


def age_edges(table1: Table1) -> Float[np.ndarray, " edges"]:
    """Edges of narrow bins over all ages, years."""
    return np.linspace(table1.all.age_years.min, table1.all.age_years.max, AGE_BINS + 1)


def log_ratio(long_term: Float[np.ndarray, "*n"], short_term: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Log-likelihood ratio of each state, cut at the limit where one class never has it; 0 where none has."""
    tiny = np.exp(-RATIO_LIMIT)
    return np.clip(np.log((long_term + tiny) / (short_term + tiny)), -RATIO_LIMIT, RATIO_LIMIT)


def ratio_distribution(evidence: list[Evidence]) -> RatioDistribution:
    """The distribution of the summed log-likelihood ratio of independent predictors, in narrow bins."""
    ratios, long_term, short_term = [], [], []
    for states in product(*(zip(*predictor, log_ratio(*predictor), strict=True) for predictor in evidence[:-1])):
        weights = np.array([[long, short] for long, short, _ in states]).reshape(-1, 2).prod(axis=0)
        last_long, last_short = evidence[-1]
        ratios.append(sum(ratio for *_, ratio in states) + log_ratio(last_long, last_short))
        long_term.append(weights[0] * last_long)
        short_term.append(weights[1] * last_short)
    return binned(np.concatenate(ratios), np.concatenate(long_term), np.concatenate(short_term))


def binned(
    ratio: Float[np.ndarray, " n"], long_term: Float[np.ndarray, " n"], short_term: Float[np.ndarray, " n"]
) -> RatioDistribution:
    """The probabilities gathered in bins of the ratio."""
    places, inverse = np.unique(np.round(ratio / RATIO_STEP), return_inverse=True)
    return RatioDistribution(
        places * RATIO_STEP, np.bincount(inverse, weights=long_term), np.bincount(inverse, weights=short_term)
    )


def best_auc(clinical: RatioDistribution, image_auc: float) -> float:
    """AUC of the clinical log-likelihood ratio plus that of the image score.

    The image's own ratio is d times the score; between a long- and a short-term survivor it differs by N(d², 2 d²).
    So the AUC is the sum over all pairs of clinical values of Phi((a - b + d²) / (d sqrt 2)).
    """
    from scipy.special import ndtr

    distance = separation(image_auc)
    if distance == 0:
        below = np.cumsum(clinical.short_term) - 0.5 * clinical.short_term
        return float(clinical.long_term @ below)
    difference = clinical.ratio[:, None] - clinical.ratio[None, :]
    wins = ndtr((difference + distance**2) / (distance * np.sqrt(2)))
    return float(clinical.long_term @ wins @ clinical.short_term)


def patient_ratios(table1: Table1, cohort: pd.DataFrame) -> Float[np.ndarray, " patients"]:
    """The clinical log-likelihood ratio of each patient."""
    evidence = predictor_evidence(table1)
    edges = age_edges(table1)
    place = np.clip(np.searchsorted(edges, cohort["age_years"].to_numpy()) - 1, 0, AGE_BINS - 1)
    ratio = log_ratio(*evidence["age_years"])[place]
    for name in CATEGORICAL:
        levels = list(getattr(table1.long_term, name))
        by_level = dict(zip(levels, log_ratio(*evidence[name]), strict=True))
        ratio = ratio + cohort[name].map(by_level).to_numpy(dtype=float)
    return ratio


def rank_auc(score: Float[np.ndarray, " patients"], positive: Any) -> float:
    """Mann-Whitney AUC; ties count half."""
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    return float((rank[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))
