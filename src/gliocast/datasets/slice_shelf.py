"""The shelf that slice stacks are put on, one patient at a time, and tidied at the end.

A finished patient is written at once, as a shard of one; when enough of them have gathered they are packed into a full
shard. Every shard says in its own header which patients it holds and what each stack was made from (`key`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gliocast.imaging.findings import PASSING, Finding, RefusedPatient
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.storage import SHARDS
from gliocast.persistence.atomic import atomic_write
from gliocast.persistence.fingerprints import sha256_of_value
from gliocast.persistence.tensor_files import told_by_the_system

SHARD_PATIENTS = 64
REFUSALS = "refusals"
FIRST_COLUMNS = ("patient_id", "center_slice_mm", "first_slice_mm", "last_slice_mm", "source", "confidence", "sha256")
STORAGE_COLUMNS = ("shard", "row", "key")
REFUSED_COLUMNS = ("patient_id", "code", "where", "found", "expected", "remedy")


@dataclass(frozen=True)
class Place:
    """Where one stack lies, and its row of the manifest."""

    shard: str
    row: int
    entry: Mapping[str, Any]


class SliceShelf:
    """A folder of shards and refusals, as a save finds it and leaves it."""

    def __init__(self, folder: Path) -> None:
        self.shards, self.refusals = folder / SHARDS, folder / REFUSALS
        self.shards.mkdir(parents=True, exist_ok=True)
        self.refusals.mkdir(exist_ok=True)
        self._remove_unfinished()
        self.places = {path.name: _places(path) for path in sorted(self.shards.glob("*.safetensors"))}
        rows = [row for path in sorted(self.refusals.glob("*.json")) for row in _refused_rows(path)]
        self.refused_rows = {row["patient_id"]: row for row in rows}

    def absent(self, keys: Mapping[str, str]) -> list[str]:
        """The patients whose result is not on the shelf, was made from something else, or is worth another try."""
        known = {(place.entry["patient_id"], place.entry["key"]) for place in self._all_places()}
        known |= {(who, row["key"]) for who, row in self.refused_rows.items() if not _is_passing(row)}
        return [patient_id for patient_id, key in keys.items() if (patient_id, key) not in known]

    def add(self, result: SliceStack | RefusedPatient, key: str) -> None:
        """Put one patient's result on the shelf, safe from now on."""
        if isinstance(result, RefusedPatient):
            self._add_refusal(result, key)
            return
        entry = {
            "patient_id": result.patient_id,
            **result.record,
            "sha256": result.sha256,
            "doubts": "\n".join(f"{doubt.code}: {doubt}" for doubt in result.doubts),
            "key": key,
        }
        self._write([entry], result.pixels[None], np.packbits(result.lesion)[None])
        singles = [place for places in self.places.values() if len(places) == 1 for place in places]
        if len(singles) >= SHARD_PATIENTS:
            self._repack(singles)

    def settle(self, keys: Mapping[str, str]) -> None:
        """Keep exactly the patients of `keys`, each once, in as few shards as they need."""
        kept: dict[str, Place] = {}
        for place in self._all_places():
            who = place.entry["patient_id"]
            if keys.get(who) == place.entry["key"]:
                kept.setdefault(who, place)
        tidy = {name for name, places in self.places.items() if _is_tidy(places, kept)}
        untidy = set(self.places) - tidy
        if len(untidy) > 1 or not all(_is_clean(self.places[name], kept) for name in untidy):
            self._repack([kept[who] for who in sorted(kept) if kept[who].shard in untidy], untidy)
        self._settle_refusals({who: key for who, key in keys.items() if who not in kept})

    def manifest(self) -> pd.DataFrame:
        """One row a stack: the contract's columns, then what is known besides, then where it lies."""
        rows = [
            {**place.entry, "shard": place.shard, "row": place.row}
            for places in self.places.values()
            for place in places
        ]
        table = pd.DataFrame(rows)
        others = [name for name in table.columns if name not in (*FIRST_COLUMNS, *STORAGE_COLUMNS)]
        table = table.reindex(columns=[*FIRST_COLUMNS, *others, *STORAGE_COLUMNS])
        if table.empty:
            table = table.astype(dict.fromkeys(("patient_id", "source", "sha256", "shard"), "string"))
        return table.sort_values("patient_id").reset_index(drop=True)

    def refused(self, others: Iterable[RefusedPatient]) -> pd.DataFrame:
        """One row a finding that excluded somebody."""
        rows = [
            {"patient_id": refusal["patient_id"], **{name: finding[name] for name in REFUSED_COLUMNS[1:]}}
            for refusal in [*self.refused_rows.values(), *(_refusal(other, "") for other in others)]
            for finding in refusal["findings"]
        ]
        table = pd.DataFrame(rows, columns=list(REFUSED_COLUMNS), dtype="string")
        return table.sort_values(["patient_id", "code"], kind="stable").reset_index(drop=True)

    def n_to_try_again(self) -> int:
        """Patients who were refused for a reason that may be over the next time."""
        return sum(map(_is_passing, self.refused_rows.values()))

    def _all_places(self) -> list[Place]:
        return [place for places in self.places.values() for place in places]

    def _add_refusal(self, result: RefusedPatient, key: str) -> None:
        row = _refusal(result, key)
        with atomic_write(self._refusal_path(result.patient_id)) as temporary:
            temporary.write_text(json.dumps(row), encoding="utf-8")
        self.refused_rows[result.patient_id] = row

    def _settle_refusals(self, keys: Mapping[str, str]) -> None:
        for who in [who for who, row in self.refused_rows.items() if keys.get(who) != row["key"]]:
            self._refusal_path(who).unlink(missing_ok=True)
            del self.refused_rows[who]

    def _refusal_path(self, patient_id: str) -> Path:
        return self.refusals / f"{sha256_of_value(patient_id)[:24]}.json"

    def _repack(self, places: Sequence[Place], replaced: set[str] | None = None) -> None:
        """Write `places` into full shards, then remove the shards that they came from."""
        old = {place.shard for place in places} if replaced is None else replaced
        written: set[str] = set()
        for start in range(0, len(places), SHARD_PATIENTS):
            chunk = places[start : start + SHARD_PATIENTS]
            tensors = [self._tensors(place) for place in chunk]
            pixels, lesions = (np.stack(parts) for parts in zip(*tensors, strict=True))
            written.add(self._write([place.entry for place in chunk], pixels, lesions))
        for name in old - written:
            (self.shards / name).unlink()
            del self.places[name]

    def _tensors(self, place: Place) -> tuple[np.ndarray, np.ndarray]:
        from safetensors import safe_open

        with safe_open(self.shards / place.shard, framework="numpy") as opened:
            return opened.get_slice("pixels")[place.row], opened.get_slice("lesion")[place.row]

    def _write(self, entries: Sequence[Mapping[str, Any]], pixels: np.ndarray, lesions: np.ndarray) -> str:
        from safetensors.numpy import save_file

        name = f"{sha256_of_value(list(entries))[:24]}.safetensors"
        with told_by_the_system(), atomic_write(self.shards / name) as temporary:
            save_file({"pixels": pixels, "lesion": lesions}, temporary, {"entries": json.dumps(list(entries))})
        self.places[name] = [Place(name, row, entry) for row, entry in enumerate(entries)]
        return name

    def _remove_unfinished(self) -> None:
        """Remove the temporary files of a killed run."""
        for folder in (self.shards, self.refusals):
            for path in folder.glob(".*"):
                path.unlink() if path.is_file() else shutil.rmtree(path)


def _places(path: Path) -> list[Place]:
    """What a shard's header says it holds; a damaged shard holds nothing, so its patients are made again."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as opened:
            entries = json.loads(opened.metadata()["entries"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return []
    return [Place(path.name, row, entry) for row, entry in enumerate(entries)]


def _refused_rows(path: Path) -> list[dict[str, Any]]:
    """The refusal in a file; a damaged one refuses nobody, so its patient is tried again."""
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        return [row] if {"patient_id", "key", "findings"} <= set(row) else []
    except (ValueError, TypeError):
        return []


def _is_clean(places: Sequence[Place], kept: Mapping[str, Place]) -> bool:
    """Whether a shard holds something, and nothing but what is kept."""
    return bool(places) and all(kept.get(place.entry["patient_id"]) is place for place in places)


def _is_tidy(places: Sequence[Place], kept: Mapping[str, Place]) -> bool:
    """Whether a shard can stay as it is: clean, and full."""
    return len(places) == SHARD_PATIENTS and _is_clean(places, kept)


def _is_passing(refusal: Mapping[str, Any]) -> bool:
    """Whether one reason, of which the others may be the consequence, may be over the next time."""
    return any(finding["code"] in PASSING for finding in refusal["findings"])


def _refusal(refused: RefusedPatient, key: str) -> dict[str, Any]:
    findings: list[Finding] = list(refused.findings)
    return {"patient_id": refused.patient_id, "key": key, "findings": [asdict(finding) for finding in findings]}
