"""Intervals for proportions, and the one form in which every estimate leaves this room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, sqrt
from typing import Any, TypeAlias

CONFIDENCE = 0.95
Z_95 = 1.959963984540054  # standard normal quantile of 0.975
NOBODY = "no patient to count"

Estimate: TypeAlias = dict[str, Any]  # {"value": float | None, "ci95": [low, high] | None, "reason"?: str}
Interval: TypeAlias = tuple[float, float]


def estimate(value: float | None, ci95: Sequence[float] | None = None, reason: str | None = None) -> Estimate:
    """A value with its 95 % interval; whatever cannot be computed is None, with the reason, never 0 or NaN.

    Args:
        value: the estimate; None, NaN and infinity all mean that it cannot be computed.
        ci95: lower and upper limit; None or not finite where there is no interval.
        reason: why the value, or its interval, is missing.
    """
    number = float(value) if value is not None and isfinite(value) else None
    known = number is not None and ci95 is not None and all(map(isfinite, ci95))
    limits = [float(limit) for limit in ci95] if known and ci95 is not None else None
    result: Estimate = {"value": number, "ci95": limits}
    return result if limits is not None else result | {"reason": reason or "not defined for these patients"}


def as_columns(found: Mapping[str, Any]) -> dict[str, Any]:
    """One row of a table: an estimate becomes `<name>`, `<name>_lower` and `<name>_upper`; all else stays as it is."""
    row: dict[str, Any] = {}
    for name, part in found.items():
        if isinstance(part, Mapping):
            lower, upper = part["ci95"] or (None, None)
            row |= {name: part["value"], f"{name}_lower": lower, f"{name}_upper": upper}
        else:
            row[name] = part
    return row


def wilson(successes: int, n: int) -> Estimate:
    """A proportion with Wilson's score interval, 95 %, without continuity correction.

    Args:
        successes: 0 to `n`.
        n: how many were asked; 0 gives a value of None with its reason.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    if n == 0:
        return estimate(None, reason=NOBODY)
    share, z2 = successes / n, Z_95**2
    center = (share + z2 / (2 * n)) / (1 + z2 / n)
    half_width = Z_95 / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    low, high = center - half_width, center + half_width
    return estimate(share, (low if successes else 0.0, high if successes < n else 1.0))  # rounding misses 0 and 1
