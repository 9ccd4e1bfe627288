"""A small cohort with a clear signal, its partition and its image scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gliocast.evidence.metrics import logit
from gliocast.evidence.parameters import EvidenceParameters
from gliocast.hybrid.parameters import FeatureParameters, HybridParameters
from gliocast.types import PATIENT_LEVEL, Fold, Partition, Scores, Split
from shipped import section

SMALL_GRIDS = {
    "logistic_regression": {"plain": {"C": (0.1, 1.0)}},
    "k_neighbours": {"plain": {"n_neighbors": (5, 9)}},
}


def configured(profile: str = "demo", **changes: Any) -> HybridParameters:
    """The parameters as they stand in conf/base, with some leaves changed."""
    return HybridParameters(**{**section("hybrid", profile=profile), **changes})


def few_resamples() -> EvidenceParameters:
    """The evidence parameters of conf/base, with the fewest bootstrap resamples."""
    return EvidenceParameters(**{**section("evidence"), "n_bootstrap": 200})


def quick(**changes: Any) -> HybridParameters:
    """Two small classifiers, for tests that are not about the eight."""
    return configured(
        **{"classifiers": tuple(SMALL_GRIDS), "grids": SMALL_GRIDS, "inner_folds": 2, "workers": 1, **changes}
    )


def a_cohort(n: int = 80, seed: int = 0) -> pd.DataFrame:
    """Patients whose surgery and age carry most of their outcome."""
    generator = np.random.default_rng(seed)
    surgery = generator.integers(0, 3, n)
    age = generator.normal(65, 10, n)
    signal = surgery - (age - 65) / 10 + generator.normal(0, 1, n)
    return pd.DataFrame(
        {
            "patient_id": [f"P{number:03d}" for number in range(n)],
            "age_years": age,
            "sex": pd.array(generator.choice(["F", "M"], n), dtype="string"),
            "who_status": pd.array(generator.integers(0, 4, n), dtype="Int64"),
            "surgery": pd.array(np.array(["biopsy", "incomplete", "complete"])[surgery], dtype="string"),
            "outcome": pd.array(np.where(signal > 1, "long_term", "short_term"), dtype="string"),
        }
    )


def a_split(patients: list[str], n_test: int = 20, n_folds: int = 3, name: str = "holdout") -> Split:
    """The last patients are tested; the folds take every third of the others."""
    training, test = patients[:-n_test], patients[-n_test:]
    folds = []
    for number in range(n_folds):
        held_out = training[number::n_folds]
        rest = [patient for patient in training if patient not in held_out]
        folds.append(Fold(fit=tuple(rest[5:]), stop=tuple(rest[:5]), held_out=tuple(held_out)))
    return Split(name, tuple(test), tuple(folds))


def a_partition(cohort: pd.DataFrame, **split: Any) -> Partition:
    """One split."""
    one = a_split(list(cohort["patient_id"]), **split)
    training = one.training
    third = len(training) // 3
    paper = Fold(fit=training[third:], stop=training[:third], held_out=one.test)
    return Partition("holdout", 0, (one,), paper)


def image_scores_of(cohort: pd.DataFrame, partition: Partition, strength: float = 1.0, seed: int = 1) -> Scores:
    """Scores with a signal, from models that had not seen the patient."""
    generator = np.random.default_rng(seed)
    signal = strength * (cohort["outcome"] == "long_term").to_numpy(float) + generator.normal(0, 1, len(cohort))
    probability = pd.Series(1 / (1 + np.exp(-signal)), index=cohort["patient_id"])
    rows, fitted_on = [], {}
    for split in partition.splits:
        for number, fold in enumerate(split.folds):
            model = f"{split.name}/fold{number}"
            rows += [(split.name, patient, "out_of_fold", model) for patient in fold.held_out]
            fitted_on[model] = fold.seen
        rows += [(split.name, patient, "test", split.name) for patient in split.test]
        fitted_on[split.name] = split.training
    table = pd.DataFrame(rows, columns=["split", "patient_id", "role", "model"])
    chances = probability.loc[table["patient_id"]].to_numpy()
    return Scores(table.assign(slice=PATIENT_LEVEL, probability=chances, logit=logit(chances)), fitted_on)


def paper_scores_of(cohort: pd.DataFrame, partition: Partition, memorises: float = 3.0, seed: int = 2) -> Scores:
    """A network of pure noise that knows its own training patients by heart."""
    generator = np.random.default_rng(seed)
    seen = cohort["patient_id"].isin(partition.paper.seen).to_numpy()
    sign = np.where(cohort["outcome"] == "long_term", 1.0, -1.0)
    logits = generator.normal(0, 1, len(cohort)) + memorises * sign * seen
    table = pd.DataFrame({"split": "paper", "patient_id": cohort["patient_id"], "slice": PATIENT_LEVEL})
    table = table.assign(role=np.where(seen, "in_sample", "test"), model="paper")
    chances = 1 / (1 + np.exp(-logits))
    return Scores(table.assign(logit=logits, probability=chances), {"paper": partition.paper.seen})


def training_of(cohort: pd.DataFrame, partition: Partition) -> pd.DataFrame:
    """Everyone who trains in some split."""
    return cohort[cohort["patient_id"].isin({p for split in partition.splits for p in split.training})]


def predictors_of(cohort: pd.DataFrame, partition: Partition) -> pd.DataFrame:
    """Test patients without their outcomes."""
    tested = cohort["patient_id"].isin({p for split in partition.splits for p in split.test})
    return cohort[tested].drop(columns="outcome")


def outcomes_of(cohort: pd.DataFrame, partition: Partition) -> pd.DataFrame:
    """Outcomes of test patients."""
    tested = cohort["patient_id"].isin({p for split in partition.splits for p in split.test})
    return cohort.loc[tested, ["patient_id", "outcome"]]


def with_a_score(cohort: pd.DataFrame, strength: float = 1.0, seed: int = 1) -> pd.DataFrame:
    """The cohort with an image score that carries a signal."""
    signal = strength * (cohort["outcome"] == "long_term").to_numpy(float)
    logits = signal + np.random.default_rng(seed).normal(0, 1, len(cohort))
    return cohort.assign(image_score=1 / (1 + np.exp(-logits)))


def feature_parameters(**changes: Any) -> FeatureParameters:
    """How the table of `features_of` is read."""
    values = {"id_column": "scan", "id_pattern": "(.+)_11", "ignore_columns": (), "c_grid": (0.01, 1.0)}
    return FeatureParameters(**{**values, "inner_folds": 3, **changes})


def features_of(cohort: pd.DataFrame, strength: float = 2.0) -> pd.DataFrame:
    """Image features of one scan a patient: one that carries a signal, five of noise."""
    generator = np.random.default_rng(0)
    signal = strength * (cohort["outcome"] == "long_term").to_numpy(float) + generator.normal(0, 1, len(cohort))
    noise = generator.normal(0, 1, (len(cohort), 5))
    table = pd.DataFrame({"scan": cohort["patient_id"] + "_11", "signal": signal})
    return table.assign(**{f"noise{place}": noise[:, place] for place in range(5)})
