"""What a simulated cohort is made from: the paper's tables, and the size and strength of the simulation."""

from __future__ import annotations

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from gliocast.types import LONG_TERM, SHORT_TERM, SURGERIES, Outcome, Parameters, Sex, Surgery


class Summary(Parameters):
    """Mean, median and range of one continuous column."""

    mean: float
    median: float
    min: float
    max: float

    @model_validator(mode="after")
    def _is_ordered(self) -> Summary:
        if not (self.min < self.median < self.max and self.min < self.mean < self.max):
            raise ValueError("mean and median must lie between min and max")
        return self


class ClassSummary(Parameters):
    """One outcome class of Table 1."""

    n: PositiveInt
    sex: dict[Sex, NonNegativeInt]
    surgery: dict[Surgery, NonNegativeInt]
    who_status: dict[int, NonNegativeInt]
    age_years: Summary
    survival_days: Summary

    @model_validator(mode="after")
    def _counts_add_up(self) -> ClassSummary:
        for name in ("sex", "surgery", "who_status"):
            total = sum(getattr(self, name).values())
            if total != self.n:
                raise ValueError(f"the counts of {name} add up to {total}, not to n = {self.n}")
        return self


class CohortSummary(Parameters):
    """All patients of Table 1."""

    n: PositiveInt
    age_years: Summary
    survival_days: Summary


class Table1(Parameters):
    """Moreau et al., Table 1: the cohort, by outcome."""

    short_term: ClassSummary
    long_term: ClassSummary
    all: CohortSummary

    @model_validator(mode="after")
    def _classes_are_the_cohort(self) -> Table1:
        if self.short_term.n + self.long_term.n != self.all.n:
            raise ValueError("the two classes do not add up to all patients")
        for name in ("sex", "surgery", "who_status"):
            levels = [list(getattr(summary, name)) for summary in (self.short_term, self.long_term)]
            if levels[0] != levels[1]:
                raise ValueError(f"both classes list the same levels of {name} in the same order, some with 0 patients")
        return self

    @model_validator(mode="after")
    def _ranges_are_those_of_the_classes(self) -> Table1:
        for name in ("age_years", "survival_days"):
            whole, parts = getattr(self.all, name), [getattr(part, name) for part in self.classes.values()]
            least, most = min(part.min for part in parts), max(part.max for part in parts)
            if (whole.min, whole.max) != (least, most):
                raise ValueError(
                    f"all {name}: the least min and the greatest max of the two classes, {least} to {most}"
                )
        return self

    @property
    def classes(self) -> dict[Outcome, ClassSummary]:
        """The two outcome classes by name, short-term first."""
        return {SHORT_TERM: self.short_term, LONG_TERM: self.long_term}


class GroupSurvival(Parameters):
    """Survival of one surgery group."""

    mean_days: PositiveFloat
    sd_days: PositiveFloat
    n: int = Field(ge=2)


class Figure1(Parameters):
    """Moreau et al., Figure 1: survival by surgery."""

    biopsy: GroupSurvival
    incomplete: GroupSurvival
    complete: GroupSurvival

    @property
    def mean_days(self) -> dict[Surgery, float]:
        """Mean survival of each surgery group, days."""
        return {surgery: getattr(self, surgery).mean_days for surgery in SURGERIES}


class ReportedPerformance(Parameters):
    """A confusion matrix that the paper prints, with its AUC where it prints one."""

    tp: NonNegativeInt
    fp: NonNegativeInt
    fn: NonNegativeInt
    tn: NonNegativeInt
    auc: float | None = Field(default=None, ge=0, le=1)


class PaperParameters(Parameters):
    """All results that Moreau et al. report."""

    citation: str
    table1: Table1
    figure1: Figure1
    table2: ReportedPerformance
    table3: ReportedPerformance
    table4: ReportedPerformance


class VolumeGeometry(Parameters):
    """The grid of the simulated volumes; a head needs about 200 mm in plane and 150 mm along the axis."""

    size_px: int = Field(ge=24, le=1024)
    slices: int = Field(ge=12, le=1024)
    spacing_mm: float = Field(ge=0.1, le=20)
    slice_spacing_mm: float = Field(ge=0.1, le=20)

    @property
    def voxels(self) -> int:
        """Voxels of one volume."""
        return self.size_px**2 * self.slices


class Acquisition(Parameters):
    """The sequence that the simulated series say they were acquired with (section 2.2)."""

    repetition_time_ms: PositiveFloat
    echo_time_ms: PositiveFloat
    flip_angle_degrees: PositiveFloat
    field_strengths_t: tuple[PositiveFloat, ...] = Field(min_length=1)


class SimulationParameters(Parameters):
    """A simulated cohort: how many patients, how strong an image signal, what volumes."""

    n_patients: int = Field(ge=4, le=1_000_000)
    image_auc: float = Field(ge=0.5, lt=1)
    dicom_share: float = Field(ge=0, le=1)
    geometry: VolumeGeometry
    acquisition: Acquisition
