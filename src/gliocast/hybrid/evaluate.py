"""Holding predictions against the outcomes of patients whom nothing was fitted on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from gliocast.errors import PartitionError, Problem, raise_if_any
from gliocast.evidence import metrics
from gliocast.evidence.classification import performance
from gliocast.evidence.comparison import (
    MRI_ADDS,
    Question,
    as_one_of_several,
    bootstrap_difference,
    compare_paired,
    holm,
    mcnemar,
)
from gliocast.evidence.guard import check_probabilities, check_unseen
from gliocast.evidence.intervals import as_columns
from gliocast.evidence.parameters import EvidenceParameters
from gliocast.hybrid.fitted import PRE_OPERATIVE, SURGERY_RULE
from gliocast.types import LONG_TERM, Scores

WORDS = {
    "hybrid": "the hybrid model",
    "clinical": "the clinical model",
    "cnn": "the MRI alone",
    "image_features": "the image features alone",
    "surgery_rule": "the surgery rule",
    "majority": "the majority class",
}
PAIRS = tuple(combinations(WORDS, 2))
DRAWN = tuple(name for name in WORDS if name != "majority")  # whose curve is the line of chance
STUDY_QUESTION = "hybrid_vs_clinical"


def evaluate(predictions: Scores, outcomes: pd.DataFrame, evidence: EvidenceParameters, seed: int) -> dict[str, Any]:
    """Every model's performance and the paired comparisons, on the same test patients.

    Where a patient is tested in several repeats, the predictions of all repeats are pooled, and every interval is drawn
    over patients. Patients of different splits are not ranked against each other: their models have their own scales.

    Args:
        predictions: of `FittedModels.score`.
        outcomes: `patient_id` and `outcome` of the test patients.
        evidence: number of bootstrap resamples, and the gain that matters.
        seed: of the bootstrap.

    Returns:
        `models` and `comparisons`, as they stand in `metrics.json`.

    Raises:
        LeakageError: a prediction comes from a model that has seen the patient.
        PartitionError: the models were not asked about the same patients.
        InputError: a prediction is no probability.
    """
    check_unseen(predictions)
    return measure(predictions, outcomes, evidence, seed)


def measure(predictions: Scores, outcomes: pd.DataFrame, evidence: EvidenceParameters, seed: int) -> dict[str, Any]:
    """As `evaluate`, without asking whom the models have seen: for the paper's protocol, which is known to leak."""
    tables = compared_tables(predictions, outcomes)
    models = {name: {"patient": performance_of(table, evidence, seed)} for name, table in tables.items()}
    pairs = [pair for pair in PAIRS if set(pair) <= set(tables)]
    compared = {f"{a}_vs_{b}": _compare(tables, a, b, evidence, seed) for a, b in pairs}
    adjusted = holm({pair: found["p_value"] for pair, found in compared.items()})
    n_counted = sum(p_value is not None for p_value in adjusted.values())
    for pair, p_value in adjusted.items():
        if pair != STUDY_QUESTION:
            compared[pair] = as_one_of_several(compared[pair], p_value, n_counted)
        compared[pair]["p_value_holm"] = p_value
    return {"models": models, "comparisons": compared}


def compared_tables(predictions: Scores, outcomes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """`by_model` of the models that are compared, once each of them has said a probability of the same patients.

    Raises:
        PartitionError: the models were not asked about the same patients.
        InputError: a prediction is no probability.
    """
    check_probabilities(predictions.table[predictions.table["name"] != SURGERY_RULE])  # the rule gives none
    tables = {name: table for name, table in by_model(predictions, outcomes) if name in WORDS}
    raise_if_any(list(_other_patients(tables)), PartitionError)
    return tables


def prediction_times(
    predictions: Scores, outcomes: pd.DataFrame, evidence: EvidenceParameters, seed: int
) -> pd.DataFrame:
    """Each learnt model with all it may read beside the one that reads only what is known before the operation.

    Returns:
        one row a model and time: `model`, `reads`, `n`, `auc` and `accuracy` with limits, and for the earlier one
        `auc_lost` with limits and `p`: the paired difference to the model that waits for the operation.
    """
    tables = dict(by_model(predictions, outcomes))
    rows = []
    for name in (name for name in tables if f"{name}{PRE_OPERATIVE}" in tables):
        early = f"{name}{PRE_OPERATIVE}"
        found = _paired(tables, name, early, MRI_ADDS, evidence, seed)
        lost = as_columns({"auc_lost": found["delta_auc"], "p": found["p_value"]})
        late, soon = (_brief(tables[one], evidence, seed) for one in (name, early))
        rows.append({"model": name, "reads": "all configured predictors", **late})
        rows.append({"model": name, "reads": "what is known before the operation", **soon, **lost})
    return pd.DataFrame(rows)


def drawn(predictions: Scores) -> Scores:
    """The predictions that figures show: eight curves at once cannot be told apart, and tables hold all models."""
    return Scores(predictions.table[predictions.table["name"].isin(DRAWN)], predictions.fitted_on)


def by_model(predictions: Scores, outcomes: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each model's predictions with the patients' outcomes (`long_term`: whether they were long-term survivors)."""
    long_term = outcomes.set_index("patient_id")["outcome"] == LONG_TERM
    table = predictions.table.assign(long_term=predictions.table["patient_id"].map(long_term).astype(bool))
    for name in table["name"].unique():
        mine = table[table["name"] == name]
        yield str(name), mine.sort_values(["split", "patient_id"], ignore_index=True)


def ranking(table: pd.DataFrame) -> Float[np.ndarray, " observations"]:
    """The probability, or for a rule that gives none its answer as 0 or 1."""
    return table["probability"].fillna(table["predicted"].astype(np.float64)).to_numpy(dtype=np.float64)


def truth(table: pd.DataFrame) -> Bool[np.ndarray, " observations"]:
    """Whether each patient was a long-term survivor."""
    return table["long_term"].to_numpy(dtype=bool)


def answers(table: pd.DataFrame) -> Bool[np.ndarray, " observations"]:
    """Whether each patient was called one."""
    return table["predicted"].to_numpy(dtype=bool)


def roc_points(predictions: Scores, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Points of every model's ROC curve: `model`, `false_positive_rate`, `true_positive_rate`."""
    from sklearn.metrics import roc_curve

    curves = []
    for name, table in by_model(predictions, outcomes):
        false_positive, true_positive, _ = roc_curve(truth(table), ranking(table))
        rates = {"false_positive_rate": false_positive, "true_positive_rate": true_positive}
        curves.append(pd.DataFrame({"model": name, **rates}))
    return pd.concat(curves, ignore_index=True)


def splits_of(table: pd.DataFrame) -> metrics.Splits:
    """The split of each prediction."""
    return table["split"].to_numpy(dtype=str)


def performance_of(table: pd.DataFrame, evidence: EvidenceParameters, seed: int) -> dict[str, Any]:
    """Counts and measures of one model, as they stand in `metrics.json`."""
    probability = None if table["probability"].isna().any() else table["probability"].to_numpy(dtype=np.float64)
    patients = table["patient_id"].to_numpy(dtype=str)
    settings = (evidence.n_bootstrap, seed, patients, evidence.calibration_bins, splits_of(table))
    found = performance(truth(table), probability, answers(table), *settings)
    return {**found, "n_without_image_score": int(table["image_score_missing"].sum())}


def _brief(table: pd.DataFrame, evidence: EvidenceParameters, seed: int) -> dict[str, Any]:
    found = performance_of(table, evidence, seed)
    return as_columns({name: found[name] for name in ("n", "auc", "accuracy")})


def _compare(
    tables: Mapping[str, pd.DataFrame], a: str, b: str, evidence: EvidenceParameters, seed: int
) -> dict[str, Any]:
    question = MRI_ADDS if (a, b) == ("hybrid", "clinical") else Question.between(WORDS[a], WORDS[b])
    outcome, patients = truth(tables[a]), tables[a]["patient_id"].to_numpy(dtype=str)
    said_a, said_b = (answers(tables[name]) for name in (a, b))
    accuracy = (said_a, said_b, metrics.accuracy, evidence.n_bootstrap, seed, patients)
    found = {
        **_paired(tables, a, b, question, evidence, seed),
        "delta_accuracy": bootstrap_difference(outcome, *accuracy),
    }
    once = len(set(patients)) == len(patients)  # McNemar's test counts patients, not repeats
    return {**found, "mcnemar": mcnemar(said_a == outcome, said_b == outcome)} if once else found


def _paired(
    tables: Mapping[str, pd.DataFrame], a: str, b: str, question: Question, evidence: EvidenceParameters, seed: int
) -> dict[str, Any]:
    return compare_paired(
        truth(tables[a]),
        ranking(tables[a]),
        ranking(tables[b]),
        question,
        tables[a]["patient_id"].to_numpy(dtype=str),
        evidence.n_bootstrap,
        seed,
        evidence.relevant_delta_auc,
        evidence.power,
        splits_of(tables[a]),
        not any(tables[name]["probability"].isna().any() for name in (a, b)),
    )


def _other_patients(tables: Mapping[str, pd.DataFrame]) -> Iterator[Problem]:
    asked = {name: list(zip(table["split"], table["patient_id"], strict=True)) for name, table in tables.items()}
    first = next(iter(asked), None)
    for name, pairs in asked.items():
        if first is not None and pairs != asked[first]:
            found, expected = f"{len(pairs)} predictions", f"one for each of {len(asked[first])} test patients"
            yield Problem("–", f"predictions of {name}", found, expected, "Score the test patients again.")
