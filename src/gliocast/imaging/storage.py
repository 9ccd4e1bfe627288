"""Slice stacks as they are read: random access by patient, every stack checked against its hash."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float16

from gliocast.errors import ArtefactError, Problem
from gliocast.imaging.stack import stack_sha256

MANIFEST = "manifest.parquet"
REFUSED = "refused.parquet"
COMPLETE = "complete.json"
SHARDS = "shards"


@dataclass(frozen=True)
class SliceStackStore:
    """A folder of slice stacks.

    Shards are safetensors files with `pixels` (patients, slices, height, width; half precision) and `lesion` (the same,
    one bit a pixel); `manifest.parquet` says which patient is in which row of which shard.
    """

    folder: Path

    @cached_property
    def manifest(self) -> pd.DataFrame:
        """One row a patient with a stack, sorted by `patient_id`; see `docs/concepts/slices.md` for the columns."""
        return pd.read_parquet(self.folder / MANIFEST)

    @cached_property
    def refused(self) -> pd.DataFrame:
        """One row a finding that excluded a patient: `patient_id`, `code`, `where`, `found`, `expected`, `remedy`."""
        return pd.read_parquet(self.folder / REFUSED)

    @property
    def patient_ids(self) -> tuple[str, ...]:
        """Everyone with a stack, sorted."""
        return tuple(self.manifest["patient_id"])

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Slices, height and width of every stack."""
        slices, height, width = json.loads((self.folder / COMPLETE).read_text(encoding="utf-8"))["shape"]
        return slices, height, width

    def load(self, patient_ids: Sequence[str]) -> Float16[np.ndarray, "patients slices height width"]:
        """The stacks of `patient_ids`, in their order.

        Raises:
            ArtefactError: a patient has no stack, or a stack was changed or damaged since it was written.
        """
        stacks = np.empty((len(patient_ids), *self.shape), dtype=np.float16)
        hashes = self._rows(patient_ids)["sha256"].to_list()
        for place, pixels in self._read("pixels", patient_ids):
            stacks[place] = pixels
            if stack_sha256(stacks[place]) != hashes[place]:
                found, expected = "changed or damaged", "the stack as it was written"
                where, remedy = "its slice stack", "Delete data/04_feature/slice_stacks and run preprocessing again."
                raise ArtefactError(Problem(patient_ids[place], where, found, expected, remedy))
        return stacks

    def load_lesions(self, patient_ids: Sequence[str]) -> Bool[np.ndarray, "patients slices height width"]:
        """Where the lesion lies on the slices of `patient_ids`, in their order."""
        lesions = np.zeros((len(patient_ids), *self.shape), dtype=bool)
        for place, bits in self._read("lesion", patient_ids):
            lesions[place] = np.unpackbits(bits, count=lesions[place].size).reshape(self.shape)
        return lesions

    def _rows(self, patient_ids: Sequence[str]) -> pd.DataFrame:
        rows = self.manifest.set_index("patient_id").reindex(list(patient_ids))
        absent = rows.index[rows["shard"].isna()]
        if len(absent):
            remedy = "Run preprocessing, or leave the patient out."
            raise ArtefactError([Problem(str(who), "its slice stack", "absent", "a stack", remedy) for who in absent])
        return rows

    def _read(self, tensor: str, patient_ids: Sequence[str]) -> Iterator[tuple[int, np.ndarray]]:
        """Places within `patient_ids` and the tensor's rows, one shard open at a time."""
        from safetensors import SafetensorError, safe_open

        rows = self._rows(patient_ids).reset_index(drop=True)
        for shard, members in rows.groupby("shard", sort=True):
            path = self.folder / SHARDS / str(shard)
            try:
                with safe_open(path, framework="numpy") as opened:
                    stored = opened.get_slice(tensor)
                    for place, row in members["row"].items():
                        yield int(str(place)), stored[int(row)]
            except (OSError, SafetensorError):
                remedy = "Run preprocessing again."
                raise ArtefactError(Problem("–", path.name, "absent or damaged", "a shard of stacks", remedy)) from None
