"""The plain results: tables, figures, JSON and text."""

from __future__ import annotations

import json
from abc import abstractmethod
from pathlib import Path
from typing import Any, Generic

import pandas as pd
from kedro_datasets._typing import JSONPreview, PlotlyPreview, TablePreview

from gliocast.datasets.base import AtomicDataset, Value
from gliocast.persistence.provenance import is_of_this_program

PREVIEWED_ROWS = 50
FORMULA_STARTS = ("=", "+", "-", "@")  # a spreadsheet would run such a cell


class PreviewedDataset(AtomicDataset[Value], Generic[Value]):
    """A file with a preview in Kedro-Viz where it holds aggregates."""

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(filepath, metadata)
        if "08_reporting" in self.filepath.parts:  # the other layers hold patients' rows
            self.preview = self._preview

    @abstractmethod
    def _preview(self) -> Any: ...


class JsonDataset(PreviewedDataset[Any]):
    """A value of plain types as JSON; NaN and infinity are refused, since they are no JSON."""

    def write(self, path: Path, value: Any) -> None:
        """Write indented JSON."""
        path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def read(self, path: Path) -> Any:
        """Read JSON."""
        return json.loads(path.read_text(encoding="utf-8"))

    def _preview(self) -> JSONPreview:
        return JSONPreview(json.dumps(self.load()))


class ProvenanceDataset(JsonDataset):
    """What a run was made with and from, as JSON."""

    def is_unsettled(self) -> bool:
        """Whether another program computes now: a run of it is told, though no number may have changed."""
        return not is_of_this_program(self.load())


class OptionalJsonDataset(JsonDataset):
    """As `JsonDataset`; an absent file is an empty record, as of a cohort that is not simulated."""

    def load(self) -> Any:
        """Read the record, or give an empty one where there is no file."""
        return super().load() if self._exists() else {}


class FigureDataset(JsonDataset):
    """A Plotly figure as JSON."""

    def write(self, path: Path, value: Any) -> None:
        """Write the figure, on one line."""
        path.write_text(json.dumps(value, allow_nan=False), encoding="utf-8")

    def _preview(self) -> Any:
        return PlotlyPreview(self.load())


class TableDataset(PreviewedDataset[pd.DataFrame]):
    """A table as Parquet or CSV, by the suffix of its path."""

    def write(self, path: Path, value: pd.DataFrame) -> None:
        """Write the table without its index; text that a spreadsheet would run as a formula is quoted in CSV."""
        if path.suffix == ".csv":
            value.map(without_formula).to_csv(path, index=False)
        else:
            value.to_parquet(path, index=False)

    def read(self, path: Path) -> pd.DataFrame:
        """Read the table; one without columns is empty CSV."""
        if path.suffix != ".csv":
            return pd.read_parquet(path)
        return pd.read_csv(path) if path.read_bytes().strip() else pd.DataFrame()

    def _preview(self) -> TablePreview:
        return TablePreview(json.loads(self.load().head(PREVIEWED_ROWS).to_json(orient="split", index=False)))


class TextDataset(AtomicDataset[str]):
    """A text: HTML, Markdown."""

    def write(self, path: Path, value: str) -> None:
        """Write UTF-8."""
        path.write_text(value, encoding="utf-8")

    def read(self, path: Path) -> str:
        """Read UTF-8."""
        return path.read_text(encoding="utf-8")


def without_formula(cell: Any) -> Any:
    """The cell, with a leading apostrophe where a spreadsheet would take its text for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
