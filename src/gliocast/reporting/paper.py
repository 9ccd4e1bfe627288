"""What the paper reports, in the same form as our own results, so that both pass through one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gliocast.evidence.classification import proportions
from gliocast.evidence.metrics import CELLS


def paper_performance(table: Mapping[str, Any], independent: bool = True) -> dict[str, Any]:
    """Performance from the counts that the paper prints (Moreau et al., Tables 2 to 4).

    Args:
        table: `tp`, `fp`, `fn`, `tn`, and `auc` where it is reported.
        independent: whether one count is one patient; slices of one patient are not independent, and get no interval.
    """
    counts = {cell: int(table[cell]) for cell in CELLS}
    shares = proportions(counts)
    if not independent:
        shares = {name: {"value": share["value"], "ci95": None} for name, share in shares.items()}
    auc = {"value": table.get("auc"), "ci95": None, "reason": "the paper gives no interval"}
    return {"n": sum(counts.values()), **counts, **shares, "auc": auc}


def paper_claims(paper: Mapping[str, Any], metric: str) -> dict[str, float]:
    """The paper's value of `metric` for each model that it has one for."""
    rows = {"surgery_rule": ("table2", True), "cnn": ("table3", False), "hybrid": ("table4", True)}
    claims = {model: paper_performance(paper[table], single)[metric] for model, (table, single) in rows.items()}
    return {model: claim["value"] for model, claim in claims.items() if claim["value"] is not None}
