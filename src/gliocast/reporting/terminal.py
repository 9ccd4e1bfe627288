"""The table that a run ends with on the terminal: ours beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gliocast.evidence.guard import watermark
from gliocast.reporting import tables
from gliocast.reporting.tables import Row

SIMULATED = "The cohort is SIMULATED: these numbers show that the study runs; they say nothing about real patients."
HEADERS = ("", "counted", "AUC", "accuracy", "sensitivity", "specificity", "TP/FP/FN/TN")
SHORT_HEADERS = ("", "counted", "AUC", "accuracy", "sens.", "spec.")
WIDTH = 160  # of a log
NARROW = 124  # columns of a terminal, below which intervals stand under their values, and counts in the report alone


def result_table(metrics: Mapping[str, Any], paper: Mapping[str, Any], simulated: bool, width: int = WIDTH) -> str:
    """All results and verdicts as text for a terminal.

    Args:
        metrics: `metrics.json`.
        paper: the paper's reported numbers (`params:paper`).
        simulated: whether the cohort is a simulated one.
        width: columns of the terminal.
    """
    from io import StringIO

    from rich.console import Console

    text = StringIO()
    console = Console(file=text, width=width, highlight=False, markup=False, emoji=False)
    rows = tables.result_rows(metrics, paper) if metrics["models"] else tables.rule_rows(metrics, paper)
    console.print(_table(rows, _title(metrics), width < NARROW))
    for line in [*_verdicts(metrics), *_warnings(metrics, simulated)]:
        console.print(line, soft_wrap=True)
    return text.getvalue().rstrip("\n")


def _title(metrics: Mapping[str, Any]) -> str:
    cohort, protocol = metrics["cohort"], metrics["protocol"]
    patients = f"{cohort['n_long_term']} long-term and {cohort['n_short_term']} short-term survivors"
    tested = protocol["n_test_patients"]
    return f"{patients}; " + (f"{tested} test patients" if tested is not None else "nothing is fitted")


def _table(rows: list[Row], title: str, narrow: bool) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    headers = SHORT_HEADERS if narrow else HEADERS
    for place, heading in enumerate(headers):
        table.add_column(heading, justify="left" if place == 0 else "right", no_wrap=place > 0)
    for row in rows:
        cells = (
            cell.replace(" (", "\n(") if narrow and place > 0 else cell for place, cell in enumerate(_compact(row))
        )
        table.add_row(*list(cells)[: len(headers)], style="dim" if row.is_paper else None)
    return table


def _compact(row: Row) -> tuple[str, ...]:
    """A row for a narrow screen: what was counted in one cell, the four counts in another."""
    name, level, n, *estimates = row.cells
    unit = "slices" if level.startswith("slice") else "predictions" if tables.REPEATED in level else "patients"
    auc, accuracy, *values = estimates[:4]
    shares = (value.split(" ")[0] for value in values)
    return (f"  {name}" if row.is_paper else name, f"{n} {unit}", auc, accuracy, *shares, "/".join(estimates[4:]))


def _verdicts(metrics: Mapping[str, Any]) -> list[str]:
    rows = tables.comparison_rows(metrics["comparisons"])
    return [f"{row.cells[0]}: {row.cells[-1]}; difference in AUC {row.cells[1]}" for row in rows]


def _warnings(metrics: Mapping[str, Any], simulated: bool) -> list[str]:
    lines = [mark] if (mark := watermark(metrics["protocol"])) else []
    return [*lines, *([SIMULATED] if simulated else []), "Research use only."]
