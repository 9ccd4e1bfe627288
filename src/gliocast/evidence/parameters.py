"""The section `evidence` of the parameters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gliocast.types import Parameters


class EvidenceParameters(Parameters):
    """How results are measured and compared."""

    n_bootstrap: int = Field(ge=200, le=100_000)
    calibration_bins: int = Field(ge=2, le=50)
    relevant_delta_auc: float = Field(gt=0, lt=0.5)
    power: float = Field(gt=0.5, lt=1)
    threshold_rule: Literal["half", "youden", "specificity"]
    required_specificity: float = Field(gt=0, lt=1)
    recalibration: Literal["none", "platt", "isotonic", "beta"]
    minimum_subgroup: int = Field(ge=2)
    age_bands_years: tuple[float, ...] = Field(min_length=1)
    sweep_days: tuple[int, ...] = Field(min_length=1)
    horizons_days: tuple[int, ...] = Field(min_length=1)
