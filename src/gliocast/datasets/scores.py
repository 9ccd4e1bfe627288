"""Scores of patients together with who each scoring model had seen: never the one without the other."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from gliocast.datasets.base import AtomicFolderDataset
from gliocast.evidence.guard import WATERMARK
from gliocast.types import Scores


class ScoresDataset(AtomicFolderDataset[Scores]):
    """A folder with `scores.parquet` and `fitted_on.json`."""

    def write(self, path: Path, value: Scores) -> None:
        """Write both files."""
        value.table.to_parquet(path / "scores.parquet", index=False)
        fitted_on = {model: list(patients) for model, patients in value.fitted_on.items()}
        (path / "fitted_on.json").write_text(json.dumps(fitted_on, indent=1), encoding="utf-8")

    def read(self, path: Path) -> Scores:
        """Read both files."""
        fitted_on = json.loads((path / "fitted_on.json").read_text(encoding="utf-8"))
        table = pd.read_parquet(path / "scores.parquet")
        return Scores(table, {model: tuple(patients) for model, patients in fitted_on.items()})


class PaperScoresDataset(ScoresDataset):
    """Scores under the paper's protocol: whoever opens the folder reads in `watermark.txt` what they are worth."""

    def write(self, path: Path, value: Scores) -> None:
        """Write the scores and the watermark."""
        super().write(path, value)
        (path / "watermark.txt").write_text(WATERMARK + "\n", encoding="utf-8")
