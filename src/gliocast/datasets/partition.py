"""The partition, checked each time that it is loaded."""

from __future__ import annotations

import json
from pathlib import Path

from gliocast.cohort.partition_json import partition_from_json, partition_to_json
from gliocast.datasets.base import AtomicDataset
from gliocast.types import Partition


class PartitionDataset(AtomicDataset[Partition]):
    """A partition as JSON. A patient on both sides is an error at load, also after editing by hand."""

    def write(self, path: Path, value: Partition) -> None:
        """Write JSON."""
        path.write_text(json.dumps(partition_to_json(value), indent=1), encoding="utf-8")

    def read(self, path: Path) -> Partition:
        """Read and check.

        Raises:
            PartitionError: a patient is trained on and tested, or stands twice.
        """
        return partition_from_json(json.loads(path.read_text(encoding="utf-8")))
