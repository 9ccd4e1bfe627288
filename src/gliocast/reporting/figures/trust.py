"""Figures of how far a number can be trusted: calibration, usefulness, the leakage gap, the audit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from gliocast.reporting.figures.theme import (
    BLUE,
    SYMBOLS,
    VERMILION,
    axis,
    colour_of,
    dash_of,
    diagonal,
    figure,
    fraction_axis,
    groups,
    marked_line,
    name_of,
    plain,
    whiskers,
)
from gliocast.reporting.formatting import fraction
from gliocast.types import Figure

TOLD_THRESHOLDS = (0.25, 0.5, 0.75)  # in words; the highest benefit says nothing: near 0 all models call everyone

ASIDE = 0.14  # of the distance between two rows: intervals that overlap are not drawn on each other


def reliability(curve: pd.DataFrame, title: str = "Calibration") -> Figure:
    """Predicted probability against observed frequency, in bins.

    Args:
        curve: `model`, `predicted`, `observed` with `lower` and `upper`, `n`; one row a bin.
        title: which model, which patients.
    """
    parts = groups(curve, "model")
    traces = [diagonal("Perfectly calibrated"), *(_bins(place, model, rows) for place, model, rows in parts)]
    axes: dict[str, Any] = {
        "xaxis": fraction_axis("Predicted probability"),
        "yaxis": fraction_axis("Observed long-term fraction"),
    }
    alt = " ".join(f"{name_of(model)}: {_bins_in_words(rows)}." for _, model, rows in parts)
    return figure(traces, title, alt, is_square=True, height=420, **axes)


def _bins_in_words(rows: pd.DataFrame) -> str:
    bins = zip(rows["predicted"], rows["observed"], rows["n"], strict=True)
    return "; ".join(f"predicted {said:.2f}, observed {seen:.2f} ({n} patients)" for said, seen, n in bins)


def _bins(place: int, model: str, rows: pd.DataFrame) -> dict[str, Any]:
    counts = [f"n = {n}" for n in plain(rows["n"])]
    return {**marked_line(place, model, rows, "predicted", "observed", 1), "text": counts}


def net_benefit(curves: pd.DataFrame, title: str = "Decision curve") -> Figure:
    """Net benefit of each strategy over the threshold probability (Vickers and Elkin, doi:10.1177/0272989X06295361).

    Args:
        curves: `strategy` (a model, `treat_all`, `treat_none`), `threshold`, `net_benefit`.
        title: which patients.
    """
    parts = groups(curves, "strategy")
    traces = [_benefit(place, strategy, rows) for place, strategy, rows in parts]
    peak = max(0.05, float(curves["net_benefit"].max()))
    axes: dict[str, Any] = {
        "xaxis": fraction_axis("Threshold probability"),
        "yaxis": axis("Net benefit", range=[-0.25 * peak, 1.1 * peak]),
    }
    alt = "; ".join(f"{name_of(strategy)}: {_benefits_in_words(rows)}" for _, strategy, rows in parts)
    return figure(traces, title, f"Net benefit. {alt}.", **axes)


def _benefits_in_words(rows: pd.DataFrame) -> str:
    told = rows[rows["threshold"].isin(TOLD_THRESHOLDS)]
    pairs = zip(told["net_benefit"], told["threshold"], strict=True)
    return ", ".join(f"{fraction(benefit)} at {threshold:.2f}" for benefit, threshold in pairs)


def _benefit(place: int, strategy: str, rows: pd.DataFrame) -> dict[str, Any]:
    line = {"color": colour_of(strategy, place), "width": 2, "dash": dash_of(strategy, place)}
    points = {"x": plain(rows["threshold"]), "y": plain(rows["net_benefit"])}
    return {"type": "scatter", "mode": "lines", "name": name_of(strategy), "line": line, **points}


def leakage_gap(gap: pd.DataFrame, title: str) -> Figure:
    """Each number under the honest and, just below it, under the paper's protocol, with intervals.

    Args:
        gap: one row a number: `metric`, `honest`, `paper`, `honest_lower`, `honest_upper`, `paper_lower`,
            `paper_upper`.
        title: of the figure.
    """
    rows = gap[::-1].reset_index(drop=True)
    honest = _protocol(rows, "honest", BLUE, "circle", "Honest: patients never seen", ASIDE)
    claimed = _protocol(rows, "paper", VERMILION, "diamond", "Paper's protocol: leaking", -ASIDE)
    alt = "; ".join(
        f"{name_of(row.metric)}: honest {row.honest:.2f}, paper's protocol {row.paper:.2f}" for row in gap.itertuples()
    )
    ticks = {"tickvals": list(range(len(rows))), "ticktext": [name_of(metric) for metric in rows["metric"]]}
    axes: dict[str, Any] = {"xaxis": fraction_axis("Value"), "yaxis": axis("", range=[-0.6, len(rows) - 0.4], **ticks)}
    return figure([honest, claimed], title, alt, height=170 + 44 * len(rows), **axes)


def _protocol(rows: pd.DataFrame, protocol: str, colour: str, symbol: str, name: str, aside: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "marker": {"color": colour, "size": 11, "symbol": symbol},
        "x": plain(rows[protocol]),
        "y": [place + aside for place in range(len(rows))],
        "error_x": whiskers(rows, protocol, 1.5, f"{protocol}_"),
    }


def audit(scenarios: pd.DataFrame, metric: str = "auc") -> Figure:
    """Claimed against true performance of each protocol over simulated cohorts of known truth.

    Args:
        scenarios: `audit.json`'s scenarios as a table: `image_signal`, `memorises`, `protocol`, `claimed_<metric>`,
            `true_<metric>`.
        metric: `auc` or `accuracy`.
    """
    claimed, true = f"claimed_{metric}", f"true_{metric}"
    values = scenarios[[claimed, true]].dropna()
    low = max(0.0, min(0.5, *map(float, values.min()))) - 0.03 if len(values) else 0.45
    traces = [
        diagonal("Claim = truth"),
        *(_audit_points(place, name, rows, claimed, true) for place, name, rows in groups(scenarios, "protocol")),
    ]
    label = "AUC" if metric == "auc" else "accuracy"
    axes: dict[str, Any] = {
        "xaxis": axis(f"True {label} on new patients", range=[low, 1.01]),
        "yaxis": axis(f"Claimed {label}", range=[low, 1.01]),
    }
    alt = "; ".join(_audit_words(scenarios, claimed, true))
    return figure(traces, f"Claimed and true {label} over simulated cohorts", alt, is_square=True, height=420, **axes)


def _audit_words(scenarios: pd.DataFrame, claimed: str, true: str) -> Iterable[str]:
    for row in scenarios.dropna(subset=[claimed, true]).to_dict("records"):
        scenario = f"{row['protocol']} protocol, image AUC {row['image_signal']}"
        yield f"{scenario}: claims {row[claimed]:.2f}, true {row[true]:.2f}"


def _audit_points(place: int, protocol: str, rows: pd.DataFrame, claimed: str, true: str) -> dict[str, Any]:
    colour = {"honest": BLUE, "paper": VERMILION}.get(protocol, colour_of(protocol, place))
    marker = {"color": colour, "size": 11, "symbol": SYMBOLS[place % len(SYMBOLS)]}
    texts = [
        f"image AUC {signal}, {'memorising' if memorises else 'not memorising'}"
        for signal, memorises in zip(rows["image_signal"], rows["memorises"], strict=True)
    ]
    name = {"honest": "Honest protocol", "paper": "Paper's protocol"}.get(protocol, name_of(protocol))
    hover = "%{text}<br>true %{x:.2f}, claimed %{y:.2f}"
    points = {"x": plain(rows[true]), "y": plain(rows[claimed]), "text": texts, "hovertemplate": hover}
    return {"type": "scatter", "mode": "markers", "name": name, "marker": marker, **points}
