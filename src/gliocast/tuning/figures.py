"""The study in pictures: how it went, what mattered, and where the good points lie."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
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
SHADE = re.compile(r"rgb\(([\d., ]+)\)")
WORST, BEST, WHITEST = (176, 137, 80), (0, 104, 190), 247  # the ends of our scale; the red where Optuna's begins
EXPONENT = re.compile(r"^(?:1|([\d.]+))e-0?(\d+)$")  # 1e-06, and 1.7e-07, as Optuna writes them
FEW_TRIALS = 10
LEAST_TRIALS = {"tuning_history": 1, "tuning_importance": 4, "tuning_slice": 2, "tuning_parallel": 2}
MEASURES: dict[Measure, str] = {"log_loss": "Patient-level log-loss", "auc": "Patient-level AUC"}


def study_figures(study: Study, measure: Measure) -> dict[str, Figure]:
    """The figures by name; one that the trials are too few or too alike for says so in its place."""
    from optuna.trial import TrialState

    values = [trial.value for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))]
    return {name: study_figure(name, study, measure, values) for name in FIGURES}


def study_figure(name: str, study: Study, measure: Measure, values: Sequence[float | None]) -> Figure:
    """One figure of the study, whose complete trials have these `values`."""
    if len(values) < LEAST_TRIALS[name]:
        return empty_figure(name, f"{_complete(len(values))}; this figure needs {LEAST_TRIALS[name]}")
    if name == "tuning_importance" and len(set(values)) == 1:
        return empty_figure(name, "all trials have the same value")
    drawn = _plot(name)(study, target_name=MEASURES[measure]).to_json()
    figure = json.loads(SHADE.sub(seen_everywhere, with_words(drawn, study.best_params)))
    figure["layout"]["meta"] = {"alt": _shares(figure) if name == "tuning_importance" else _trials(study, measure)}
    return titled(name, in_whole_trials(in_powers_of_ten(in_steps(on_a_telephone(figure))), len(study.trials)))


def _shares(figure: Figure) -> str:
    """The importances in words, the greatest first."""
    bars = zip(figure["data"][0]["y"], figure["data"][0]["x"], strict=True)
    return "; ".join(f"{name}: {share:.2f}" for name, share in sorted(bars, key=lambda bar: -bar[1]))


def _trials(study: Study, measure: Measure) -> str:
    """How far the complete trials spread, and the best one, in words."""
    values = [trial.value for trial in study.trials if trial.state.name == "COMPLETE" and trial.value is not None]
    best = ", ".join(f"{as_words(name)} {value:.3g}" for name, value in study.best_params.items())
    spread = f"{MEASURES[measure]} of {_complete(len(values))}: {min(values):.3f} to {max(values):.3f}"
    return f"{spread}; the best is trial {study.best_trial.number}, with {best}"


def _complete(trials: int) -> str:
    return f"{trials} complete trial{'s' if trials != 1 else ''}"


def reasoned_figures(reason: str) -> dict[str, Figure]:
    """In place of each figure, why there is none; the page says it once, beside the hyperparameters."""
    return {name: empty_figure(name, reason, told_once=True) for name in FIGURES}


def empty_figure(name: str, reason: str, told_once: bool = False) -> Figure:
    """A figure that shows nothing but why; the page says it in its place, unless it is told once for all."""
    note = {"text": reason, "showarrow": False, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5}
    hidden = {"visible": False}
    meta = {} if told_once else {"reason": reason}
    layout = {"annotations": [note], "xaxis": hidden, "yaxis": hidden, "meta": meta}
    return titled(name, {"data": [], "layout": layout})


def titled(name: str, figure: Figure) -> Figure:
    """The figure with our title, without a template that would be stored again in each, and without a white ground."""
    layout = {**figure["layout"], "title": {"text": TITLES[name]}}
    for part in ("template", "plot_bgcolor"):
        layout.pop(part, None)
    return {"data": figure["data"], "layout": layout}


def with_words(drawn: str, hyperparameters: Iterable[str]) -> str:
    """A figure's JSON with `Learning rate` where Optuna writes `learning_rate`, and our name for its `Best Value`."""
    for name in hyperparameters:
        drawn = drawn.replace(f'"{name}"', f'"{as_words(name).capitalize()}"')
    return drawn.replace('"Best Value"', '"Best so far"')


def as_words(name: str) -> str:
    """`learning rate` for `learning_rate`."""
    return name.replace("_", " ")


def seen_everywhere(shade: re.Match[str]) -> str:
    """A shade of Optuna's blues, from white to nearly black, as one from ochre to blue: 3 to 1 on white and on dark."""
    share = (WHITEST - float(shade[1].split(",")[0])) / WHITEST
    mixed = (worst + share * (best - worst) for worst, best in zip(WORST, BEST, strict=True))
    return f"rgb({','.join(f'{part:.0f}' for part in mixed)})"


def on_a_telephone(figure: Figure) -> Figure:
    """The figure without a bar of shades that no mark bears, and with narrow names of axes: the lines need the room.

    They begin at the values that the bar would tell.
    """
    marks = [trace for trace in figure["data"] if any(place is not None for place in trace["x"])]
    layout = figure["layout"]
    names = [name.replace(" ", "<br>") for name in layout.get("xaxis", {}).get("ticktext", [])]
    axis = {"xaxis": layout["xaxis"] | {"ticktext": names}} if names else {}
    return {"data": marks, "layout": layout | axis}


def in_steps(figure: Figure) -> Figure:
    """The figure with the best value so far as steps: it changes with a trial, and not on the way to it."""
    for trace in figure["data"]:
        if trace.get("name") == "Best so far":
            trace["line"] = trace.get("line", {}) | {"shape": "hv"}
    return figure


def in_whole_trials(figure: Figure, trials: int) -> Figure:
    """The figure without a mark between two trials, where they are so few that Plotly would set some."""
    if trials > FEW_TRIALS:
        return figure
    layout, data = figure["layout"], figure["data"]
    if layout.get("xaxis", {}).get("title") == {"text": "Trial"}:
        layout = layout | {"xaxis": layout["xaxis"] | {"dtick": 1}}
    for trace in data:
        if "colorbar" in trace.get("marker", {}) and trace["marker"]["colorbar"]["title"] == {"text": "Trial"}:
            trace["marker"]["colorbar"]["dtick"] = 1
    return {"data": data, "layout": layout}


def in_powers_of_ten(figure: Figure) -> Figure:
    """The figure with powers of ten where Plotly would write 1µ on an axis, and Optuna 1e-06 beside a line."""
    layout = figure["layout"]
    axes = {name: part | {"exponentformat": "power"} for name, part in layout.items() if name[1:].startswith("axis")}
    for trace in figure["data"]:
        name = trace.get("xaxis", "x").replace("x", "xaxis")
        if axes.get(name, {}).get("type") == "log" and powers_within(trace["x"]) > 1:
            axes[name]["dtick"] = 1  # the marks between them would overlap
    # A size alone: Optuna's grey would not be swapped on a dark screen, as the colours of the theme are.
    own = {"font": {"size": 10}}
    notes = [note | own | {"text": as_power(note["text"])} for note in layout.get("annotations", [])]
    return {"data": figure["data"], "layout": {**layout, **axes, **({"annotations": notes} if notes else {})}}


def powers_within(values: Sequence[float]) -> int:
    """Powers of ten from the least to the greatest of positive values."""
    return math.floor(math.log10(max(values))) - math.ceil(math.log10(min(values))) + 1


def as_power(text: str) -> str:
    """`1e-06` as 10 to the power of −6, in Plotly's markup; any other text as it is."""
    return EXPONENT.sub(lambda found: f"{found[1] + '·' if found[1] else ''}10<sup>−{found[2]}</sup>", text)


def of_first_split(figure: Figure, split: str, splits: int) -> Figure:
    """The figure of the first of several splits, whose title says so."""
    layout = figure["layout"]
    title = f"{layout['title']['text']}; split {split}, the first of {splits}"
    meta = layout.get("meta", {}) | {"title": title}
    return {**figure, "layout": {**layout, "title": {"text": title}, "meta": meta}}


def _plot(name: str) -> Callable[..., Any]:
    from optuna import visualization

    plots: dict[str, Callable[..., Any]] = {
        "tuning_history": visualization.plot_optimization_history,
        "tuning_importance": visualization.plot_param_importances,
        "tuning_slice": visualization.plot_slice,
        "tuning_parallel": visualization.plot_parallel_coordinate,
    }
    return plots[name]
