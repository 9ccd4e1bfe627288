"""The study in pictures: how it went, what mattered, and where the good points lie."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from gliocast.tuning.optuna_types import Study
from gliocast.tuning.parameters import Measure
from gliocast.types import Figure

FIGURES: tuple[str, ...] = ("tuning_history", "tuning_importance", "tuning_slice", "tuning_parallel")
TITLES = {
    "tuning_history": "Value of each trial",
    "tuning_importance": "What mattered: share of each hyperparameter (PED-ANOVA)",
    "tuning_slice": "Value over each hyperparameter",
    "tuning_parallel": "Trials as lines through their hyperparameters",
}
EXPONENT = re.compile(r"^(?:1|([\d.]+))e-0?(\d+)$")  # 1e-06, and 1.7e-07, as Optuna writes them
LEAST_TRIALS = {"tuning_history": 1, "tuning_importance": 4, "tuning_slice": 2, "tuning_parallel": 2}
MEASURES: dict[Measure, str] = {"log_loss": "Patient-level log-loss", "auc": "Patient-level AUC"}


def study_figures(study: Study, measure: Measure) -> dict[str, Figure]:
    """The figures by name; one that needs more trials than there are says so in its place."""
    from optuna.trial import TrialState

    complete = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    return {name: study_figure(name, study, measure, complete) for name in FIGURES}


def study_figure(name: str, study: Study, measure: Measure, complete: int) -> Figure:
    """One figure of the study, of which `complete` trials came to their end."""
    if complete < LEAST_TRIALS[name]:
        return empty_figure(name, f"{complete} complete trials; this figure needs {LEAST_TRIALS[name]}")
    figure = _plot(name)(study, target_name=MEASURES[measure])
    return titled(name, in_powers_of_ten(json.loads(figure.to_json())))


def reasoned_figures(reason: str) -> dict[str, Figure]:
    """In place of each figure, why there is none."""
    return {name: empty_figure(name, reason) for name in FIGURES}


def empty_figure(name: str, reason: str) -> Figure:
    """A figure that shows nothing but why."""
    note = {"text": reason, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    hidden = {"visible": False}
    return titled(name, {"data": [], "layout": {"annotations": [note], "xaxis": hidden, "yaxis": hidden}})


def titled(name: str, figure: Figure) -> Figure:
    """The figure with our title, and without a template that would be stored again in each."""
    layout = {**figure["layout"], "title": {"text": TITLES[name]}}
    layout.pop("template", None)
    return {"data": figure["data"], "layout": layout}


def in_powers_of_ten(figure: Figure) -> Figure:
    """The figure with powers of ten where Plotly would write 1µ on an axis, and Optuna 1e-06 beside a line."""
    layout = figure["layout"]
    axes = {name: part | {"exponentformat": "power"} for name, part in layout.items() if name[1:].startswith("axis")}
    notes = [note | {"text": as_power(note["text"])} for note in layout.get("annotations", [])]
    return {"data": figure["data"], "layout": {**layout, **axes, **({"annotations": notes} if notes else {})}}


def as_power(text: str) -> str:
    """`1e-06` as 10 to the power of −6, in Plotly's markup; any other text as it is."""
    return EXPONENT.sub(lambda found: f"{found[1] + '·' if found[1] else ''}10<sup>−{found[2]}</sup>", text)


def of_first_split(figure: Figure, split: str, splits: int) -> Figure:
    """The figure of the first of several splits, whose title says so."""
    layout = figure["layout"]
    title = f"{layout['title']['text']}; split {split}, the first of {splits}"
    return {**figure, "layout": {**layout, "title": {"text": title}, "meta": {"title": title}}}


def _plot(name: str) -> Callable[..., Any]:
    from optuna import visualization

    plots: dict[str, Callable[..., Any]] = {
        "tuning_history": visualization.plot_optimization_history,
        "tuning_importance": visualization.plot_param_importances,
        "tuning_slice": visualization.plot_slice,
        "tuning_parallel": visualization.plot_parallel_coordinate,
    }
    return plots[name]
