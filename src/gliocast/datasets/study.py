"""The study of the search for hyperparameters: where it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gliocast.datasets.workspace import WorkspaceDataset
from gliocast.errors import ConfigurationError, Problem
from gliocast.tuning.storage import StudyStorage

NONE_NAMED: dict[str, Any] = {}  # the entry names no credentials; those that it names may be empty


class StudyDataset(WorkspaceDataset):
    """A journal file, or any database that SQLAlchemy reaches.

    Loading gives a handle (`tuning.storage.StudyStorage`) that touches no disk and no network until it is opened.

    Args:
        filepath: the journal file.
        credentials: `{"url": …}` from conf/local/credentials.yml: an SQLAlchemy URL, in place of the file.
        metadata: for Kedro-Viz.
    """

    def __init__(
        self,
        filepath: str,
        credentials: dict[str, Any] | str | None = NONE_NAMED,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath, metadata)
        self.storage = StudyStorage(Path(filepath), None if credentials is NONE_NAMED else url_of(credentials))

    def load(self) -> StudyStorage:
        """The handle."""
        return self.storage

    def _describe(self) -> dict[str, Any]:
        return {"storage": str(self.storage)}


def url_of(credentials: dict[str, Any] | str | None) -> str:
    """The URL that credentials hold.

    Raises:
        ConfigurationError: they hold none, or something besides; a search would go on in the journal, unsaid.
    """
    if isinstance(credentials, dict) and set(credentials) == {"url"}:
        return str(credentials["url"])
    found = "a value without a name" if isinstance(credentials, str) else ", ".join(credentials or ["nothing"])
    remedy = "Correct conf/local/credentials.yml."
    raise ConfigurationError(Problem("–", "the credentials of tuning_study", found, "`url` alone", remedy))
