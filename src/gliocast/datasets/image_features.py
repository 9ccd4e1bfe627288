"""A table of precomputed image features, where a site has one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from gliocast.datasets.base import AtomicDataset


class ImageFeaturesDataset(AtomicDataset[pd.DataFrame]):
    """A CSV file of one row a patient; without a `filepath` there are no features, and the table is empty.

    Every cell stays the text that it is: only the parameters say which column holds identifiers, whose zeros count.
    """

    def __init__(self, filepath: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(filepath or "none", metadata)
        self.configured = filepath is not None

    def load(self) -> pd.DataFrame:
        """The table; empty where none is configured."""
        return super().load() if self.configured else pd.DataFrame()

    def read(self, path: Path) -> pd.DataFrame:
        """Read the CSV file."""
        return pd.read_csv(path, dtype=str)

    def write(self, path: Path, value: pd.DataFrame) -> None:
        """Write the CSV file."""
        value.to_csv(path, index=False)

    def fingerprint(self) -> str:
        """SHA-256 of the file, where there is one."""
        return super().fingerprint() if self.configured else "none"
