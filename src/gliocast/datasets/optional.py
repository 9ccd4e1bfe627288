"""A JSON file that may be absent, such as the record that tells a simulated cohort from a site's own."""

from __future__ import annotations

from typing import Any

from gliocast.datasets.files import JsonDataset


class OptionalJsonDataset(JsonDataset):
    """As `JsonDataset`; an absent file is an empty record."""

    def load(self) -> Any:
        """Read the record, or give an empty one where there is no file."""
        return super().load() if self._exists() else {}
