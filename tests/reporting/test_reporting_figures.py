from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from report_samples import roc_curves

from gliocast.evidence.survival_curves import CURVE_COLUMNS, kaplan_meier
from gliocast.reporting import figures
from gliocast.reporting.figures import theme
from gliocast.types import Figure


def test_every_figure_is_valid_plotly(drawn: dict[str, Figure]) -> None:
    from plotly import graph_objects

    for shown in drawn.values():
        assert len(graph_objects.Figure(shown).data) == len(shown["data"])


def test_every_figure_is_strict_json_without_nan(drawn: dict[str, Figure]) -> None:
    for shown in drawn.values():
        assert json.loads(json.dumps(shown, allow_nan=False)) == shown


def test_every_figure_can_be_read_aloud(drawn: dict[str, Figure]) -> None:
    for name, shown in drawn.items():
        assert len(shown["layout"]["meta"]["alt"]) > 20, name


def test_figure_1_shows_this_cohort_and_the_paper(drawn: dict[str, Figure]) -> None:
    ours, paper = drawn["figure1_survival_by_surgery"]["data"]
    assert ours["y"] == [240.0, 410.0, 480.0]
    assert paper["y"] == [241.61, 404.32, 496.70]
    assert "analysis of variance p = 5.2e-07" in drawn["figure1_survival_by_surgery"]["layout"]["title"]["text"]


def test_confusion_matrix_counts_stand_where_they_belong() -> None:
    (heatmap,) = figures.confusion(tp=27, fp=2, fn=5, tn=36)["data"]
    assert heatmap["x"] == heatmap["y"] == ["Short-term", "Long-term"]
    assert [[cell.split("</b>")[0] for cell in row] for row in heatmap["text"]] == [
        ["<b>36", "<b>2"],
        ["<b>5", "<b>27"],
    ]


def test_kaplan_meier_band_follows_the_steps(drawn: dict[str, Figure]) -> None:
    shaded = drawn["kaplan_meier_by_surgery"]["data"][0]
    assert shaded["x"][:7] == [0.0, 100.0, 100.0, 300.0, 300.0, 700.0, 700.0]
    assert shaded["y"][:7] == [1.0, 1.0, 0.8, 0.8, 0.5, 0.5, 0.2]


def test_median_survival_is_the_first_time_at_or_below_one_half(drawn: dict[str, Figure]) -> None:
    alt = drawn["kaplan_meier_by_surgery"]["layout"]["meta"]["alt"]
    assert "Biopsy only median 300 days" in alt
    assert "Complete resection median 700 days" in alt


def test_kaplan_meier_tells_below_each_tick_and_in_words_how_many_patients_are_at_risk() -> None:
    curves = pd.concat([_curve("biopsy", [90.0, 210.0, 400.0]), _curve("complete", [400.0, 990.0])])
    layout = figures.kaplan_meier(curves)["layout"]
    numbers = [re.findall(r">(\d+)<", tick) for tick in layout["xaxis"]["ticktext"]]
    assert dict(zip(layout["xaxis"]["tickvals"], numbers, strict=True)) == {
        0: ["3", "2"],
        200: ["2", "2"],
        400: ["1", "2"],  # who dies on that day is at risk until it
        600: ["0", "1"],
        800: ["0", "1"],
    }
    assert "At risk on day 0, 200, 400, 600, 800: Biopsy only 3, 2, 1, 0, 0;" in layout["meta"]["alt"]


def _curve(group: str, days: list[float]) -> pd.DataFrame:
    return kaplan_meier(np.array(days), np.ones(len(days), dtype=bool), group)


def test_a_decision_curve_tells_in_words_what_each_model_is_worth_where_they_differ() -> None:
    curves = pd.DataFrame({"threshold": [0.05, 0.5, 0.75], "net_benefit": [0.49, 0.2, -0.04]})
    alt = figures.net_benefit(curves.assign(strategy="hybrid"))["layout"]["meta"]["alt"]
    assert alt == "Net benefit. Hybrid (MRI + clinical): 0.20 at 0.50, −0.04 at 0.75."


def test_a_model_without_an_interval_or_value_is_not_drawn_as_zero() -> None:
    models = {"clinical": {"patient": {"auc": {"value": None, "ci95": None, "reason": "one class only"}}}}
    assert figures.forest_of_models(models, {})["data"] == []


def test_image_panel_keeps_every_picture_and_caption(drawn: dict[str, Figure]) -> None:
    layout = drawn["figure2_examples"]["layout"]
    assert len(layout["images"]) == len(layout["annotations"]) == 5
    assert {picture["x"] for picture in layout["images"]} == {0.5, 1.5, 2.5, 3.5}


def test_the_caption_of_a_row_begins_at_its_first_picture_however_narrow() -> None:
    layout = figures.image_panel(["data:,"] * 9, ["long-term survivor, correct", *[""] * 8], columns=9)["layout"]
    (caption,) = layout["annotations"]
    assert (caption["xanchor"], caption["x"] < layout["images"][0]["x"]) == ("left", True)
    assert caption["y"] < layout["images"][0]["y"] - layout["images"][0]["sizey"]
    assert layout["height"] < 230


@pytest.mark.parametrize("background", [theme.PAPER, theme.DARK[theme.PAPER]])
def test_every_colour_stands_out_on_paper_and_on_a_dark_screen(background: str) -> None:
    shades = theme.PALETTE if background == theme.PAPER else [theme.DARK[colour] for colour in theme.PALETTE]
    for shade in shades:
        assert contrast(shade, background) >= 3.0, shade  # WCAG 2.2, 1.4.11


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_missing_values_become_null() -> None:
    assert theme.plain(pd.Series([1, None, 2.5])) == [1.0, None, 2.5]


@pytest.mark.parametrize(
    ("p_value", "text"), [(5.18e-7, "p = 5.2e-07"), (0.0141, "p = 0.014"), (0.0, "p < 1e-16"), (None, "")]
)
def test_p_values_are_printed_once_and_the_same(p_value: float | None, text: str) -> None:
    assert theme.p_text(p_value) == text


def test_a_learning_curve_is_drawn_on_the_whole_scale_so_that_a_thousandth_does_not_look_like_a_rise() -> None:
    points = pd.DataFrame({"series": ["hybrid"] * 2, "x": [35, 69], "y": [0.896, 0.897], "lower": 0.89, "upper": 0.9})
    low, high = figures.dots(points, "Learning curve", "Patients", "AUC")["layout"]["yaxis"]["range"]
    assert low <= 0 and high >= 1


@pytest.mark.parametrize(("most", "step"), [(3, 1), (10, 1), (11, None)])
def test_no_tick_of_a_histogram_stands_for_half_a_patient(most: int, step: int | None) -> None:
    patients = pd.DataFrame({"outcome": ["long_term"] * most, "probability": [0.9] * most})
    assert figures.probability_histogram(patients)["layout"]["yaxis"].get("dtick") == step


def test_patients_of_two_outcomes_in_one_bin_stand_beside_each_other_as_overlapping_colours_mix() -> None:
    patients = pd.DataFrame({"outcome": ["short_term", "long_term"], "probability": [0.9, 0.9]})
    shown = figures.probability_histogram(patients)
    assert shown["layout"]["barmode"] == "group"
    assert all("width" not in trace for trace in shown["data"])  # a width of their own would lay them on each other


def test_the_leaking_number_stands_just_below_the_honest_one_and_not_on_it(drawn: dict[str, Figure]) -> None:
    honest, claimed = drawn["leakage_gap"]["data"]
    assert [round(ours - theirs, 2) for ours, theirs in zip(honest["y"], claimed["y"], strict=True)] == [0.28, 0.28]


def test_a_model_has_the_same_line_in_every_figure() -> None:
    curves = pd.concat([roc_curves(), roc_curves().assign(model="cnn")])
    benefit = pd.DataFrame({"strategy": ["treat_all", "hybrid"], "threshold": 0.5, "net_benefit": 0.1})
    traces = [*figures.roc(curves)["data"], *figures.net_benefit(benefit)["data"]]
    assert {trace["line"]["dash"] for trace in traces if "Hybrid" in trace["name"]} == {"solid"}


def test_figures_of_nothing_are_empty_rather_than_broken() -> None:
    sides = [f"{side}{end}" for side in ("honest", "paper") for end in ("", "_lower", "_upper")]
    nothing = pd.DataFrame(columns=["metric", *sides])
    assert [trace["x"] for trace in figures.leakage_gap(nothing, "The gap")["data"]] == [[], []]
    assert figures.kaplan_meier(pd.DataFrame(columns=list(CURVE_COLUMNS)))["data"] == []
    assert figures.roc(pd.DataFrame(columns=["model", "false_positive_rate", "true_positive_rate"]))["data"]


@pytest.mark.parametrize(("auc", "corner"), [(0.7, (0.98, 0.04)), (0.4, (0, -0.2))])
def test_the_legend_of_a_curve_below_chance_lies_under_the_axes(auc: float, corner: tuple[float, float]) -> None:
    legend = figures.roc(roc_curves(), {"clinical": 0.75, "hybrid": auc})["layout"]["legend"]
    assert (legend["x"], legend["y"]) == corner


def test_a_histogram_holds_counts_and_no_patients_probability() -> None:
    patients = pd.DataFrame({"outcome": ["long_term"] * 3, "probability": [0.91234, 0.93, 0.0]})
    _, long_term = figures.probability_histogram(patients)["data"]
    counts = dict(zip(long_term["x"], long_term["y"], strict=True))
    assert (counts[0.925], counts[0.025], sum(counts.values())) == (2, 1, 3)
    assert "0.91234" not in str(long_term)


def test_the_bins_of_each_model_are_read_aloud_with_its_name() -> None:
    bins = pd.DataFrame({"predicted": [0.2, 0.8], "observed": [0.1, 0.9], "lower": 0.0, "upper": 1.0, "n": [10, 12]})
    curves = pd.concat([bins.assign(model="clinical"), bins.assign(model="cnn", n=[9, 13])])
    alt = figures.reliability(curves)["layout"]["meta"]["alt"]
    assert "Clinical only: predicted 0.20, observed 0.10 (10 patients); predicted 0.80" in alt
    assert "MRI only (CNN): predicted 0.20, observed 0.10 (9 patients); predicted 0.80" in alt


def test_the_loss_of_learning_curves_bears_a_name_that_holds_for_any_number_of_classes(
    drawn: dict[str, Figure],
) -> None:
    assert drawn["learning_curves"]["layout"]["yaxis"]["title"]["text"] == "Cross-entropy"
