"""Comparing a quantity between groups: analysis of variance (classical, Welch's), Kruskal–Wallis, Tukey.

The three parametric tests need no more than mean, standard deviation and n of each group, so that a published summary
can be tested like patients' own values. A test that cannot be done gives None for its values, and the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

TestResult: TypeAlias = dict[str, Any]
Groups: TypeAlias = Mapping[str, Float[np.ndarray, " group"]]


@dataclass(frozen=True)
class GroupSummary:
    """One group: its name, mean and standard deviation (n-1) in the quantity's unit, and n."""

    name: str
    mean: float
    sd: float
    n: int


def summarise(groups: Groups) -> list[GroupSummary]:
    """Mean, standard deviation and n of each group that has two values or more."""
    return [
        GroupSummary(name, float(np.mean(values)), float(np.std(values, ddof=1)), len(values))
        for name, values in groups.items()
        if len(values) > 1
    ]


def one_way_anova(groups: Sequence[GroupSummary]) -> TestResult:
    """Classical one-way analysis of variance: `f`, `p`, `df` [between, within] and `eta2`, the share of variance."""
    from scipy.special import fdtrc

    if reason := _untestable(groups, any):
        return {"f": None, "p": None, "df": None, "eta2": None, "reason": reason}
    n, mean, variance = _arrays(groups)
    between = float((n * (mean - (n @ mean) / n.sum()) ** 2).sum())
    within = float(((n - 1) * variance).sum())
    df = [len(groups) - 1, int(n.sum()) - len(groups)]
    f = (between / df[0]) / (within / df[1])
    return {"f": f, "p": float(fdtrc(*df, f)), "df": df, "eta2": between / (between + within)}


def welch_anova(groups: Sequence[GroupSummary]) -> TestResult:
    """Welch's analysis of variance, which allows unequal variances: `f`, `p`, `df`. doi:10.1093/biomet/38.3-4.330."""
    from scipy.special import fdtrc

    if reason := _untestable(groups, all):
        return {"f": None, "p": None, "df": None, "reason": reason}
    n, mean, variance = _arrays(groups)
    k, weight = len(groups), n / variance
    spread = (((1 - weight / weight.sum()) ** 2) / (n - 1)).sum()
    between = (weight * (mean - (weight @ mean) / weight.sum()) ** 2).sum() / (k - 1)
    f = float(between / (1 + 2 * (k - 2) / (k**2 - 1) * spread))
    df = [k - 1, float((k**2 - 1) / (3 * spread))]
    return {"f": f, "p": float(fdtrc(*df, f)), "df": df}


def kruskal(groups: Groups) -> TestResult:
    """Kruskal–Wallis test by ranks: `h`, `p`, `df`."""
    from scipy.stats import kruskal as scipy_kruskal

    filled = [values for values in groups.values() if len(values)]
    if len(filled) < 2 or np.ptp(np.concatenate(filled)) == 0:
        return {"h": None, "p": None, "df": None, "reason": "fewer than two groups, or no differing values"}
    result = scipy_kruskal(*filled)
    return {"h": float(result.statistic), "p": float(result.pvalue), "df": len(filled) - 1}


def tukey(groups: Sequence[GroupSummary]) -> list[TestResult]:
    """Every pair of groups: `groups` [a, b], `difference` (b - a) with `ci95`, and `p` adjusted for all pairs.

    Tukey's honest significant differences; Tukey–Kramer's for unequal n, doi:10.2307/3001469. Empty where there is
    nothing to compare.
    """
    from scipy.stats import studentized_range

    if _untestable(groups, any):
        return []
    n, _, variance = _arrays(groups)
    k, df = len(groups), int(n.sum()) - len(groups)
    pooled = float(((n - 1) * variance).sum() / df)
    critical = float(studentized_range.ppf(0.95, k, df))

    def compare(a: GroupSummary, b: GroupSummary) -> TestResult:
        difference, error = b.mean - a.mean, float(np.sqrt(pooled / 2 * (1 / a.n + 1 / b.n)))
        return {
            "groups": [a.name, b.name],
            "difference": difference,
            "ci95": [difference - critical * error, difference + critical * error],
            "p": float(studentized_range.sf(abs(difference) / error, k, df)),
        }

    return [compare(a, b) for a, b in combinations(groups, 2)]


def _arrays(groups: Sequence[GroupSummary]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array([group.n for group in groups], dtype=float),
        np.array([group.mean for group in groups]),
        np.array([group.sd**2 for group in groups]),
    )


def _untestable(groups: Sequence[GroupSummary], needed: Callable[[Iterable[bool]], bool]) -> str | None:
    """Why there is no test, if there is none: a pooled variance needs `any` group to have one, Welch's test `all`."""
    if len(groups) < 2:
        return "fewer than two groups with two patients or more"
    return None if needed(group.sd > 0 for group in groups) else "a group has no variance"
