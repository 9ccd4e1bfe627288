"""The section `evidence` of the parameters."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from gliocast.types import Parameters

AuditClassifier: TypeAlias = Literal["logistic_regression", "lda", "naive_bayes", "nearest_neighbours", "decision_tree"]
WHOLE: tuple[AuditClassifier, ...] = ("nearest_neighbours", "decision_tree")
FEWEST = 7  # of patients of two equally frequent outcomes; so few lack one of them in 1.6 % of all draws
Number = TypeVar("Number", int, float)
Day: TypeAlias = Annotated[int, Field(ge=1, le=36_500)]


class EvidenceParameters(Parameters):
    """How results are measured and compared."""

    n_bootstrap: int = Field(ge=200, le=100_000)
    calibration_bins: int = Field(ge=2, le=50)
    relevant_delta_auc: float = Field(ge=0.001, lt=0.5)
    power: float = Field(gt=0.5, lt=1)
    minimum_subgroup: int = Field(ge=2)
    age_bands_years: tuple[PositiveInt, ...] = Field(min_length=1)
    sweep_days: tuple[Day, ...] = Field(min_length=1)
    horizons_days: tuple[Day, ...] = Field(min_length=1)
    classes_days: tuple[Annotated[tuple[Day, ...], Field(min_length=1)], ...]

    @field_validator("age_bands_years")
    @classmethod
    def _bands_ascend(cls, starts: tuple[int, ...]) -> tuple[int, ...]:
        return ascending(starts)

    @field_validator("classes_days")
    @classmethod
    def _thresholds_ascend(cls, classes: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
        return tuple(ascending(thresholds) for thresholds in classes)


class AuditParameters(Parameters):
    """The proof by simulation: cohorts of known truth, put through the honest and the paper's protocol."""

    n_cohorts: int = Field(ge=2)
    n_patients: int = Field(ge=60)
    n_new_patients: int = Field(ge=1000)
    image_signals: tuple[float, ...] = Field(min_length=1)
    memorised_logit: PositiveFloat
    age_sd_years: dict[Literal["short_term", "long_term"], PositiveFloat]
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

    @field_validator("classifiers")
    @classmethod
    def _can_be_fitted(
        cls, classifiers: dict[AuditClassifier, tuple[float, ...]]
    ) -> dict[AuditClassifier, tuple[float, ...]]:
        if not any(classifiers.values()):
            raise ValueError("a setting of at least one classifier")
        if not all(0 <= setting < 1e6 for settings in classifiers.values() for setting in settings):
            raise ValueError("settings from 0 to below a million")
        if 0 in classifiers.get("logistic_regression", ()):
            raise ValueError("inverse penalties above 0")
        if not all(setting >= 1 and setting % 1 == 0 for name in WHOLE for setting in classifiers.get(name, ())):
            raise ValueError(f"whole numbers from 1 on for {' and '.join(WHOLE)}")
        return classifiers

    @model_validator(mode="after")
    def _every_part_has_both_outcomes(self) -> AuditParameters:
        tested = [round(share * self.n_patients) for share in (self.paper_test_share, self.honest_test_share)]
        if min(tested) < FEWEST or self.n_patients - max(tested) < FEWEST * self.inner_folds:
            asked = "n_patients, test shares and inner_folds that leave"
            raise ValueError(f"{asked} {FEWEST} patients in each test and in each inner fold")
        return self


def ascending(values: tuple[Number, ...]) -> tuple[Number, ...]:
    """The values, if they ascend."""
    if list(values) != sorted(set(values)):
        raise ValueError(f"ascending values, each once; not {', '.join(f'{value:g}' for value in values)}")
    return values
