"""The clinical table as it lies on the disk: text, undecided about separators and decimal marks."""

from __future__ import annotations

import codecs
from pathlib import Path

from gliocast.datasets.base import AtomicDataset
from gliocast.errors import CohortError, ConfigurationError, Problem

# With these bytes a file says itself how it is encoded; Excel's "Unicode text" is UTF-16.
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class ClinicalTableDataset(AtomicDataset[str]):
    """The raw text of a CSV file; `cohort.table.read_cohort` gives it meaning.

    A byte-order mark may stay at its beginning. Any other encoding than UTF-8 is named in the catalog entry.
    """

    def __init__(self, filepath: str, encoding: str = "utf-8", metadata: dict[str, object] | None = None) -> None:
        """Say where the file is.

        Raises:
            ConfigurationError: there is no encoding of that name.
        """
        try:
            "a".encode(encoding)
        except LookupError:
            raise ConfigurationError(unknown_encoding(encoding)) from None
        super().__init__(filepath, metadata)
        self.encoding = encoding

    def read(self, path: Path) -> str:
        """Decode the file.

        Raises:
            CohortError: the file is not in the configured encoding, holds zero bytes, or begins with the mark of
                another encoding.
        """
        content = path.read_bytes()
        marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)
        if marked and not codecs.lookup(self.encoding).name.startswith(marked):
            raise CohortError(marked_otherwise(path, self.encoding, marked))
        try:
            text = content.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise CohortError(undecodable(path, self.encoding, error.start)) from None
        if "\0" in text:  # every second byte of UTF-16
            raise CohortError(with_zero_bytes(path, self.encoding))
        return text

    def write(self, path: Path, value: str) -> None:
        """Write the text in the configured encoding."""
        path.write_bytes(value.encode(self.encoding))


def unknown_encoding(encoding: str) -> Problem:
    """The problem of an encoding that does not exist."""
    expected, remedy = "an encoding, such as utf-8, cp1252 or latin-1", "Correct it in conf/local/catalog.yml."
    return Problem("–", "catalog entry clinical_table: encoding", encoding, expected, remedy)


def marked_otherwise(path: Path, encoding: str, marked: str) -> Problem:
    """The problem of a file that begins with the byte-order mark of another encoding than the configured one."""
    remedy = f"Set `encoding: {marked}` in the catalog entry clinical_table; nothing else was looked at."
    return Problem("–", path.name, f"the byte-order mark of {marked}", f"text encoded as {encoding}", remedy)


def with_zero_bytes(path: Path, encoding: str) -> Problem:
    """The problem of a file with zero bytes, which no text holds: UTF-16 without the mark that would say so."""
    found, expected = "text with zero bytes", f"text encoded as {encoding}"
    remedy = "Set `encoding: utf-16-le` or `utf-16-be` in the catalog entry clinical_table; nothing else was looked at."
    return Problem("–", path.name, found, expected, remedy)


def undecodable(path: Path, encoding: str, position: int) -> Problem:
    """The problem of a file that is not in the encoding it is said to be in."""
    return Problem(
        "–",
        path.name,
        f"not {encoding} (byte {position})",
        f"text encoded as {encoding}",
        "Set `encoding` (often cp1252 or latin-1) in the catalog entry clinical_table; nothing else was looked at.",
    )
