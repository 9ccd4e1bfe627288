"""The models that score tables of image features: skops files with a fixed list of types, a manifest. No pickle."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from gliocast.datasets.base import AtomicFolderDataset, file_problems, read_manifest
from gliocast.datasets.skops_files import dump_skops, load_skops
from gliocast.errors import ArtefactError, Problem, raise_if_any
from gliocast.hybrid.image_features import FeatureModel
from gliocast.persistence.fingerprints import sha256_of_file
from gliocast.types import LONG_TERM

MANIFEST, SCHEMA_VERSION = "manifest.json", 1
KNOWN_TYPES = ("numpy.dtype",)  # beyond the types that skops itself trusts


class FeatureModelsDataset(AtomicFolderDataset[tuple[FeatureModel, ...]]):
    """A folder of `<n>.skops` and `manifest.json`; without models it holds the manifest alone."""

    def write(self, path: Path, value: tuple[FeatureModel, ...]) -> None:
        """Write the files and the manifest."""
        models = [_write_model(path / f"{number:03d}.skops", model) for number, model in enumerate(value)]
        manifest = {"schema_version": SCHEMA_VERSION, "positive_class": LONG_TERM, "models": models}
        (path / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    def read(self, path: Path) -> tuple[FeatureModel, ...]:
        """Check and read.

        Raises:
            ArtefactError: a file is absent or changed, of another version, or holds a type that is not on the list.
        """
        entries = read_manifest(path / MANIFEST, SCHEMA_VERSION, partial(_problem, MANIFEST))["models"]
        files = [path / Path(entry["file"]).name for entry in entries]
        pairs = list(zip(files, entries, strict=True))
        problems = [found for file, entry in pairs for found in file_problems(file, entry["sha256"], _problem)]
        raise_if_any(problems, ArtefactError)
        return tuple(_read_model(file, entry) for file, entry in pairs)


def _write_model(file: Path, model: FeatureModel) -> dict[str, Any]:
    dump_skops(model.pipeline, file)
    facts = {"split": model.split, "columns": list(model.columns), "fitted_on": list(model.fitted_on)}
    return {**facts, "file": file.name, "sha256": sha256_of_file(file)}


def _read_model(file: Path, entry: dict[str, Any]) -> FeatureModel:
    pipeline = load_skops(file, KNOWN_TYPES)
    return FeatureModel(entry["split"], tuple(entry["columns"]), pipeline, tuple(entry["fitted_on"]))


def _problem(where: str, found: str, expected: str) -> Problem:
    return Problem("–", where, found, expected, "Score the images again: `kedro run --pipeline hybrid`.")
