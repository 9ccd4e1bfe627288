"""The section `evidence` of the parameters."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field, field_validator

from gliocast.types import Parameters

AuditClassifier: TypeAlias = Literal["logistic_regression", "lda", "naive_bayes", "nearest_neighbours", "decision_tree"]


class EvidenceParameters(Parameters):
    """How results are measured and compared."""

    n_bootstrap: int = Field(ge=200, le=100_000)
    calibration_bins: int = Field(ge=2, le=50)
    relevant_delta_auc: float = Field(gt=0, lt=0.5)
    power: float = Field(gt=0.5, lt=1)
    minimum_subgroup: int = Field(ge=2)
    age_bands_years: tuple[float, ...] = Field(min_length=1)
    sweep_days: tuple[int, ...] = Field(min_length=1)
    horizons_days: tuple[int, ...] = Field(min_length=1)
    classes_days: tuple[tuple[int, ...], ...]


class AuditParameters(Parameters):
    """The proof by simulation: cohorts of known truth, put through the honest and the paper's protocol."""

    n_cohorts: int = Field(ge=2)
    n_patients: int = Field(ge=60)
    n_new_patients: int = Field(ge=1000)
    image_signals: tuple[float, ...] = Field(min_length=1)
    memorised_logit: float = Field(gt=0)
    age_sd_years: dict[Literal["short_term", "long_term"], float]
    cnn_training_share: float = Field(gt=0, lt=1)
    paper_test_share: float = Field(gt=0, lt=1)
    honest_test_share: float = Field(gt=0, lt=1)
    inner_folds: int = Field(ge=2, le=20)
    classifiers: dict[AuditClassifier, tuple[float, ...]]
    chunk: int = Field(ge=1)
    workers: int = Field(ge=1)

    @field_validator("image_signals")
    @classmethod
    def _is_an_auc(cls, signals: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0.5 <= signal < 1 for signal in signals):
            raise ValueError("each is the AUC of a perfect reader: from 0.5 (no signal) to below 1")
        return signals
