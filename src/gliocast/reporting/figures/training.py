"""Figures of how models came to be: learning curves, tuning, importances, and example slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from gliocast.reporting.figures.theme import (
    BLUE,
    VERMILION,
    axis,
    figure,
    fraction_axis,
    groups,
    marked_line,
    name_of,
    plain,
    translucent,
)
from gliocast.types import Figure

_SERIES = {
    "train_loss": ("Patients fitted on", BLUE, "solid"),
    "stop_loss": ("Patients that stop training", VERMILION, "dash"),
}

PANEL_PX = 900  # the width of a page's figures
PICTURE_SHARE = 0.78  # of a column's width
CAPTION_PX = 55


def learning_curves(curves: pd.DataFrame) -> Figure:
    """Loss by epoch, each fold as a thin line and their mean as a thick one.

    Args:
        curves: `split`, `fold`, `epoch`, `train_loss`, `stop_loss`.
    """
    title, traces = "Learning curves of the CNN", [one for column in _SERIES for one in _loss_curves(curves, column)]
    last = curves.groupby("epoch")[[*_SERIES]].mean().iloc[-1]
    alt = "; ".join(
        f"{_SERIES[str(column)][0]}: mean loss {value:.3f} at the last epoch" for column, value in last.items()
    )
    return figure(traces, title, alt, xaxis=axis("Epoch"), yaxis=axis("Cross-entropy", rangemode="tozero"))


def _loss_curves(curves: pd.DataFrame, column: str) -> list[dict[str, Any]]:
    name, colour, dash = _SERIES[column]
    folds = curves.groupby(["split", "fold"])
    thin = [_line(fold, column, {"color": translucent(colour, 0.3), "width": 1}) for _, fold in folds]
    mean = curves.groupby("epoch")[[column]].mean().reset_index()
    thick = _line(mean, column, {"color": colour, "width": 2.5, "dash": dash})
    return [*thin, thick | {"mode": "lines+markers", "marker": {"size": 4}, "name": name, "showlegend": True}]


def _line(rows: pd.DataFrame, column: str, line: dict[str, Any]) -> dict[str, Any]:
    points = {"x": plain(rows["epoch"]), "y": plain(rows[column])}
    return {"type": "scatter", "mode": "lines", "line": line, "showlegend": False, "hoverinfo": "skip", **points}


def bar(importances: pd.DataFrame, title: str, unit: str) -> Figure:
    """Importances as horizontal bars, the largest on top.

    Args:
        importances: `name`, `importance`.
        title: of what.
        unit: the axis title.
    """
    ascending = importances.sort_values("importance", kind="stable")
    marker = {"color": translucent(BLUE, 0.55), "line": {"color": BLUE, "width": 1.2}}
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": plain(ascending["importance"]),
        "y": [name_of(name) for name in ascending["name"]],
        "marker": marker,
    }
    said = (f"{name_of(row.name)} {row.importance:.3g}" for row in ascending[::-1].itertuples(index=False))
    alt = f"{unit}: {'; '.join(said)}"
    height = 130 + 30 * len(ascending)
    return figure(
        [bars],
        title,
        alt,
        xaxis=axis(unit),
        yaxis=axis("", showgrid=False),
        height=height,
        bargap=0.35,
    )


def dots(points: pd.DataFrame, title: str, x: str, y: str) -> Figure:
    """Fractions of one or more series, joined by lines, with intervals; drawn on the scale from 0 to 1.

    Args:
        points: `series`, `x`, `y` (0 to 1), `lower`, `upper`.
        title: of the figure.
        x: title of the horizontal axis.
        y: title of the vertical axis.
    """
    traces = [marked_line(place, name, rows, "x", "y", 1.2) for place, name, rows in groups(points, "series")]
    alt = "; ".join(
        f"{name_of(name)}: {rows['y'].iloc[0]:.3g} to {rows['y'].iloc[-1]:.3g}"
        for _, name, rows in groups(points, "series")
    )
    return figure(traces, title, alt, xaxis=axis(x), yaxis=fraction_axis(y))


def image_panel(
    images: Sequence[str], captions: Sequence[str], title: str = "Example predictions", columns: int = 4
) -> Figure:
    """Slices in a grid, each with its caption (Moreau et al., Figure 2).

    Args:
        images: pictures as data URIs (`data:image/png;base64,…`), square.
        captions: one a picture, at most two short lines (`<br>` between them).
        title: of the figure.
        columns: pictures in a row.
    """
    rows = -(-len(images) // columns)
    picture_px = round(PICTURE_SHARE * PANEL_PX / columns)
    row_px = picture_px + CAPTION_PX
    places = [(place % columns, rows - 1 - place // columns) for place in range(len(images))]
    pictures = [_picture(image, *place, picture_px / row_px) for image, place in zip(images, places, strict=True)]
    top = CAPTION_PX * 0.8 / row_px
    notes = [_note(caption, *place, top) for caption, place in zip(captions, places, strict=True) if caption]
    hidden = {"visible": False, "fixedrange": True}
    axes: dict[str, Any] = {"xaxis": hidden | {"range": [0, columns]}, "yaxis": hidden | {"range": [-0.3, rows]}}
    corners = {
        "type": "scatter",
        "x": [0, columns],
        "y": [0, rows],
        "mode": "markers",
        "marker": {"opacity": 0},
        "hoverinfo": "skip",
    }
    alt = f"{len(images)} slices: " + "; ".join(caption.replace("<br>", ", ") for caption in captions if caption)
    margin = {"l": 4, "r": 4, "t": 44, "b": 4}
    return figure(
        [corners], title, alt, images=pictures, annotations=notes, height=60 + row_px * rows, margin=margin, **axes
    )


def _picture(image: str, column: int, row: int, height: float) -> dict[str, Any]:
    place = {"xref": "x", "yref": "y", "x": column + 0.5, "y": row + 0.98, "xanchor": "center", "yanchor": "top"}
    return place | {"source": image, "sizex": 0.94, "sizey": height, "sizing": "contain", "layer": "above"}


def _note(caption: str, column: int, row: int, top: float) -> dict[str, Any]:
    place = {"xref": "x", "yref": "y", "x": column + 0.03, "y": row + top, "xanchor": "left", "yanchor": "top"}
    return place | {"text": caption, "align": "left", "showarrow": False, "font": {"size": 11}}
