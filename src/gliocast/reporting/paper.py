"""What the paper reports, in the same form as our own results, so that both pass through one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gliocast.evidence.classification import proportions
from gliocast.evidence.intervals import as_columns
from gliocast.evidence.metrics import CELLS

TABLE4 = ("n", *CELLS, "auc", "accuracy", "sensitivity", "specificity")


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


def paper_areas(paper: Mapping[str, Any]) -> dict[str, float]:
    """The paper's AUC of the models that it has one for: of its CNN by slice, of its hybrid model by patient."""
    return {"cnn": paper["table3"]["auc"], "hybrid": paper["table4"]["auc"]}


def table4(models: Mapping[str, Any], paper: Mapping[str, Any]) -> pd.DataFrame:
    """Table 4: one row a model, counts, then each measure with its limits as fractions; the paper's row last.

    Args:
        models: "models" of `metrics.json`.
        paper: the paper's reported numbers (`params:paper`).
    """
    found = {name: levels["patient"] for name, levels in models.items()}
    found["Moreau et al., Table 4"] = paper_performance(paper["table4"])
    rows = [{"model": name, **as_columns({part: row[part] for part in TABLE4})} for name, row in found.items()]
    return pd.DataFrame(rows)
