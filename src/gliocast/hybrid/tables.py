"""Table 4: every model on the same test patients, beside the paper's row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from gliocast.evidence.classification import proportions
from gliocast.evidence.intervals import as_columns
from gliocast.evidence.metrics import CELLS

MEASURES = ("auc", "accuracy", "sensitivity", "specificity")


def table4(models: Mapping[str, Any], paper: Mapping[str, Any]) -> pd.DataFrame:
    """One row a model: counts, then each measure with its limits as fractions; the paper's row last.

    Args:
        models: "models" of `metrics.json`.
        paper: the paper's counts and AUC (Moreau et al., Table 4).
    """
    rows = [_row(name, levels["patient"]) for name, levels in models.items()]
    return pd.DataFrame([*rows, _row("Moreau et al., Table 4", _printed(paper))])


def _row(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": name, **as_columns({part: found[part] for part in ("n", *CELLS, *MEASURES)})}


def _printed(paper: Mapping[str, Any]) -> dict[str, Any]:
    counts = {cell: int(paper[cell]) for cell in CELLS}
    return {"n": sum(counts.values()), **counts, **proportions(counts), "auc": {"value": paper["auc"], "ci95": None}}
