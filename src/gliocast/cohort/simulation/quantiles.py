"""Continuous columns from what a paper prints of them: mean, median and range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gliocast.cohort.simulation.parameters import Summary
from gliocast.errors import ConfigurationError, Problem

SHORT_SIDE_POWER = 5.0  # the shorter tail thins out about like a bell's; the longer one is fitted
GRID = 4_001


@dataclass(frozen=True)
class QuantileCurve:
    """A smooth distribution on [min, max] whose mean and median are exact, in closed form.

    With t = |2p - 1|, each side of the median is `spread * t + (reach - spread) * t**power`, where `reach` is the
    distance from the median to that end. Both sides leave the median with the same slope, so that the density,
    the reciprocal of the slope, is continuous there.
    """

    median: float
    spread: float
    lower_reach: float
    upper_reach: float
    lower_power: float
    upper_power: float

    def value(self, share: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """The quantile at `share`, 0 to 1."""
        t = 2 * share - 1
        lower = self.spread * -t + (self.lower_reach - self.spread) * np.abs(t) ** self.lower_power
        upper = self.spread * t + (self.upper_reach - self.spread) * np.abs(t) ** self.upper_power
        return self.median + np.where(t < 0, -lower, upper)

    def cumulative(self, value: Float[np.ndarray, " values"]) -> Float[np.ndarray, " values"]:
        """The share of patients below each value."""
        share = np.linspace(0, 1, GRID)
        return np.interp(value, self.value(share), share)

    def sample(self, n_patients: int, generator: np.random.Generator) -> Float[np.ndarray, " {n_patients}"]:
        """Ascending values, one near the middle of each of `n_patients` equal shares; first and last are the ends."""
        share = (np.arange(n_patients) + generator.uniform(0.25, 0.75, n_patients)) / n_patients
        values = self.value(share)
        if n_patients > 1:
            values[0], values[-1] = self.median - self.lower_reach, self.median + self.upper_reach
        return values


def fitted_curve(summary: Summary, steepness: float, where: str) -> QuantileCurve:
    """The curve with the mean, median and range of `summary`.

    Args:
        summary: what the paper prints.
        steepness: slope at the median as a share of the shorter reach, above 0 and below 1; the free parameter.
        where: the name of the column, for the error.

    Raises:
        ConfigurationError: no such curve has this mean.
    """
    lower_reach, upper_reach = summary.median - summary.min, summary.max - summary.median
    spread = steepness * min(lower_reach, upper_reach)
    # The mean of one side is its linear part, which cancels between the sides, and (reach - spread) / 2 / (power + 1).
    lower, upper = (lower_reach - spread) / 2, (upper_reach - spread) / 2
    offset = summary.mean - summary.median
    short = min(lower, upper) / (SHORT_SIDE_POWER + 1)
    needed = short + (offset if upper >= lower else -offset)
    long_power = max(lower, upper) / needed - 1 if needed > 0 else -1.0
    if long_power <= 0:
        raise ConfigurationError(unreachable(summary, where))
    powers = (SHORT_SIDE_POWER, long_power) if upper >= lower else (long_power, SHORT_SIDE_POWER)
    return QuantileCurve(summary.median, spread, lower_reach, upper_reach, *powers)


def unreachable(summary: Summary, where: str) -> Problem:
    """The problem of a mean too far from the median for the range."""
    return Problem(
        "–",
        f"paper.table1 {where}.mean",
        f"{summary.mean}",
        f"a mean that the median {summary.median} and the range {summary.min} to {summary.max} allow",
        "Correct the summary.",
    )
