"""The bundle on the disk: networks as safetensors, fitted models as skops, a manifest. No pickle."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from gliocast.datasets.base import AtomicFolderDataset, read_manifest
from gliocast.datasets.cnn_ensemble import CnnEnsembleDataset
from gliocast.datasets.feature_models import FeatureModelsDataset
from gliocast.datasets.fitted_models import FittedModelsDataset
from gliocast.errors import ArtefactError, Problem, raise_if_any
from gliocast.hybrid.bundle import Bundle
from gliocast.persistence.fingerprints import sha256_of_folder, sha256_of_value

MANIFEST, SCHEMA_VERSION = "bundle.json", 3  # 2: with the models of image features; 3: with the record's digest
PARTS = ("cnn", "features", "models")


class BundleDataset(AtomicFolderDataset[Bundle]):
    """A folder with `cnn/`, `features/`, `models/` and `bundle.json`, which vouches for all."""

    def write(self, path: Path, value: Bundle) -> None:
        """Write all parts, then the manifest."""
        for part in PARTS:
            (path / part).mkdir()
        CnnEnsembleDataset("cnn").write(path / "cnn", value.image_model)
        FeatureModelsDataset("features").write(path / "features", value.feature_models)
        FittedModelsDataset("models").write(path / "models", value.models)
        record = json.loads(json.dumps(value.record))  # as it will be read
        manifest = {"schema_version": SCHEMA_VERSION, "sha256": _digests(path, record), **record}
        (path / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    def read(self, path: Path) -> Bundle:
        """Read all parts, once each is the one that was written.

        Raises:
            ArtefactError: a part is absent or changed, or the bundle is of another version.
        """
        manifest = read_manifest(path / MANIFEST, SCHEMA_VERSION, partial(_problem, MANIFEST))
        record = {name: value for name, value in manifest.items() if name not in ("schema_version", "sha256")}
        changed = [part for part, sha256 in _digests(path, record).items() if sha256 != manifest["sha256"].get(part)]
        problems = [_problem(part, "changed since it was written", "what the manifest names") for part in changed]
        raise_if_any(problems, ArtefactError)
        image_model = CnnEnsembleDataset("cnn").read(path / "cnn")
        feature_models = FeatureModelsDataset("features").read(path / "features")
        models = FittedModelsDataset("models").read(path / "models")
        return Bundle(image_model, feature_models, models, record, sha256_of_value(manifest["sha256"]))


def _digests(path: Path, record: dict[str, Any]) -> dict[str, str]:
    """SHA-256 of each part, and of what the manifest says of them: parameters, ranges, the positive class."""
    return {"record": sha256_of_value(record), **{part: sha256_of_folder(path / part) for part in PARTS}}


def _problem(where: str, found: str, expected: str) -> Problem:
    return Problem("–", f"bundle: {where}", found, expected, "Build the bundle again: `kedro run --pipeline hybrid`.")
