"""The fitted networks on the disk: safetensors, and a manifest that vouches for every file. No pickle."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gliocast.datasets.base import AtomicFolderDataset, file_problems, read_manifest
from gliocast.errors import ArtefactError, Problem, raise_if_any
from gliocast.model.ensemble import Ensemble, Member
from gliocast.model.parameters import ModelParameters
from gliocast.persistence.fingerprints import sha256_of_file
from gliocast.persistence.provenance import without_places
from gliocast.persistence.tensor_files import save_tensors

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1


class CnnEnsembleDataset(AtomicFolderDataset[Ensemble]):
    """A folder of `model_<n>.safetensors` and `manifest.json`, checked file by file when it is loaded."""

    def write(self, path: Path, value: Ensemble) -> None:
        """Write every network, then the manifest."""
        members = []
        for number, member in enumerate(value.members):
            file = path / f"model_{number}.safetensors"
            save_tensors(member.weights, file)
            members.append(_described(file, member))
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "positive_class": "long_term",
            "backbone": value.params.backbone,
            "params": without_places(value.params.model_dump(mode="json")),
            "members": members,
            "reason": value.reason,
        }
        (path / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    def read(self, path: Path) -> Ensemble:
        """Check and read.

        Raises:
            ArtefactError: a file is missing or was changed, or the folder is of another version.
        """
        from safetensors.torch import load_file

        manifest = read_manifest(path / MANIFEST, SCHEMA_VERSION, partial(_problem, MANIFEST))
        raise_if_any([found for entry in manifest["members"] for found in _findings(path, entry)], ArtefactError)
        members = tuple(
            Member(
                name=entry["name"],
                split=entry["split"],
                weights=load_file(_place(path, entry)),
                fitted_on=tuple(entry["fitted_on"]),
                dropout=entry["dropout"],
            )
            for entry in manifest["members"]
        )
        return Ensemble(_parameters(manifest["params"]), members, manifest["reason"])


def _described(file: Path, member: Member) -> dict[str, Any]:
    return {
        "file": file.name,
        "sha256": sha256_of_file(file),
        "name": member.name,
        "split": member.split,
        "dropout": member.dropout,
        "fitted_on": list(member.fitted_on),
    }


def _parameters(stored: dict[str, Any]) -> ModelParameters:
    try:
        return ModelParameters.model_validate(stored)
    except ValidationError as error:
        names = ", ".join(".".join(map(str, one["loc"])) for one in error.errors())
        raise ArtefactError(_problem(MANIFEST, f"of other parameters ({names})", "those of this version")) from None


def _findings(path: Path, entry: dict[str, Any]) -> list[Problem]:
    return file_problems(_place(path, entry), entry["sha256"], _problem)


def _place(path: Path, entry: dict[str, Any]) -> Path:
    return path / Path(entry["file"]).name  # a name, never a path


def _problem(file: str, found: str, expected: str) -> Problem:
    return Problem("–", file, found, expected, "Train the networks again: `kedro run --pipeline cnn_training`.")
