"""The clinical rows of a simulated cohort: Table 1 turned back into patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Float

from gliocast.cohort.simulation.parameters import ClassSummary, Figure1, Table1
from gliocast.cohort.simulation.quantiles import QuantileCurve, fitted_curve
from gliocast.types import LONG_TERM, SHORT_TERM, Outcome, Surgery

Level = TypeVar("Level", bound=str | int)

AGE_STEEPNESS = 0.7  # a bell with a standard deviation of about ten years
MEDIAN_TOLERANCE = 0.005  # the median age of all patients is met within this share; closer would bend the classes
SURVIVAL_STEEPNESS = 0.5
CLINICAL_STREAM, SCORE_STREAM = 1, 2  # random streams of a seed that never meet
CSV_COLUMNS = (
    "patient_id",
    "age_years",
    "sex",
    "who_status",
    "surgery",
    "survival_days",
    "event_observed",
    "scanner_field_t",
)


def simulate_clinical(
    table1: Table1,
    n_patients: int,
    seed: int,
    image_auc: float = 0.8,
    figure1: Figure1 | None = None,
    field_strengths_t: Sequence[float] = (),
) -> tuple[pd.DataFrame, Float[np.ndarray, " patients"]]:
    """Patients whose counts are those of Table 1, and the latent score that each one's image carries.

    Given the outcome, age, sex, performance status, surgery and the image score are independent; this is what makes
    the best possible AUC computable. Survival is no predictor: given the outcome it leans on surgery alone, so that
    the group means come near Figure 1 where that is given.

    Args:
        table1: the cohort to imitate (Moreau et al., Table 1); scaled by largest remainder to other sizes.
        n_patients: patients to simulate.
        seed: the same seed gives the same patients.
        image_auc: AUC of a perfect reader of the images, 0.5 (no signal) to below 1.
        figure1: survival by surgery to come near to; None leaves survival independent of surgery.
        field_strengths_t: the scanners' field strengths, tesla, equally frequent; none leaves the column empty.

    Returns:
        The canonical columns with `outcome`, in random order of the outcomes; and one score a patient, standard normal
        around +d/2 (long-term) or -d/2 (short-term), where the AUC is Phi(d / sqrt 2).
    """
    generator = np.random.default_rng([seed, CLINICAL_STREAM])
    sizes = apportioned({outcome: summary.n for outcome, summary in table1.classes.items()}, n_patients)
    curves = age_curves(table1)
    lean = surgery_lean(table1, figure1)
    classes = [
        simulated_class(outcome, table1.classes[outcome], size, curves[outcome], lean, generator)
        for outcome, size in sizes.items()
    ]
    cohort = pd.concat(classes, ignore_index=True).iloc[generator.permutation(n_patients)].reset_index(drop=True)
    cohort.insert(0, "patient_id", pd.Series(patient_ids(n_patients), dtype="string"))
    cohort["scanner_field_t"] = generator.choice(field_strengths_t or (np.nan,), n_patients)
    return cohort, image_scores(cohort["outcome"], image_auc, seed)


def simulated_class(
    outcome: Outcome,
    summary: ClassSummary,
    size: int,
    ages: QuantileCurve,
    lean: Mapping[Surgery, float],
    generator: np.random.Generator,
) -> pd.DataFrame:
    """The patients of one outcome class, each predictor shuffled on its own."""
    surgery = shuffled(summary.surgery, size, generator)
    leaning = generator.standard_normal(size) + np.array([lean[level] for level in surgery])
    survival = survival_days(outcome, summary, size, generator)
    return pd.DataFrame(
        {
            "age_years": generator.permutation(ages.sample(size, generator).round(1)),
            "sex": pd.Series(shuffled(summary.sex, size, generator), dtype="string"),
            "who_status": pd.Series(shuffled(summary.who_status, size, generator), dtype="Int64"),
            "surgery": pd.Series(surgery, dtype="string"),
            "survival_days": pd.Series(survival[leaning.argsort().argsort()], dtype="Int64"),
            "event_observed": pd.Series([True] * size, dtype="boolean"),
            "outcome": pd.Series([outcome] * size, dtype="string"),
        }
    )


def survival_days(
    outcome: Outcome, summary: ClassSummary, size: int, generator: np.random.Generator
) -> Float[np.ndarray, " patients"]:
    """Ascending survival of one class, whole days."""
    curve = fitted_curve(summary.survival_days, SURVIVAL_STEEPNESS, f"{outcome}.survival_days")
    days = curve.sample(size, generator).round()
    if outcome == LONG_TERM and size > 2:
        days[1] = days[0]  # the median of all patients is the second of this class: two patients sit on the threshold
    return days


def age_curves(table1: Table1) -> dict[Outcome, QuantileCurve]:
    """Ages of both classes: as alike in shape as the median of all patients lets them be."""
    limit = 0.95 * min(AGE_STEEPNESS, 1 - AGE_STEEPNESS)
    candidates = (tilted_age_curves(table1, sign * tilt) for tilt in np.linspace(0, limit, 40) for sign in (1, -1))
    closest: tuple[float, dict[Outcome, QuantileCurve]] = (np.inf, {})
    for curves in candidates:
        miss = abs(median_age(table1, curves) / table1.all.age_years.median - 1)
        if miss <= MEDIAN_TOLERANCE:
            return curves
        closest = min(closest, (miss, curves), key=lambda candidate: candidate[0])
    return closest[1]


def tilted_age_curves(table1: Table1, tilt: float) -> dict[Outcome, QuantileCurve]:
    """Ages of both classes, short-term survivors gathered more closely around their median by `tilt`."""
    steepness = {SHORT_TERM: AGE_STEEPNESS - tilt, LONG_TERM: AGE_STEEPNESS + tilt}
    return {
        outcome: fitted_curve(summary.age_years, steepness[outcome], f"{outcome}.age_years")
        for outcome, summary in table1.classes.items()
    }


def median_age(table1: Table1, curves: Mapping[Outcome, QuantileCurve]) -> float:
    """The median age of all patients, years."""
    ages = np.linspace(table1.all.age_years.min, table1.all.age_years.max, 2001)
    younger = sum(table1.classes[outcome].n * curve.cumulative(ages) for outcome, curve in curves.items())
    return float(np.interp(table1.all.n / 2, younger, ages))


def surgery_lean(table1: Table1, figure1: Figure1 | None) -> dict[Surgery, float]:
    """How far each surgery moves a patient within the survival of the class, in standard deviations.

    The means that the classes alone would give each group, against those of Figure 1, in units of the spread that the
    group's patients have within their classes.
    """
    if figure1 is None:
        return dict.fromkeys(table1.short_term.surgery, 0.0)
    spread = {outcome: within_class_sd(outcome, summary) for outcome, summary in table1.classes.items()}
    lean: dict[Surgery, float] = {}
    for surgery, mean_days in figure1.mean_days.items():
        counts = {outcome: summary.surgery[surgery] for outcome, summary in table1.classes.items()}
        total = sum(counts.values())
        expected = sum(counts[outcome] * table1.classes[outcome].survival_days.mean for outcome in counts) / total
        lean[surgery] = (mean_days - expected) * total / sum(counts[outcome] * spread[outcome] for outcome in counts)
    return lean


def within_class_sd(outcome: Outcome, summary: ClassSummary) -> float:
    """Standard deviation of the survival of one class, days."""
    curve = fitted_curve(summary.survival_days, SURVIVAL_STEEPNESS, f"{outcome}.survival_days")
    return float(curve.value(np.linspace(0, 1, 1001)).std())


def image_scores(outcome: pd.Series, image_auc: float, seed: int) -> Float[np.ndarray, " patients"]:
    """One latent score a patient; each has a random stream of its own, whatever the size of the cohort."""
    center = separation(image_auc) * np.where(outcome == LONG_TERM, 0.5, -0.5)
    noise = [np.random.default_rng([seed, SCORE_STREAM, index]).standard_normal() for index in range(len(outcome))]
    return center + np.array(noise)


def separation(image_auc: float) -> float:
    """Distance d between the classes' mean scores, in standard deviations: AUC = Phi(d / sqrt 2), binormal model."""
    return float(np.sqrt(2) * NormalDist().inv_cdf(image_auc))


def shuffled(counts: Mapping[Level, int], size: int, generator: np.random.Generator) -> list[Level]:
    """The levels, each as often as its share of `counts`, in random order."""
    levels = [level for level, count in apportioned(counts, size).items() for _ in range(count)]
    return [levels[place] for place in generator.permutation(size)]


def apportioned(counts: Mapping[Level, int], size: int) -> dict[Level, int]:
    """`counts` scaled to add up to `size`, by largest remainder (Hamilton's method); ties go to the first."""
    total = sum(counts.values())
    whole = {level: count * size // total for level, count in counts.items()}
    by_remainder = sorted(counts, key=lambda level: -(counts[level] * size % total))
    for level in by_remainder[: size - sum(whole.values())]:
        whole[level] += 1
    return whole


def patient_ids(n_patients: int) -> list[str]:
    """`SIM-001`, `SIM-002`, …, of one length."""
    width = max(3, len(str(n_patients)))
    return [f"SIM-{number:0{width}d}" for number in range(1, n_patients + 1)]


def clinical_csv(cohort: pd.DataFrame) -> str:
    """The clinical table as a site would export it: no outcome, which is ours to derive from the survival."""
    table = cohort.loc[:, list(CSV_COLUMNS)].assign(event_observed=cohort["event_observed"].astype("Int64"))
    return table.to_csv(index=False, lineterminator="\n")
