"""Fitted models as a folder: skops files with a fixed list of types, XGBoost's own format, a manifest. No pickle."""

from __future__ import annotations

import json
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gliocast.datasets.base import AtomicFolderDataset, file_problems, read_manifest
from gliocast.datasets.skops_files import dump_skops, load_skops
from gliocast.errors import ArtefactError, Problem, raise_if_any
from gliocast.evidence.guard import fingerprint_of_patients
from gliocast.hybrid.fitted import FittedModel, FittedModels
from gliocast.hybrid.parameters import PredictorFacts
from gliocast.hybrid.selection import Candidate, FittedPair
from gliocast.persistence.fingerprints import sha256_of_file
from gliocast.types import LONG_TERM

MANIFEST, SCHEMA_VERSION = "manifest.json", 1
PREPROCESSOR_TYPES = ("numpy.dtype",)
CLASSIFIER_TYPES: dict[str, tuple[str, ...]] = {  # beyond the types that skops itself trusts
    "decision_tree": ("sklearn.tree._tree.Tree",),
    "random_forest": ("sklearn.tree._tree.Tree",),
    "svc": ("sklearn.calibration._CalibratedClassifier", "sklearn.calibration._SigmoidCalibration"),
    "k_neighbours": (
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.ManhattanDistance64",
        "sklearn.metrics._dist_metrics.ChebyshevDistance64",
    ),
}
LIBRARIES = ("scikit-learn", "xgboost", "skops")


class FittedModelsDataset(AtomicFolderDataset[FittedModels]):
    """One folder; every file's SHA-256, the libraries' versions and the patients fitted on stand in `manifest.json`."""

    def write(self, path: Path, value: FittedModels) -> None:
        """Write the files and the manifest."""
        entries = [_write_model(path, number, model) for number, model in enumerate(value.models)]
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "positive_class": LONG_TERM,
            "libraries": {library: version(library) for library in LIBRARIES},
            "models": entries,
        }
        (path / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    def read(self, path: Path) -> FittedModels:
        """Read what the manifest names, once each file is the one that was written.

        Raises:
            ArtefactError: a file is absent or changed, of another version, or holds a type that is not on the list.
        """
        return FittedModels(tuple(_read_model(path, entry) for entry in _checked_manifest(path)["models"]))


def _write_model(path: Path, number: int, model: FittedModel) -> dict[str, Any]:
    files = (
        {} if model.pair is None or model.candidate is None else _write_pair(path, number, model.candidate, model.pair)
    )
    return {
        "name": model.name,
        "split": model.split,
        "facts": {name: fact.model_dump(mode="json") for name, fact in model.facts.items()},
        "image_scale": model.image_scale,
        "prevalence": model.prevalence,
        "threshold": model.threshold,
        "fitted_on": list(model.fitted_on),
        "fitted_on_sha256": fingerprint_of_patients(model.fitted_on),
        "classifier": model.candidate and model.candidate.classifier,
        "settings": model.candidate and model.candidate.settings,
        "files": {kind: {"file": file.name, "sha256": sha256_of_file(file)} for kind, file in files.items()},
    }


def _write_pair(path: Path, number: int, candidate: Candidate, pair: FittedPair) -> dict[str, Path]:
    suffix = "ubj" if candidate.classifier == "xgboost" else "skops"
    files = {kind: path / f"{number:03d}_{kind}.skops" for kind in ("preprocessor", "classifier")}
    files["classifier"] = files["classifier"].with_suffix(f".{suffix}")
    dump_skops(pair.preprocessor, files["preprocessor"])
    if suffix == "ubj":
        pair.classifier.save_model(files["classifier"])
    else:
        dump_skops(pair.classifier, files["classifier"])
    return files


def _read_model(path: Path, entry: dict[str, Any]) -> FittedModel:
    candidate = entry["classifier"] and Candidate(entry["classifier"], entry["settings"])
    return FittedModel(
        name=entry["name"],
        split=entry["split"],
        facts={name: PredictorFacts.model_validate(fact) for name, fact in entry["facts"].items()},
        image_scale=entry["image_scale"],
        prevalence=entry["prevalence"],
        threshold=entry["threshold"],
        fitted_on=tuple(entry["fitted_on"]),
        candidate=candidate or None,
        pair=_read_pair(path, entry) if candidate else None,
    )


def _read_pair(path: Path, entry: dict[str, Any]) -> FittedPair:
    files = {kind: path / Path(file["file"]).name for kind, file in entry["files"].items()}
    preprocessor = load_skops(files["preprocessor"], PREPROCESSOR_TYPES)
    if entry["classifier"] == "xgboost":
        from xgboost import XGBClassifier

        booster = XGBClassifier()
        booster.load_model(files["classifier"])
        return FittedPair(preprocessor, booster)
    return FittedPair(preprocessor, load_skops(files["classifier"], CLASSIFIER_TYPES.get(entry["classifier"], ())))


def _checked_manifest(path: Path) -> dict[str, Any]:
    manifest = read_manifest(path / MANIFEST, SCHEMA_VERSION, partial(_problem, MANIFEST))
    if manifest.get("positive_class") != LONG_TERM:
        found = str(manifest.get("positive_class"))
        raise ArtefactError(_problem(f"{MANIFEST}: positive_class", found, LONG_TERM))
    raise_if_any([problem for entry in manifest["models"] for problem in _findings(path, entry)], ArtefactError)
    return manifest


def _findings(path: Path, entry: dict[str, Any]) -> list[Problem]:
    files = entry["files"].values()
    stored = [(path / Path(file["file"]).name, file["sha256"]) for file in files]  # a name, never a path
    problems = [found for file, sha256 in stored for found in file_problems(file, sha256, _problem)]
    if fingerprint_of_patients(entry["fitted_on"]) != entry["fitted_on_sha256"]:
        where = f"{MANIFEST}: fitted_on of {entry['name']}"
        problems.append(_problem(where, "changed", "the patients it was fitted on"))
    return problems


def _problem(where: str, found: str, expected: str) -> Problem:
    return Problem("–", where, found, expected, "Fit the models again: `kedro run --pipeline hybrid`.")
