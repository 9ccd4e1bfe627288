"""`metrics.json`: the form that is promised to those who read it by machine, and how the stages' results become it.

Fractions are fractions, never percentages. A number that cannot be computed is null and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gliocast.cohort.partition_json import partition_sha256
from gliocast.evidence.guard import seen_in_training, watermark
from gliocast.types import Partition, ProtocolName, Scores

SCHEMA_VERSION = 1
MODEL_ORDER = ("majority", "surgery_rule", "clinical", "cnn", "image_features", "hybrid")  # as a reader compares them
NO_PARTITION = "this pipeline fits nothing, so it separates no test patients"


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


def compile_results(
    cohort: Mapping[str, Any], protocol: Mapping[str, Any], stages: list[Mapping[str, Any]]
) -> dict[str, Any]:
    """`metrics.json`: what each stage found, joined and checked.

    Args:
        cohort: `cohort.flow.cohort_counts`, and from how many days on a patient is a long-term survivor.
        protocol: `protocol_facts`.
        stages: each with any of `rules`, `models`, `comparisons`, `statistics`; a model that two stages know (the CNN,
            by slice and by patient) keeps the levels of both, a later stage's where both have one.

    Raises:
        pydantic.ValidationError: a stage broke the promised form.
    """
    parts: dict[str, dict[str, Any]] = {"rules": {}, "models": {}, "comparisons": {}, "statistics": {}}
    for stage in stages:
        for part, found in parts.items():
            for name, value in stage.get(part, {}).items():
                found[name] = {**found.get(name, {}), **value} if part == "models" else value
    parts["models"] = {name: parts["models"][name] for name in sorted(parts["models"], key=MODEL_ORDER.index)}
    marked = {**protocol, **({"watermark": mark} if (mark := watermark(protocol)) else {})}
    return checked({"schema_version": SCHEMA_VERSION, "cohort": dict(cohort), "protocol": marked, **parts})


def protocol_facts(name: ProtocolName, seed: int, partition: Partition | None, scores: Scores | None) -> dict[str, Any]:
    """How patients were separated, and how many test patients a model that scores them had seen.

    Args:
        name: `honest` or `paper`.
        seed: of the run.
        partition: None where the pipeline makes none.
        scores: every score of a test patient, with who its model was fitted on.
    """
    if partition is None:
        unknown = dict.fromkeys(("partition_sha256", "n_test_patients", "n_test_patients_seen_in_training"))
        return {"name": name, "seed": seed, **unknown, "reason": NO_PARTITION}
    return {
        "name": name,
        "seed": seed,
        "partition_sha256": partition_sha256(partition),
        "n_test_patients": len(partition.tested),
        "n_test_patients_seen_in_training": len(seen_in_training(scores)),
    }


def cnn_stage(cnn_results: Mapping[str, Any] | None, protocol: ProtocolName, is_final: bool) -> dict[str, Any]:
    """The CNN's part: on the honest test patients, or in the paper's protocol on those of its own network.

    Args:
        cnn_results: of the pipeline cnn_training; None, or with `skipped`, where it has none.
        protocol: `honest` or `paper`.
        is_final: whether no hybrid model follows. In the paper's protocol that one re-draws the test patients, so the
            CNN's own are left out.
    """
    if cnn_results is None or "models" not in cnn_results:
        return {}
    if protocol == "honest":
        return {"models": cnn_results["models"]}
    levels = cnn_results.get("paper_protocol", {}).get("test")
    if not (is_final and levels):
        return {}
    return {"models": {"cnn": levels}, "protocol": {"n_test_patients": levels["patient"]["n"]}}
