"""Slice stacks as a catalog entry: saving asks the extraction only for the patients that are not stored yet."""

from __future__ import annotations

import json
import logging

from gliocast.datasets.base import PlacedDataset, missing
from gliocast.datasets.slice_shelf import SliceShelf
from gliocast.errors import ArtefactError
from gliocast.imaging.findings import PASSING
from gliocast.imaging.pipeline import Extraction
from gliocast.imaging.storage import COMPLETE, MANIFEST, REFUSED, SHARDS, SliceStackStore
from gliocast.persistence.atomic import atomic_write, whole_files
from gliocast.persistence.disk import told_where_unwritable
from gliocast.persistence.fingerprints import sha256_of_file, sha256_of_value

_log = logging.getLogger(__name__)


class SliceStacksDataset(PlacedDataset[Extraction, SliceStackStore]):
    """A folder of shards with a manifest.

    Saving stores every finished patient at once, so that a killed run resumes where it was; patients who have left the
    cohort disappear from the disk; patients whose files, parameters and code are unchanged are not touched. The folder
    counts as existing only when a save has come to its end, and while its tables are there and its shards in full size.
    """

    def load(self) -> SliceStackStore:
        """A handle for random access by patient.

        Raises:
            ArtefactError: there is no complete store.
        """
        if not self._exists():
            raise ArtefactError(missing(self.filepath))
        return SliceStackStore(self.filepath)

    def save(self, data: Extraction) -> None:
        """Make and store the stacks that are absent or stale, and forget those that are not wanted any more.

        Raises:
            ArtefactError: the disk is full or cannot be written; what is finished stays.
        """
        keys = data.keys()
        with told_where_unwritable(self.filepath):
            (self.filepath / COMPLETE).unlink(missing_ok=True)
            shelf = SliceShelf(self.filepath)
        for result in data.run(shelf.absent(keys)):
            with told_where_unwritable(self.filepath):
                shelf.add(result, keys[result.patient_id])
        with told_where_unwritable(self.filepath):
            shelf.settle(keys)
            self._complete(shelf, data)
        if n_patients := shelf.n_to_try_again():
            reasons = "a full memory, a killed process, a file that could not be read"
            _log.warning(
                "refused for what may be over the next time (%s): %d; the next run tries again", reasons, n_patients
            )

    def is_unsettled(self) -> bool:
        """Whether somebody was refused for a reason that may be over the next time, so that a save is worth while."""
        return bool(SliceStackStore(self.filepath).refused["code"].isin(PASSING).any())

    def fingerprint(self) -> str:
        """SHA-256 over the manifest (it holds each stack's hash), the refusals, and the shards' names and sizes."""
        tables = [sha256_of_file(self.filepath / name) for name in (MANIFEST, REFUSED, COMPLETE)]
        return sha256_of_value([tables, self._shard_bytes()])

    def _complete(self, shelf: SliceShelf, extraction: Extraction) -> None:
        for name, table in ((MANIFEST, shelf.manifest()), (REFUSED, shelf.refused(extraction.unclaimed()))):
            with atomic_write(self.filepath / name) as temporary:
                table.to_parquet(temporary, index=False)
        rule = extraction.parameters
        complete = {"shape": [rule.count, rule.size_px, rule.size_px], "shard_bytes": self._shard_bytes()}
        with atomic_write(self.filepath / COMPLETE) as temporary:
            temporary.write_text(json.dumps(complete), encoding="utf-8")

    def _shard_bytes(self) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in whole_files(self.filepath / SHARDS, "*.safetensors")}

    def _exists(self) -> bool:
        try:
            recorded = json.loads((self.filepath / COMPLETE).read_text(encoding="utf-8"))["shard_bytes"]
        except (FileNotFoundError, ValueError, TypeError, KeyError):  # absent, cut short, or of other fields
            return False
        tables = (self.filepath / MANIFEST, self.filepath / REFUSED)
        return bool(recorded == self._shard_bytes()) and all(table.is_file() for table in tables)
