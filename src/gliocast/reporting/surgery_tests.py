"""The tests of survival between surgeries, ours beside those that the paper's printed summary allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from gliocast.reporting import formatting, tables
from gliocast.reporting.figures.theme import name_of
from gliocast.reporting.tables import Row

TESTS = {
    "anova": ("One-way analysis of variance", "f", "F"),
    "welch_anova": ("Welch's analysis of variance", "f", "F"),
    "kruskal": ("Kruskal–Wallis", "h", "H"),
    "logrank": ("Log-rank", "chi2", "χ²"),
}


def surgery_tests_html(ours: Mapping[str, Any], paper: Mapping[str, Any]) -> Markup:
    """Each test with its statistic and p-value, this cohort's and the paper's."""
    rows = [_test_row(name, ours[name], paper.get(name)) for name in TESTS if name in ours]
    rows += [_pair_row(pair, _same_pair(pair, paper.get("tukey", []))) for pair in ours.get("tukey", [])]
    headers = ("Test", "This cohort", "p", "From the paper's summary", "p")
    return tables.html_table(headers, rows, (False, True, True, True, True), "Tests of survival by surgery")


def _test_row(name: str, ours: Mapping[str, Any], paper: Mapping[str, Any] | None) -> Row:
    title, key, symbol = TESTS[name]
    theirs = (
        (_statistic(paper, key, symbol), formatting.p_value(paper.get("p"))) if paper else (formatting.MISSING,) * 2
    )
    return Row((title, _statistic(ours, key, symbol), formatting.p_value(ours.get("p")), *theirs))


def _statistic(test: Mapping[str, Any], key: str, symbol: str) -> str:
    if test.get(key) is None:
        return test.get("reason", formatting.MISSING)
    df = test.get("df")
    freedom = ", ".join(f"{part:.4g}" for part in (df if isinstance(df, list) else [df])) if df is not None else ""
    effect = f", η² = {test['eta2']:.3f}" if test.get("eta2") is not None else ""
    return f"{symbol}({freedom}) = {test[key]:.2f}{effect}"


def _pair_row(pair: Mapping[str, Any], paper: Mapping[str, Any] | None) -> Row:
    first, second = map(name_of, pair["groups"])
    theirs = (_days(paper), formatting.p_value(paper["p"])) if paper else (formatting.MISSING,) * 2
    return Row((f"Tukey: {second.lower()} − {first.lower()}", _days(pair), formatting.p_value(pair["p"]), *theirs))


def _days(pair: Mapping[str, Any]) -> str:
    return f"{pair['difference']:+.1f} days".replace("-", "−")


def _same_pair(pair: Mapping[str, Any], paper: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((other for other in paper if other["groups"] == pair["groups"]), None)
