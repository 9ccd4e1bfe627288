"""Figures of how well a model tells the two outcomes apart: ROC, confusion, probabilities, all models side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gliocast.reporting.figures.theme import (
    GREY,
    INK,
    MUTED,
    axis,
    colour_of,
    dash_of,
    diagonal,
    figure,
    fraction_axis,
    groups,
    name_of,
    plain,
    translucent,
    upright,
)
from gliocast.types import LONG_TERM, SHORT_TERM, Figure

N_BINS = 20
FEW_PATIENTS = 10  # in a bin


def roc(curves: pd.DataFrame, aucs: Mapping[str, float | None] | None = None, title: str = "ROC curve") -> Figure:
    """Receiver operating characteristic of one or more models (Moreau et al., Figures 3a and 4a).

    Args:
        curves: `model`, `false_positive_rate`, `true_positive_rate`; one row a threshold.
        aucs: area under the curve of each model, printed in the legend.
        title: which patients (or slices) the curves are drawn from.
    """
    known = {model: value for model, value in (aucs or {}).items() if value is not None}
    traces = [
        diagonal("Chance"),
        *(_roc_curve(place, model, rows, known.get(model)) for place, model, rows in groups(curves, "model")),
    ]
    alt = "; ".join(f"{name_of(model)}: area under the curve {value:.2f}" for model, value in known.items())
    axes: dict[str, Any] = {
        "xaxis": fraction_axis("1 − specificity (false positive rate)"),
        "yaxis": fraction_axis("Sensitivity (true positive rate)"),
    }
    fits_inside = len(traces) <= 4 and all(value >= 0.5 for value in known.values())  # a curve below chance lies there
    inside = {"orientation": "v", "x": 0.98, "y": 0.04, "xanchor": "right", "yanchor": "bottom"}
    below = {"orientation": "v", "x": 0, "y": -0.2, "xanchor": "left", "yanchor": "top"}
    legend = inside if fits_inside else below
    height = 420 if fits_inside else 450 + 21 * len(traces)
    return figure(traces, title, f"ROC curves. {alt}.", is_square=True, height=height, legend=legend, **axes)


def _roc_curve(place: int, model: str, rows: pd.DataFrame, auc: float | None) -> dict[str, Any]:
    name = name_of(model) if auc is None else f"{name_of(model)}, AUC {auc:.2f}"
    line = {"color": colour_of(model, place), "width": 2.2, "dash": dash_of(model, place)}
    points = {"x": plain(rows["false_positive_rate"]), "y": plain(rows["true_positive_rate"])}
    hover = "1 − specificity %{x:.2f}, sensitivity %{y:.2f}"
    return {"type": "scatter", "mode": "lines", "name": name, "line": line, "hovertemplate": hover, **points}


def confusion(tp: int, fp: int, fn: int, tn: int, title: str = "Confusion matrix") -> Figure:
    """Counts of true and predicted outcomes (Moreau et al., Figures 3b and 4b). Long-term is the positive class."""
    counts = [[tn, fp], [fn, tp]]
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    cells = {"x": ["Short-term", "Long-term"], "y": ["Short-term", "Long-term"], "z": shares, "zmin": 0, "zmax": 1}
    ramp = [[0, translucent(colour_of(LONG_TERM), 0.04)], [1, translucent(colour_of(LONG_TERM), 0.55)]]
    shown = {
        "text": [
            [f"<b>{count}</b><br>{share:.0%}" for count, share in zip(*row, strict=True)]
            for row in zip(counts, shares, strict=True)
        ]
    }
    heatmap = {"type": "heatmap", **cells, **shown, "texttemplate": "%{text}", "textfont": {"size": 17, "color": INK}}
    style = {
        "colorscale": ramp,
        "showscale": False,
        "xgap": 3,
        "ygap": 3,
        "hovertemplate": "true %{y}, predicted %{x}: %{text}<extra></extra>",
    }
    margin = {"l": 92, "r": 8, "t": 56, "b": 48}  # fixed: cells may be narrow, and their labels are known
    axes: dict[str, Any] = {
        "xaxis": axis("Predicted", showline=False, ticks="", automargin=False),
        "yaxis": axis("True", autorange="reversed", showgrid=False, automargin=False),
        "margin": margin,
    }
    alt = f"{tp} true positive, {fp} false positive, {fn} false negative, {tn} true negative; long-term is positive."
    return figure([heatmap | style], title, alt, is_square=True, height=420, **axes)


def probability_histogram(
    probabilities: pd.DataFrame, title: str = "Predicted probabilities", counted: str = "patients"
) -> Figure:
    """Predicted probability of long-term survival, by true outcome, with a line at one half.

    Args:
        probabilities: `outcome` (`short_term`, `long_term`) and `probability`, one row a patient, or a prediction.
        title: which model, which patients.
        counted: which of the two.
    """
    traces = [_histogram(probabilities, outcome, counted) for outcome in (SHORT_TERM, LONG_TERM)]
    mean = probabilities.groupby("outcome")["probability"].mean()
    alt = "; ".join(f"{name_of(outcome)}: mean probability {value:.2f}" for outcome, value in mean.items())
    most = max(max(trace["y"]) for trace in traces)
    whole = {"dtick": 1} if most <= FEW_PATIENTS else {}  # else Plotly sets ticks at half a patient
    axes: dict[str, Any] = {
        "xaxis": fraction_axis("Predicted probability of long-term survival"),
        "yaxis": axis(counted.capitalize(), **whole),
    }
    return figure(
        traces, title, alt, barmode="group", shapes=[upright(0.5, MUTED, 1.5)], bargap=0.12, height=340, **axes
    )


def _histogram(probabilities: pd.DataFrame, outcome: str, counted: str) -> dict[str, Any]:
    """Counts in bins: no single patient's probability is stored in the figure."""
    colour, chosen = colour_of(outcome), probabilities.loc[probabilities["outcome"] == outcome, "probability"]
    counts, edges = np.histogram(chosen, bins=N_BINS, range=(0, 1))
    marker = {"color": translucent(colour, 0.5), "line": {"color": colour, "width": 1}}
    bars = {"x": plain(np.round((edges[1:] + edges[:-1]) / 2, 3)), "y": plain(counts)}
    hover = f"%{{y}} {counted} around %{{x:.2f}}"
    return {"type": "bar", "name": name_of(outcome), "marker": marker, "hovertemplate": hover, **bars}


def forest_of_models(models: Mapping[str, Any], paper: Mapping[str, float]) -> Figure:
    """The AUC of every model by patient, with its 95 % interval, beside the paper's claim.

    Args:
        models: `metrics.json`'s "models".
        paper: the paper's AUC of the models that it has one for.
    """
    found = [(model, levels["patient"]["auc"]) for model, levels in models.items()]
    rows = [(model, estimate) for model, estimate in found if estimate["value"] is not None][::-1]
    traces = [*(_estimate(model, estimate) for model, estimate in rows), *_paper_claims(rows, paper)]
    alt = "; ".join(f"{name_of(model)} {_interval_text(estimate)}" for model, estimate in rows)
    layout: dict[str, Any] = {
        "shapes": [upright(0.5, GREY, 1)],
        "height": 150 + 46 * len(rows),
        "showlegend": bool(paper),
        "xaxis": axis("AUC, 95 % interval", range=[-0.01, 1.01], tickformat=".1f", nticks=11, tickangle=0),
        "yaxis": axis("", type="category"),
    }
    return figure(traces, "AUC of every model", alt, **layout)


def _interval_text(estimate: Mapping[str, Any]) -> str:
    interval = estimate.get("ci95")
    return f"{estimate['value']:.2f}" + (f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else "")


def _estimate(model: str, estimate: Mapping[str, Any]) -> dict[str, Any]:
    value, colour = estimate["value"], colour_of(model)
    low, high = estimate.get("ci95") or (value, value)
    error = {
        "type": "data",
        "symmetric": False,
        "array": [high - value],
        "arrayminus": [value - low],
        "color": colour,
        "thickness": 2,
        "width": 6,
    }
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [value],
        "y": [name_of(model)],
        "error_x": error,
        "showlegend": False,
    }
    return trace | {
        "marker": {"color": colour, "size": 11, "symbol": "square"},
        "hovertemplate": _interval_text(estimate) + "<extra></extra>",
    }


def _paper_claims(rows: list[tuple[str, Any]], paper: Mapping[str, float]) -> list[dict[str, Any]]:
    claimed = [(name_of(model), paper[model]) for model, _ in rows if model in paper]
    if not claimed:
        return []
    names, values = (list(column) for column in zip(*claimed, strict=True))
    marker = {"symbol": "diamond-open", "size": 12, "color": INK, "line": {"width": 2}}
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": "Moreau et al.",
            "x": values,
            "y": names,
            "marker": marker,
        }
    ]
