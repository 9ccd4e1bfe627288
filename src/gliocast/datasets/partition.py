"""The partition, checked each time that it is loaded."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from gliocast.cohort.partition_json import partition_from_json, partition_sha256, partition_to_json
from gliocast.datasets.base import AtomicDataset
from gliocast.errors import InputError
from gliocast.types import Partition

log = logging.getLogger(__name__)
REDRAWN = (
    "Another partition takes the stored one's place, since the cohort, the seed or the scheme is another: of its %d "
    "test patients %d were tested before. What results on the old ones have shown must decide nothing from here on."
)


class PartitionDataset(AtomicDataset[Partition]):
    """A partition as JSON. A patient on both sides is an error at load, also after editing by hand."""

    def write(self, path: Path, value: Partition) -> None:
        """Write JSON; a partition that takes another one's place is told."""
        self._tell_redrawn(value)
        path.write_text(json.dumps(partition_to_json(value), indent=1), encoding="utf-8")

    def read(self, path: Path) -> Partition:
        """Read and check.

        Raises:
            PartitionError: a patient is trained on and tested, or stands twice.
        """
        return partition_from_json(json.loads(path.read_text(encoding="utf-8")))

    def _tell_redrawn(self, value: Partition) -> None:
        if not self._exists():
            return
        try:
            before = self.read(self.filepath)
        except (InputError, ValueError, OSError):
            return  # whoever reads it is told
        if partition_sha256(before) != partition_sha256(value):
            log.warning(REDRAWN, len(value.tested), len(value.tested & before.tested))
