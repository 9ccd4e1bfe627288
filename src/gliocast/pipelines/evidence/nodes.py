"""Nodes of the evidence pipeline: calibration, usefulness, subgroups and other thresholds of the tested models."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from gliocast.evidence import calibration
from gliocast.evidence.decision import decision_curves
from gliocast.evidence.describe import study_table
from gliocast.evidence.guard import count_openings
from gliocast.evidence.parameters import EvidenceParameters
from gliocast.evidence.subgroups import by_subgroup
from gliocast.evidence.threshold_sweep import sweep_threshold
from gliocast.hybrid.evaluate import DRAWN, answers, by_model, drawn, ranking, splits_of, truth
from gliocast.persistence.fingerprints import sha256_of_value
from gliocast.reporting import figures
from gliocast.types import Figure, Partition, Scores, Table

_log = logging.getLogger(__name__)
REPEATED = "a model that was changed after a look at its test result is no longer tested on unseen patients"
METHODS: tuple[calibration.Method, ...] = ("none", "platt", "isotonic", "beta")
CONSTANT = "majority"  # the same probability for everyone has no calibration to speak of


@runtime_checkable
class Ledger(Protocol):
    """Where the openings of test partitions are written down."""

    def read(self) -> list[tuple[str, str]]:
        """Earlier openings: fingerprint of the partition, and of the predictions."""

    def add(self, partition_sha256: str, predictions_sha256: str) -> None:
        """Write one down."""


def record_test_opening(predictions: Scores, partition: Partition, test_openings_ledger: Ledger) -> dict[str, Any]:
    """Count for how many different predictions this test partition has been opened; the first look alone is honest."""
    opened, held_against = sha256_of_value(asdict(partition)), sha256_of_value(predictions.table.to_csv(index=False))
    before = test_openings_ledger.read()
    if (opened, held_against) not in before:
        test_openings_ledger.add(opened, held_against)
    n_openings = count_openings(before, opened, held_against)
    if n_openings > 1:
        _log.warning("The test partition was opened for %d sets of predictions: %s.", n_openings, REPEATED)
    return {"n_openings": n_openings, "reading": REPEATED if n_openings > 1 else "opened once"}


def describe_study(training_cohort: Table, test_predictors: Table, test_outcomes: Table) -> Table:
    """Training and test patients side by side; Table 1 is of the whole cohort, with an image or without."""
    return study_table(training_cohort, test_predictors.merge(test_outcomes, on="patient_id"))


def assess_calibration(
    predictions: Scores,
    test_outcomes: Table,
    evidence: EvidenceParameters,
    training_predictions: Scores,
    training_cohort: Table,
    seed: int,
) -> tuple[Table, Figure]:
    """Every model's calibration on test patients, as it is and recalibrated from training patients' predictions."""
    training = dict(by_model(named(training_predictions), training_cohort))
    rows, curves = [], []
    for name, tested in with_probability(predictions, test_outcomes):
        patients = tested["patient_id"].to_numpy(dtype=str)
        if name in DRAWN:
            curves.append(calibration.reliability(truth(tested), _probability(tested), name, patients=patients))
        for method in METHODS if name in training else METHODS[:1]:
            probability = _recalibrated(tested, training.get(name, tested), method)
            row = calibration.calibration_row(
                truth(tested),
                probability,
                patients,
                splits_of(tested),
                evidence.calibration_bins,
                evidence.n_bootstrap,
                seed,
            )
            rows.append({"model": name, "recalibration": method, **row})
    return pd.DataFrame(rows), figures.reliability(pd.concat(curves, ignore_index=True))


def _recalibrated(tested: Table, training: Table, method: calibration.Method) -> np.ndarray:
    """Probabilities recalibrated split by split, each from the training patients of its own split."""
    parts = []
    for split, rows in tested.groupby("split", sort=False):
        mine = training[training["split"] == split]
        learnt = calibration.recalibrate(truth(mine), _probability(mine), list(mine["patient_id"]), method)
        parts.append(pd.Series(learnt.apply(_probability(rows), list(rows["patient_id"])), index=rows.index))
    return pd.concat(parts).reindex(tested.index).to_numpy(dtype=np.float64)


def assess_usefulness(predictions: Scores, test_outcomes: Table) -> Figure:
    """Net benefit of the study's own models over the threshold probability."""
    tables = dict(with_probability(drawn(predictions), test_outcomes))
    tested = next(iter(tables.values()))
    curves = decision_curves(truth(tested), {name: _probability(table) for name, table in tables.items()})
    return figures.net_benefit(curves, f"Decision curve, {tested['patient_id'].nunique()} test patients")


def assess_subgroups(
    predictions: Scores, test_outcomes: Table, evidence: EvidenceParameters, test_predictors: Table, seed: int
) -> Table:
    """Performance by sex, age band, surgery, performance status, field strength and centre."""
    settings = (evidence.minimum_subgroup, evidence.age_bands_years, evidence.n_bootstrap, seed)
    tables = [
        by_subgroup(
            tested.merge(test_predictors, on="patient_id", how="left", suffixes=("", "_known")),
            truth(tested),
            _probability(tested),
            answers(tested),
            *settings,
        ).assign(model=name)
        for name, tested in with_probability(predictions, test_outcomes)
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[["model", *(column for column in table if column != "model")]]


def sweep_thresholds(predictions: Scores, test_outcomes: Table, evidence: EvidenceParameters, seed: int) -> Table:
    """AUC of every model's score against the outcome at other thresholds than the one it was fitted for."""
    followed = test_outcomes[["patient_id", "survival_days", "event_observed"]]
    settings = (evidence.sweep_days, evidence.minimum_subgroup, evidence.n_bootstrap, seed)
    tables = [
        sweep_threshold(tested.assign(score=ranking(tested)).merge(followed, on="patient_id"), name, *settings)
        for name, tested in with_probability(predictions, test_outcomes)
    ]
    return pd.concat(tables, ignore_index=True)


def with_probability(predictions: Scores, test_outcomes: Table) -> Iterator[tuple[str, Table]]:
    """The models that give more than a yes, a no, or one number for everyone."""
    for name, tested in by_model(predictions, test_outcomes):
        if name != CONSTANT and tested["probability"].notna().all():
            yield name, tested


def named(training_predictions: Scores) -> Scores:
    """Training patients' predictions with the `name` of each model, whose folds are called `<split>/<name>/fold<n>`."""
    table = training_predictions.table
    names = table["model"].str.rsplit("/", n=1).str[0].str.rsplit("/", n=1).str[-1]
    return Scores(table.assign(name=names), training_predictions.fitted_on)


def _probability(table: Table) -> np.ndarray:
    return table["probability"].to_numpy(dtype=np.float64)
