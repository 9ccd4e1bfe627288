"""The report: one HTML page that holds everything it shows, opens anywhere, and asks nothing of any network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from gliocast import __version__
from gliocast.reporting import prose
from gliocast.reporting.blocks import Gallery
from gliocast.reporting.figures.theme import DARK
from gliocast.reporting.sections import Report, sections


def build_report(
    metrics: Mapping[str, Any],
    patient_flow: Mapping[str, Any] | list[Any],
    provenance: Mapping[str, Any],
    exhibits: Mapping[str, Any],
    paper: Mapping[str, Any],
) -> str:
    """The whole page as HTML.

    Args:
        metrics: `metrics.json`.
        patient_flow: who was left out, at which stage, and why.
        provenance: versions, parameters, fingerprints; `simulated` says whether the cohort is.
        exhibits: tables, figures and results by their names in the catalog; what is absent is not shown.
        paper: the paper's reported numbers (`params:paper`).
    """
    from jinja2 import Environment
    from plotly.offline import get_plotlyjs

    gallery = Gallery(exhibits)
    page = {
        "sections": sections(Report(metrics, patient_flow, provenance, paper, gallery)),
        **_title(metrics),
        "banners": _banners(metrics, provenance),
        "is_leaking": bool(metrics["protocol"]["n_test_patients_seen_in_training"]),
        "version": __version__,
        "citation": paper.get("citation", ""),
    }
    room = files("gliocast.reporting")
    template = Environment(autoescape=True).from_string(room.joinpath("page.html").read_text(encoding="utf-8"))
    css = Markup(room.joinpath("page.css").read_text(encoding="utf-8"))  # noqa: S704  our own file
    return template.render(
        page=page,
        css=css,
        plotly=Markup(get_plotlyjs()),  # noqa: S704  the library itself
        figures=script(gallery.figures),
        dark=script(DARK),
    )


def script(value: Any) -> Markup:
    """A value as JSON that can stand inside a script element."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028"))  # noqa: S704  no tag can be closed


def _title(metrics: Mapping[str, Any]) -> dict[str, str]:
    subtitle = prose.SUBTITLE.format(days=metrics["cohort"]["survival_threshold_days"])
    return {"title": "Predicting survival in glioblastoma", "subtitle": subtitle}


def _banners(metrics: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[dict[str, str]]:
    wanted = [prose.SIMULATED] if provenance.get("simulated") else []
    seen = metrics["protocol"]["n_test_patients_seen_in_training"]
    wanted += [prose.LEAKING if seen else prose.UNSEEN] if metrics["protocol"]["name"] == "paper" else []
    return [{"headline": headline, "text": text} for headline, text in wanted]
