"""Tables of the report: from small data frames and results to HTML, every text escaped, every number formatted once."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pandas as pd
from markupsafe import Markup

from gliocast.evidence.metrics import CELLS
from gliocast.reporting import formatting
from gliocast.reporting.figures.theme import NAMES, name_of, plain
from gliocast.reporting.paper import paper_performance

RESULT_HEADERS = ("Model", "Level", "n", "AUC", "Accuracy", "Sensitivity", "Specificity", "TP", "FP", "FN", "TN")
FRAME = Markup(
    '<div class="table{}" role="region" tabindex="0" aria-label="{}">'
    "<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
)
WIDE = 115  # characters beside each other from which on a table is wider than a desk
LONG = 24  # rows from which on a table scrolls on a screen
SENTENCE = 40  # characters from which on a text is no word
PAPER_NAME = "Moreau et al."
CLAIMS = {"surgery_rule": ("table2", "patient, all 175"), "cnn": ("table3", "slice"), "hybrid": ("table4", "patient")}
REPEATED = "repeated"  # a patient was tested in several splits
HEADERS = {
    "auc": "AUC",
    "n": "n",
    "n_honest": "n, honest",
    "n_paper": "n, paper",
    "p": "p",
    "ci95": "95 % interval",
    "mcc": "MCC",
    "ppv": "PPV",
    "ece": "ECE",
    "brier": "Brier score",
    "pr_auc": "PR AUC",
    "npv": "NPV",
    "df": "df",
    "f1": "F1",
    "auc_lost": "AUC lost",
    "auc_lost_sd": "SD of AUC lost",
    "auc_sd": "SD of AUC",
    "accuracy_sd": "SD of accuracy",
    "inner_sd": "Inner SD",
    "sd": "SD",
    "harrell_c": "Harrell's C",
    "uno_c": "Uno's C",
    "integrated_brier": "Integrated Brier score",
    "epochs": "Epochs of all trials",
    "n_long_term": "Long-term",
    "n_complete": "Complete trials",
    "n_pruned": "Pruned trials",
    "n_failed": "Failed trials",
    "n_cut_off": "Trials cut off",
}
SCORES = r"(.*_)?(auc|accuracy|sd|mean|lowest|highest|lost|score)"  # columns of fractions to be read downwards
DIFFERENCES = ("difference", "delta", "auc_lost")  # columns that are printed with their sign


@dataclass(frozen=True)
class Row:
    """One row of text; a row that holds the paper's numbers is set apart."""

    cells: tuple[str, ...]
    is_paper: bool = False
    repeats: bool = False  # the first cell says what the row above said: kept for screen readers, hidden from sight


def html_table(headers: Sequence[str], rows: Iterable[Row], numeric: Sequence[bool], label: str) -> Markup:
    """A table that a screen reader can announce, a phone can scroll, and a printer can break between rows."""
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_aligned(right), name)
        for name, right in zip(headers, numeric, strict=True)
    )
    rows = list(rows)
    stacked = _width(headers, rows, numeric) > WIDE
    body = Markup("").join(_html_row(row, numeric, stacked) for row in rows)
    return FRAME.format(Markup(" long") if len(rows) > LONG else "", label, head, body)


def _width(headers: Sequence[str], rows: Sequence[Row], numeric: Sequence[bool]) -> float:
    """Characters that a table needs side by side: numbers with their intervals, else the longest word of a column."""
    width = 0.0
    for heading, right, *cells in zip(headers, numeric, *(row.cells for row in rows), strict=True):
        words = [*heading.split(), *(cells if right else " ".join(cells).split())]
        width += max(map(len, words)) + 1.5  # and the distance to the next column
    return width


def _html_row(row: Row, numeric: Sequence[bool], stacked: bool) -> Markup:
    first, *others = row.cells
    paper = Markup(' class="paper"') if row.is_paper else Markup("")
    heading = Markup('<span class="unseen">{}</span>').format(first) if row.repeats else first
    cells = (
        Markup("<td{}>{}</td>").format(_aligned(right, text), _stacked(text) if right and stacked else text)
        for text, right in zip(others, numeric[1:], strict=True)
    )
    return Markup('<tr{}><th scope="row">{}</th>{}</tr>').format(paper, heading, Markup("").join(cells))


def _stacked(text: str) -> Markup:
    """A value with its interval below it, which a narrow sheet does not break at its dash."""
    value, blank, interval = text.partition(" (")
    whole = interval.replace("–", "\N{WORD JOINER}–\N{WORD JOINER}")
    return Markup("{}<br>({}").format(value, whole) if blank else Markup("{}").format(text)


def _aligned(right: bool, text: str = "") -> Markup:
    """Numbers to the right; a sentence as wide as it can be read."""
    if right:
        return Markup(' class="number"')
    return Markup(' class="sentence"') if len(text) > SENTENCE else Markup("")


def table_of(table: pd.DataFrame, label: str) -> Markup:
    """Any small table of aggregates; a value and its limits (`auc`, `auc_lower`, `auc_upper`) share one cell."""
    table = with_intervals(table.astype(object).where(table.notna(), None))
    if "note" in table and not any(table["note"]):
        table = table.drop(columns="note")
    numeric = [all(_is_numeric(value) for value in table[column]) for column in table.columns]
    forms = [_form(str(column), list(table[column])) for column in table.columns]
    values = table.astype(object).itertuples(index=False, name=None)
    rows = [Row(tuple(form(value) for form, value in zip(forms, cells, strict=True))) for cells in values]
    repeated = [False, *(row.cells[0] == before.cells[0] for before, row in pairwise(rows))]
    rows = [replace(row, repeats=again) for row, again in zip(rows, repeated, strict=True)]
    return html_table([header(str(column)) for column in table.columns], rows, numeric, label)


def _form(column: str, values: Sequence[Any]) -> Callable[[Any], str]:
    """How the cells of a column are printed: p in its own way, scores with as many decimals as their column needs."""
    if column == "p":
        return formatting.p_value
    scores = [value for value in values if isinstance(value, float)]
    if not re.fullmatch(SCORES, column) or len(scores) < len([value for value in values if value is not None]):
        return _text
    places = formatting.decimals(scores)
    return lambda value: formatting.fraction(value, places)


def with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """Each value joined with its limits: `<name>_lower` and `_upper`, or the `lower` and `upper` that follow it."""
    columns = list(map(str, table.columns))
    for place, name in enumerate(columns):
        limits = ["lower", "upper"] if columns[place + 1 : place + 3] == ["lower", "upper"] else []
        limits = limits or [f"{name}_{end}" for end in ("lower", "upper") if f"{name}_{end}" in columns]
        if len(limits) == 2:
            form = formatting.difference if name.startswith(DIFFERENCES) else formatting.estimate
            rows = zip(*(plain(table[part]) for part in [name, *limits]), strict=True)
            joined = [form({"value": value, "ci95": None if None in ends else list(ends)}) for value, *ends in rows]
            table = table.assign(**{name: joined}).drop(columns=limits)
    return table


def header(column: str) -> str:
    """A column's name as a heading: `age_years` becomes `Age (years)`."""
    if column in HEADERS:
        return HEADERS[column]
    if horizon := re.fullmatch(r"auc_(\d+)_days", column):
        return f"AUC at {horizon[1]} days"
    if column.startswith("n_"):
        return header(column.removeprefix("n_"))
    if column.endswith("_sha256"):
        return f"{header(column.removesuffix('_sha256'))}, SHA-256"
    for suffix, unit in (("_days", "days"), ("_years", "years"), ("_mm", "mm"), ("_seconds", "s")):
        if column.endswith(suffix):
            return f"{header(column.removesuffix(suffix))} ({unit})"
    return name_of(column) if name_of(column) != column.replace("_", " ") else column.replace("_", " ").capitalize()


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and "value" in value:
        return formatting.estimate(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(formatting.cell, value)) or "none"
    is_word = isinstance(value, str) and (value in NAMES or re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", value))
    return name_of(value) if is_word else formatting.cell(value)


def _is_numeric(value: Any) -> bool:
    if isinstance(value, str):
        return value[:1].isdigit() or value[:1] in "+−–"
    return formatting.is_number(value) or value is None or (isinstance(value, Mapping) and "value" in value)


def result_row(name: str, level: str, performance: Mapping[str, Any], is_paper: bool = False) -> Row:
    """One model's performance as a row of the result tables."""
    estimates = (
        formatting.estimate(performance.get(measure)) for measure in ("auc", "accuracy", "sensitivity", "specificity")
    )
    counts = (str(performance[cell]) for cell in CELLS)
    return Row((name, level, str(performance["n"]), *estimates, *counts), is_paper)


def result_rows(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> list[Row]:
    """Every model on the test patients, each above the paper's claim for it."""
    return [row for model in metrics["models"] for row in beside_paper(model, metrics, paper)]


def beside_paper(model: str, metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> list[Row]:
    """One model at each of its levels, above the paper's claim for it; more predictions than patients are repeated."""
    n_test_patients, rows = metrics["protocol"]["n_test_patients"] or math.inf, []
    for level, performance in metrics["models"][model].items():
        if performance:
            repeated = level == "patient" and performance["n"] > n_test_patients
            rows.append(result_row(name_of(model), f"{level}, {REPEATED}" if repeated else level, performance))
    if model in CLAIMS:
        table, level = CLAIMS[model]
        claimed = paper_performance(paper[table], independent=level != "slice")
        rows.append(result_row(PAPER_NAME, level, claimed, is_paper=True))
    return rows


def rule_rows(metrics: Mapping[str, Any], paper: Mapping[str, Any]) -> list[Row]:
    """The rules that need no fitting, on the whole cohort, beside the paper's Table 2."""
    rows = [result_row(name_of(rule), "patient", levels["patient"]) for rule, levels in metrics["rules"].items()]
    return [
        *rows,
        result_row(f"{PAPER_NAME}, surgery rule", "patient", paper_performance(paper["table2"]), is_paper=True),
    ]


def result_html(rows: Sequence[Row], label: str) -> Markup:
    """Rows of `result_row` as HTML."""
    return html_table(RESULT_HEADERS, rows, (False, False, *[True] * 9), label)


def comparison_rows(comparisons: Mapping[str, Any]) -> list[Row]:
    """Each pair of models on the same patients: differences with their intervals, p (and Holm's), the sentence."""
    return [
        Row(
            (
                pair_name(pair),
                formatting.difference(found["delta_auc"]),
                formatting.p_value(found["p_value"]),
                formatting.p_value(found.get("p_value_holm")),
                formatting.difference(found.get("delta_accuracy")),
                found["verdict"],
            )
        )
        for pair, found in comparisons.items()
    ]


def pair_name(pair: str) -> str:
    """`hybrid_vs_clinical` becomes `Hybrid (MRI + clinical) vs Clinical only`."""
    return " vs ".join(name_of(model) for model in pair.split("_vs_"))


def comparison_html(comparisons: Mapping[str, Any]) -> Markup:
    """The comparisons as HTML."""
    headers = ("Comparison", "Difference in AUC", "p", "p (Holm)", "Difference in accuracy", "In words")
    numeric = (False, True, True, True, True, False)
    return html_table(headers, comparison_rows(comparisons), numeric, "Comparisons between models")


def facts_html(facts: Mapping[str, Any]) -> Markup:
    """Names and values as a definition list; nested values by their dotted names."""
    return _definitions((header(name), _text(value)) for name, value in flattened(facts).items())


def verbatim_html(values: Mapping[str, Any]) -> Markup:
    """Parameters, versions and the like as a definition list, letter by letter as a configuration has them."""
    return _definitions(
        (name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in flattened(values).items()
    )


def _definitions(pairs: Iterable[tuple[str, str]]) -> Markup:
    entries = (Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, text) for name, text in pairs)
    return Markup('<dl class="facts">') + Markup("").join(entries) + Markup("</dl>")


def flattened(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by their dotted names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        is_section = isinstance(value, Mapping) and value
        flat |= flattened(value, f"{prefix}{name}.") if is_section else {f"{prefix}{name}": value}
    return flat
