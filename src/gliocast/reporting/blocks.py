"""The bricks of the page: a figure, a table, a paragraph, a list of verdicts, the patient flow. All text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from markupsafe import Markup

from gliocast.reporting import tables
from gliocast.reporting.exhibits import Exhibit
from gliocast.reporting.figures.theme import TEMPLATE

UNTOLD = ("study_name", "repairs")  # of the search for hyperparameters: for whoever keeps it, not for a reader


@dataclass
class Gallery:
    """Draws exhibits and numbers them in the order in which they are drawn."""

    exhibits: Mapping[str, Any]
    figures: dict[str, Any] = field(default_factory=dict)
    tables_shown: int = 0

    def show(self, exhibit: Exhibit) -> list[Markup]:
        """The exhibit with its caption, or why it has nothing to show; nothing where its pipeline has not run."""
        content = self.exhibits.get(exhibit.name)
        if isinstance(content, Mapping) and "splits" in content:
            content = by_split(content["splits"])
        if isinstance(content, pd.DataFrame):
            return [] if content.empty else [self.frame(exhibit, content)]
        if isinstance(content, Mapping) and content.get("data"):
            return [self.figure(exhibit, content)]
        if isinstance(content, Mapping) and (reason := content.get("layout", {}).get("meta", {}).get("reason")):
            return [unshown(exhibit.title, reason)]
        if isinstance(content, Mapping) and content and not {"data", "skipped"} & set(content):
            told = {name: fact for name, fact in content.items() if name not in UNTOLD}
            return [self.table(tables.facts_html(told), exhibit.title, exhibit.caption)]
        return []

    def figure(self, exhibit: Exhibit, content: Mapping[str, Any]) -> Markup:
        """A Plotly figure with its number, caption, and its content in words."""
        layout = {**content["layout"]}
        meta, _ = layout.get("meta", {}), layout.pop("title", None)
        look = {"template": TEMPLATE, "margin": {"t": 36} | layout.get("margin", {})}
        self.figures[exhibit.name] = {
            "data": content["data"],
            "layout": layout | look,
        }
        return Markup(
            '<figure{}><div class="plot" data-figure="{}" role="img" aria-label="{}"></div>'
            "<figcaption><b>Figure {}. {}.</b> {}{}</figcaption></figure>"
        ).format(
            Markup(' class="half"') if meta.get("is_square") else "",
            exhibit.name,
            meta.get("alt", exhibit.title),
            len(self.figures),
            meta.get("title", exhibit.title).rstrip("."),
            exhibit.caption,
            folded("In words", meta["alt"]) if meta.get("alt") else "",
        )

    def frame(self, exhibit: Exhibit, content: pd.DataFrame) -> Markup:
        """A data frame as a table; the watermark that its rows bear is said once, in the caption."""
        marks = content["watermark"].unique() if "watermark" in content else ()
        shown = tables.table_of(content.drop(columns="watermark", errors="ignore"), exhibit.title)
        return self.table(shown, exhibit.title, " ".join([*filter(None, [exhibit.caption]), *marks]))

    def table(self, content: Markup, title: str, caption: str = "") -> Markup:
        """A table with its number and caption."""
        self.tables_shown += 1
        return Markup('<p class="caption"><b>Table {}. {}.</b> {}</p>{}').format(
            self.tables_shown, title.rstrip("."), caption, content
        )


def by_split(found: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """What was found in each split, one row a split."""
    table = pd.DataFrame([{"split": split} | {**facts} for split, facts in found.items()])
    return table.drop(columns=["source", *UNTOLD], errors="ignore")


def paragraph(text: str) -> Markup:
    """A paragraph of plain text."""
    return Markup("<p>{}</p>").format(text)


def folded(title: str, content: str) -> Markup:
    """Details that are opened on demand."""
    return Markup("<details><summary>{}</summary>{}</details>").format(title, content)


def bullets(sentences: Iterable[str]) -> Markup:
    """Sentences as a list."""
    return Markup("<ul>{}</ul>").format(
        Markup("").join(Markup("<li>{}</li>").format(sentence) for sentence in sentences)
    )


def unshown(title: str, reason: str) -> Markup:
    """Says why an exhibit is not here."""
    return Markup('<p class="absent">{}: not shown; {}.</p>').format(title, reason.rstrip("."))


def absent(command: str, what: str) -> Markup:
    """Says which pipeline adds what is not here."""
    return Markup('<p class="absent">Not in this run. <code>kedro run --pipeline {}</code> adds {}.</p>').format(
        command, what
    )


def big_numbers(numbers: Iterable[tuple[str, str, str]]) -> Markup:
    """Name, value and small print, large."""
    form = Markup("<div><dt>{}</dt><dd>{}<small>{}</small></dd></div>")
    return Markup('<dl class="numbers">{}</dl>').format(Markup("").join(form.format(*number) for number in numbers))


def verdicts(sentences: Iterable[tuple[str, str]]) -> Markup:
    """Each verdict with the numbers behind it."""
    form = Markup("<li>{}<small>{}</small></li>")
    return Markup('<ul class="verdicts">{}</ul>').format(
        Markup("").join(form.format(*sentence) for sentence in sentences)
    )


def flow_diagram(stages: Iterable[Mapping[str, Any]]) -> Markup:
    """The patient flow: each stage with its number of patients, and beside it who left, and why."""
    return Markup('<ol class="flow">{}</ol>').format(Markup("").join(map(_flow_stage, stages)))


def _flow_stage(stage: Mapping[str, Any]) -> Markup:
    left = Markup("").join(Markup("<li>{} × {}</li>").format(group["n"], group["reason"]) for group in stage["left"])
    beside = Markup('<div class="out"><ul>{}</ul></div>').format(left) if left else Markup("")
    return Markup('<li><div class="stage"><b>{}</b>{}</div>{}</li>').format(stage["n"], stage["name"], beside)
