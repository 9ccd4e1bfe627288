"""Numbers as text, formatted once, for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from numbers import Integral, Real
from typing import Any

from gliocast.evidence.comparison import SIGNIFICANT

MISSING = "–"


def fraction(value: float | None, places: int = 2) -> str:
    """`0.90`, `−0.02`; a dash where there is none."""
    return MISSING if value is None else f"{value:z.{places}f}".replace("-", "−")


def estimate(value: Mapping[str, Any] | None) -> str:
    """`0.90 (0.81–0.95)`, the interval where there is one."""
    if not value or value.get("value") is None:
        return MISSING
    return fraction(value["value"]) + (f" {interval(value['ci95'])}" if value.get("ci95") else "")


def difference(value: Mapping[str, Any] | None) -> str:
    """`+0.03 (−0.02 to +0.08)`: with its sign."""
    if not value or value.get("value") is None:
        return MISSING
    bounds = " to ".join(map(_limit, value["ci95"])) if value.get("ci95") else ""
    return signed(value["value"]) + (f" ({bounds})" if bounds else "")


def signed(value: float) -> str:
    """`+0.03`, `−0.02`, `0.00`."""
    text = f"{value:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "−")


def _limit(value: float) -> str:
    """As `signed`, but with the digit that shows on which side of zero it lies."""
    text = signed(value)
    return text if text != "0.00" or round(value, 12) == 0 else f"{value:+.1g}".replace("-", "−")


def interval(bounds: tuple[float, float] | list[float]) -> str:
    """`(0.81–0.95)`, or `(−0.4 to 0.2)` where a bound is negative."""
    low, high = map(fraction, bounds)
    return f"({low} to {high})" if bounds[0] < 0 else f"({low}–{high})"


def p_value(value: float | None) -> str:
    """`0.014`, `5.2e-07`, `< 1e-16`; what is below 0.05 is not printed as 0.050."""
    if value is None or not isfinite(value):
        return MISSING
    if value < 1e-16:
        return "< 1e-16"
    if value < 0.001:
        return f"{value:.1e}"
    text = f"{value:.3f}"
    return f"< {text}" if value < SIGNIFICANT <= float(text) else text


def tested(n_predictions: int, n_patients: int) -> str:
    """`37 test patients`, or `278 predictions of 139 test patients` where several repeats test each of them."""
    patients = f"{n_patients} test patients"
    return patients if n_predictions == n_patients else f"{n_predictions} predictions of {patients}"


def cell(value: Any) -> str:
    """Anything as the text of a table's cell: whole numbers whole, others to three significant digits."""
    if value is None or (isinstance(value, Real) and value != value):
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return number(float(value))
    return MISSING if str(value) in ("<NA>", "NaT", "nan") else str(value)


def decimals(fractions: Iterable[float]) -> int:
    """How many decimals fractions need that stand below each other: three at most."""
    return max((len(f"{value:.3f}".rstrip("0").partition(".")[2]) for value in fractions), default=0)


def number(value: float) -> str:
    """A number to three significant digits, or whole where it is large."""
    if not isfinite(value):
        return MISSING
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−") if "e" not in text else text


def is_number(value: Any) -> bool:
    """Whether a cell holds a number, and so stands right-aligned."""
    return isinstance(value, Real) and not isinstance(value, bool)
