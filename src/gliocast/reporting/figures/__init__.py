"""Every figure of the report: pure functions from small tables to Plotly figures as plain JSON."""

from gliocast.reporting.figures.discrimination import confusion, forest_of_models, probability_histogram, roc
from gliocast.reporting.figures.survival import kaplan_meier, survival_by_surgery
from gliocast.reporting.figures.theme import unshown
from gliocast.reporting.figures.training import bar, dots, image_panel, learning_curves
from gliocast.reporting.figures.trust import audit, leakage_gap, net_benefit, reliability

__all__ = [
    "audit",
    "bar",
    "confusion",
    "dots",
    "forest_of_models",
    "image_panel",
    "kaplan_meier",
    "leakage_gap",
    "learning_curves",
    "net_benefit",
    "probability_histogram",
    "reliability",
    "roc",
    "survival_by_surgery",
    "unshown",
]
