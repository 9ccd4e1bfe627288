"""The form of `metrics.json`: what is promised to those who read it by machine.

Fractions are fractions, never percentages. A number that cannot be computed is null and says why.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 1


class _Closed(BaseModel):
    """Closed to keys that the contract does not name."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Open(BaseModel):
    """Open to more measures of the same kind; still without NaN."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class Estimate(_Open):
    """A value with its 95 % interval, or null and the reason."""

    value: float | None
    ci95: tuple[float, float] | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _null_says_why(self) -> Estimate:
        if self.value is None and not self.reason:
            raise ValueError("a value of null needs its reason")
        if self.ci95 is not None and self.ci95[0] > self.ci95[1]:
            raise ValueError("an interval runs from its lower to its upper bound")
        return self


class Performance(_Open):
    """Counts and measures of one model at one level; long-term survival is the positive class."""

    __pydantic_extra__: dict[str, Estimate | int | str | None]

    n: int = Field(ge=0)
    tp: int = Field(ge=0)
    fp: int = Field(ge=0)
    fn: int = Field(ge=0)
    tn: int = Field(ge=0)
    accuracy: Estimate
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate
    auc: Estimate
    brier: Estimate
    calibration_slope: Estimate
    calibration_intercept: Estimate

    @model_validator(mode="after")
    def _counts_add_up(self) -> Performance:
        if self.tp + self.fp + self.fn + self.tn != self.n:
            raise ValueError("tp, fp, fn and tn must add up to n")
        return self


class Levels(_Closed):
    """One model by patient, and where it scores slices, by slice."""

    patient: Performance
    slice: Performance | None = None


class Comparison(_Open):
    """Two models on the same patients."""

    delta_auc: Estimate
    p_value: float | None = Field(ge=0, le=1)
    verdict: str


class CohortCounts(_Closed):
    """Who is in the study."""

    n_patients: int = Field(ge=0)
    n_excluded: int = Field(ge=0)
    n_long_term: int = Field(ge=0)
    n_short_term: int = Field(ge=0)
    n_undetermined: int = Field(ge=0)
    survival_threshold_days: float = Field(gt=0)


class ProtocolFacts(_Closed):
    """How patients were separated; null, with the reason, where a pipeline separates none.

    `watermark` stands there under the paper's protocol alone.
    """

    name: str
    partition_sha256: str | None
    seed: int
    n_test_patients: int | None
    n_test_patients_seen_in_training: int | None
    watermark: str | None = None
    reason: str | None = None


class Metrics(_Closed):
    """The whole of `metrics.json`."""

    schema_version: int = SCHEMA_VERSION
    cohort: CohortCounts
    protocol: ProtocolFacts
    rules: dict[str, Levels]
    models: dict[str, Levels]
    comparisons: dict[str, Comparison]
    statistics: dict[str, Any]


def checked(metrics: dict[str, Any]) -> dict[str, Any]:
    """`metrics` as plain values for JSON, once they have the promised form; unset parts are left out.

    Raises:
        pydantic.ValidationError: a part is missing, unknown, NaN, or null without its reason.
    """
    return Metrics.model_validate(metrics).model_dump(mode="json", exclude_unset=True)
