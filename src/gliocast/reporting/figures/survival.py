"""Figures of survival: by surgery (Figure 1 of the paper) and over time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pandas as pd

from gliocast.evidence.survival_curves import median_survival_days
from gliocast.reporting.figures.theme import (
    DASHES,
    GREY,
    INK,
    axis,
    band,
    colour_of,
    figure,
    fraction_axis,
    groups,
    name_of,
    p_text,
    plain,
    translucent,
)
from gliocast.types import Figure

MAX_TICKS = 6  # that stand side by side on a telephone
LINE_PX = 17  # height of a line below an axis
PAPER_OFFSET = 0.34  # of the distance between two bars: the paper's mean stands beside ours, not on it


def survival_by_surgery(summary: pd.DataFrame, p_value: float | None = None) -> Figure:
    """Mean survival and standard deviation by surgery, beside the paper's (Moreau et al., Figure 1).

    Args:
        summary: one row a group: `surgery`, `n`, `mean_days`, `sd_days`, `paper_mean_days`, `paper_sd_days`.
        p_value: of the one-way analysis of variance.
    """
    labels = [f"{name_of(row.surgery).replace(' ', '<br>', 1)}<br>n = {row.n}" for row in summary.itertuples()]
    shown = summary.dropna(subset=["mean_days"]).itertuples()
    alt = "; ".join(f"{name_of(row.surgery)}: {_mean_in_words(row)} days" for row in shown)
    tested = f"analysis of variance {p_text(p_value)}" if p_text(p_value) else ""
    title = " · ".join(filter(None, ["Survival by surgery, mean and standard deviation", tested]))
    ticks = {
        "tickvals": list(range(len(labels))),
        "ticktext": labels,
        "range": [-0.5, len(labels) - 0.4],
        "tickangle": 0,
    }
    axes: dict[str, Any] = {"xaxis": axis("", **ticks), "yaxis": axis("Survival (days)", rangemode="tozero")}
    return figure([_bars(summary), _paper_means(summary)], title, f"{alt}. {p_text(p_value)}", bargap=0.5, **axes)


def _mean_in_words(row: Any) -> str:
    mean = f"{row.mean_days:.0f}"
    return mean if pd.isna(row.sd_days) else f"{mean} ± {row.sd_days:.0f}"  # one patient has no spread


def _bars(summary: pd.DataFrame) -> dict[str, Any]:
    colours = [colour_of(surgery, place) for place, surgery in enumerate(summary["surgery"])]
    marker = {"color": [translucent(colour, 0.55) for colour in colours], "line": {"color": colours, "width": 1.5}}
    hover = "%{y:.1f} ± %{error_y.array:.1f} days<extra></extra>"
    points = {
        "x": list(range(len(summary))),
        "y": plain(summary["mean_days"]),
        "error_y": _spread(summary["sd_days"], INK),
    }
    return {"type": "bar", "name": "This cohort", "marker": marker, "hovertemplate": hover, **points}


def _paper_means(summary: pd.DataFrame) -> dict[str, Any]:
    points = {
        "x": [place + PAPER_OFFSET for place in range(len(summary))],
        "y": plain(summary["paper_mean_days"]),
        "error_y": _spread(summary["paper_sd_days"], GREY),
    }
    marker = {"symbol": "diamond", "size": 10, "color": GREY}
    return {"type": "scatter", "mode": "markers", "name": "Moreau et al.", "marker": marker, **points}


def _spread(sd_days: pd.Series, colour: str) -> dict[str, Any]:
    return {"type": "data", "array": plain(sd_days), "color": colour, "thickness": 1.3, "width": 6}


def kaplan_meier(
    curves: pd.DataFrame, p_value: float | None = None, title: str = "Overall survival by surgery"
) -> Figure:
    """Kaplan–Meier curves with their confidence bands, and below each tick how many patients are still at risk.

    Args:
        curves: `group`, `time_days`, `survival`, `lower`, `upper` (fractions) and `at_risk`; one row a step, as
            `evidence.survival_curves.kaplan_meier` gives them.
        p_value: of the log-rank test.
        title: what the groups are.
    """
    parts = groups(curves, "group")
    traces = [trace for place, group, steps in parts for trace in _step_curve(place, group, steps)]
    medians = "; ".join(f"{name_of(group)} median {_median(steps)}" for _, group, steps in parts)
    heading = " · ".join(filter(None, [title, f"log-rank {p_text(p_value)}" if p_value is not None else ""]))
    days, at_risk = _at_risk(parts)
    axes: dict[str, Any] = {"xaxis": _days_axis(days, at_risk), "yaxis": fraction_axis("Surviving fraction")}
    alt = " ".join(filter(None, [f"Kaplan–Meier curves. {medians}.", _at_risk_in_words(days, at_risk)]))
    return figure(traces, heading, alt, height=400 + LINE_PX * len(at_risk), **axes)


def _at_risk(parts: list[tuple[int, str, pd.DataFrame]]) -> tuple[list[int], dict[str, list[int]]]:
    """Round days, and how many patients of each group are alive and followed just before each."""
    last = max((float(steps["time_days"].max()) for _, _, steps in parts), default=0.0)
    step = next(size for size in _round_numbers() if last < size * MAX_TICKS)
    days = list(range(0, int(last) + 1, step))
    return days, {group: [_still_there(steps, day) for day in days] for _, group, steps in parts}


def _still_there(steps: pd.DataFrame, day: int) -> int:
    return int(steps["at_risk"].where(steps["time_days"] >= day, 0).max())


def _round_numbers() -> Iterator[int]:
    return (factor * 10**power for power in count() for factor in (1, 2, 5))


def _days_axis(days: list[int], at_risk: dict[str, list[int]]) -> dict[str, Any]:
    """The ticks with the numbers at risk below them, a line a group, in its colour and in the order of the legend."""
    if not at_risk:
        return axis("Days", rangemode="tozero")
    colours = [colour_of(group, place) for place, group in enumerate(at_risk)]
    below = [
        "".join(f'<br><span style="color:{colour}">{n}</span>' for colour, n in zip(colours, numbers, strict=True))
        for numbers in zip(*at_risk.values(), strict=True)
    ]
    ticks = [f"{day}{numbers}" for day, numbers in zip(days, below, strict=True)]
    title = "Days, and patients at risk as in the legend"
    return axis(title, rangemode="tozero", tickvals=days, ticktext=ticks, tickangle=0)


def _at_risk_in_words(days: list[int], at_risk: dict[str, list[int]]) -> str:
    told = "; ".join(f"{name_of(group)} {', '.join(map(str, numbers))}" for group, numbers in at_risk.items())
    return f"At risk on day {', '.join(map(str, days))}: {told}." if at_risk else ""


def _median(steps: pd.DataFrame) -> str:
    median = median_survival_days(steps)
    return "not reached" if median is None else f"{median:.0f} days"


def _step_curve(place: int, group: str, steps: pd.DataFrame) -> list[dict[str, Any]]:
    colour, time, survival = colour_of(group, place), plain(steps["time_days"]), plain(steps["survival"])
    line = {"color": colour, "width": 2.2, "shape": "hv", "dash": DASHES[place % len(DASHES)]}
    curve: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "name": name_of(group),
        "legendgroup": group,
        "x": time,
        "y": survival,
    }
    curve |= {"line": line, "hovertemplate": "%{x:.0f} days: %{y:.2f}"}
    edges = steps.dropna(subset=["lower", "upper"])
    return [_step_band(edges, colour, group), curve]


def _step_band(edges: pd.DataFrame, colour: str, group: str) -> dict[str, Any]:
    """The confidence band in steps: each bound holds until the next event."""
    time = [moment for moment in plain(edges["time_days"]) for _ in (0, 1)][1:]
    lower, upper = ([bound for bound in plain(edges[side]) for _ in (0, 1)][:-1] for side in ("lower", "upper"))
    return band(time, lower, upper, colour, legendgroup=group)
