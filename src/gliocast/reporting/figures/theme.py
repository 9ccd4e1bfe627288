"""One look for every figure: colour-blind safe, legible in print, in grey, and on a dark screen.

Colours follow Okabe and Ito (https://jfly.uni-koeln.de/color/), darkened where white paper would swallow them.
Each also has its own dash and marker, so that no figure depends on colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from gliocast.reporting import formatting
from gliocast.types import Figure

INK, MUTED, GRID, PAPER = "#1a1d21", "#5b6470", "#e3e6ea", "#ffffff"
BLUE, VERMILION, GREEN, PURPLE, OCHRE, GREY = "#0072b2", "#d55e00", "#00805d", "#a2478a", "#8f6400", "#767b82"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, OCHRE, GREY)
DASHES = ("solid", "dash", "dashdot", "longdash", "dot", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross")

# The same colours on a dark screen; the page swaps them in the browser.
DARK = {
    INK: "#eceef1",
    MUTED: "#aab3be",
    GRID: "#323942",
    PAPER: "#15181d",
    BLUE: "#5ab4ee",
    VERMILION: "#ff8d4d",
    GREEN: "#35c79f",
    PURPLE: "#e29ccb",
    OCHRE: "#e2b550",
    GREY: "#a3a9b2",
}

# What a thing is called on a plot, and its fixed colour: the same in every figure.
NAMES = {
    "majority": "Majority class",
    "surgery_rule": "Surgery rule",
    "clinical": "Clinical only",
    "cnn": "MRI only (CNN)",
    "image_features": "MRI only (features)",
    "hybrid": "Hybrid (MRI + clinical)",
    "clinical_pre_operative": "Clinical, pre-operative",
    "hybrid_pre_operative": "Hybrid, pre-operative",
    "short_term": "Short-term survivors",
    "long_term": "Long-term survivors",
    "called_short_term": "Called short-term",
    "called_long_term": "Called long-term",
    "biopsy": "Biopsy only",
    "incomplete": "Incomplete resection",
    "complete": "Complete resection",
    "treat_all": "Call everyone long-term",
    "treat_none": "Call no one long-term",
    "auc": "AUC",
    "roc_auc": "AUC",
    "cox": "Cox",
    "platt": "Platt",
    "age_years": "age",
    "age_band_years": "age band",
    "who_status": "WHO status",
    "scanner_field_t": "field strength (T)",
    "lda": "LDA",
    "svc": "SVC",
    "gaussian_nb": "gaussian naive Bayes",
    "k_neighbours": "nearest neighbours",
    "xgboost": "XGBoost",
}
COLOURS = {
    "majority": GREY,
    "surgery_rule": OCHRE,
    "clinical": BLUE,
    "cnn": GREEN,
    "image_features": GREEN,
    "hybrid": VERMILION,
    "clinical_pre_operative": PURPLE,
    "hybrid_pre_operative": INK,
    "short_term": VERMILION,
    "long_term": BLUE,
    "called_short_term": VERMILION,
    "called_long_term": BLUE,
    "biopsy": VERMILION,
    "incomplete": PURPLE,
    "complete": BLUE,
    "treat_all": OCHRE,
    "treat_none": GREY,
}

LINES = {"hybrid": "solid", "clinical": "dash", "cnn": "dashdot", "image_features": "dashdot", "surgery_rule": "dot"}

_AXIS: dict[str, Any] = {
    "showgrid": False,
    "zeroline": False,
    "linecolor": MUTED,
    "linewidth": 1,
    "showline": True,
    "ticks": "outside",
    "ticklen": 5,
    "tickcolor": MUTED,
    "tickfont": {"size": 12, "color": MUTED},
    "title": {"font": {"size": 13, "color": INK}, "standoff": 10},
    "automargin": True,
}
TEMPLATE: dict[str, Any] = {
    "layout": {
        "font": {"family": "Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif", "size": 13, "color": INK},
        "title": {"font": {"size": 15, "color": INK}, "x": 0, "xref": "paper", "xanchor": "left"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": list(PALETTE),
        "hoverlabel": {"font": {"size": 12}},
        "modebar": {"bgcolor": PAPER, "color": MUTED, "activecolor": INK},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        "margin": {"l": 56, "r": 16, "t": 56, "b": 48},
        "xaxis": _AXIS,
        "yaxis": _AXIS | {"showgrid": True, "gridcolor": GRID, "showline": False, "ticks": ""},
    }
}


def figure(traces: Sequence[dict[str, Any]], title: str, alt: str, is_square: bool = False, **layout: Any) -> Figure:
    """A Plotly figure as plain JSON, in the house's look.

    Args:
        traces: Plotly traces.
        title: what the figure shows; the page prints it as its caption instead.
        alt: the figure in words, for those who cannot see it.
        is_square: whether both axes mean the same, so that two such figures may stand side by side.
        **layout: further parts of Plotly's layout.
    """
    meta = {"title": title, "alt": alt, "is_square": is_square}
    own = {"title": {"text": title}, "meta": meta, "height": 400, "template": TEMPLATE}
    return {"data": list(traces), "layout": own | layout}


def unshown(title: str, reason: str) -> Figure:
    """In place of a figure, why there is none; the page prints the reason."""
    return {"data": [], "layout": {"title": {"text": title}, "meta": {"reason": reason}}}


def axis(title: str, **settings: Any) -> dict[str, Any]:
    """An axis with its title (and unit)."""
    return {"title": {"text": title}, **settings}


def fraction_axis(title: str) -> dict[str, Any]:
    """An axis from 0 to 1, printed with one decimal."""
    return axis(title, range=[-0.01, 1.01], dtick=0.2, tickformat=".1f")


def name_of(key: object) -> str:
    """The printed name of a model, outcome or group; an unknown key is made readable."""
    return NAMES.get(str(key), str(key).replace("_", " "))


def colour_of(key: object, position: int = 0) -> str:
    """The fixed colour of a model, outcome or group; else the next colour of the palette."""
    return COLOURS.get(str(key), PALETTE[position % len(PALETTE)])


def dash_of(key: object, position: int = 0) -> str:
    """The fixed kind of line of a model; else the next one."""
    return LINES.get(str(key), DASHES[position % len(DASHES)])


def translucent(colour: str, opacity: float = 0.16) -> str:
    """`#rrggbb` as `rgba(…)`, for bands."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def plain(values: Iterable[Any]) -> list[Any]:
    """Values as plain Python for JSON; anything missing becomes null."""
    return [None if pd.isna(value) else getattr(value, "item", lambda value=value: value)() for value in values]


def groups(table: pd.DataFrame, column: str) -> list[tuple[int, str, pd.DataFrame]]:
    """Position, name and rows of each group, in order of appearance."""
    return [(place, str(key), rows) for place, (key, rows) in enumerate(table.groupby(column, sort=False))]


def diagonal(name: str) -> dict[str, Any]:
    """The dotted line from (0, 0) to (1, 1)."""
    line = {"color": GREY, "dash": "dot", "width": 1.2}
    return {
        "type": "scatter",
        "x": [0, 1],
        "y": [0, 1],
        "mode": "lines",
        "name": name,
        "line": line,
        "hoverinfo": "skip",
    }


def band(x: Sequence[Any], lower: Sequence[Any], upper: Sequence[Any], colour: str, **trace: Any) -> dict[str, Any]:
    """A translucent band between `lower` and `upper`."""
    outline = {
        "x": [*x, *reversed(x)],
        "y": [*upper, *reversed(lower)],
        "fill": "toself",
        "fillcolor": translucent(colour),
    }
    quiet = {"mode": "lines", "line": {"width": 0, "color": colour}, "hoverinfo": "skip", "showlegend": False}
    return {"type": "scatter", **outline, **quiet, **trace}


def marked_line(place: int, name: str, rows: pd.DataFrame, x: str, y: str, thickness: float) -> dict[str, Any]:
    """A line through the points of one series, with the interval of each."""
    colour = colour_of(name, place)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name_of(name),
        "marker": {"color": colour, "size": 8, "symbol": SYMBOLS[place % len(SYMBOLS)]},
        "line": {"color": colour},
        "x": plain(rows[x]),
        "y": plain(rows[y]),
        "error_y": whiskers(rows, y, thickness),
    }


def whiskers(rows: pd.DataFrame, value: str, thickness: float, prefix: str = "") -> dict[str, Any]:
    """Plotly's error bars of the column `value`, from `<prefix>lower` to `<prefix>upper`."""
    above, below = rows[f"{prefix}upper"] - rows[value], rows[value] - rows[f"{prefix}lower"]
    limits = {"array": plain(above), "arrayminus": plain(below)}
    return {"type": "data", "symmetric": False, **limits, "thickness": thickness}


def upright(x: float, colour: str, width: float) -> dict[str, Any]:
    """A dotted line across the whole height at `x`."""
    line = {"color": colour, "dash": "dot", "width": width}
    return {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def p_text(p_value: float | None) -> str:
    """`p = 0.014`, `p = 5.2e-07`, `p < 1e-16`; nothing where there is none."""
    text = formatting.p_value(p_value)
    return "" if text == formatting.MISSING else f"p {text}" if text.startswith("<") else f"p = {text}"
