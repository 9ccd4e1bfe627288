"""How each catalog entry is loaded and saved. Names are resolved lazily, so that a run imports only what it uses."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "ClinicalTableDataset": "clinical_table",
    "FigureDataset": "files",
    "JsonDataset": "files",
    "OptionalJsonDataset": "files",
    "ProvenanceDataset": "files",
    "TableDataset": "files",
    "TextDataset": "files",
    "PartitionDataset": "partition",
    "ScoresDataset": "scores",
    "PaperScoresDataset": "scores",
    "ImageFeaturesDataset": "image_features",
    "StageRecordsDataset": "workspace",
    "ImagingDataset": "imaging",
    "SecretKeyDataset": "secret_key",
    "SliceStacksDataset": "slice_stacks",
    "MontageDataset": "montage",
    "SimulatedImagingDataset": "simulated_imaging",
    "SimulationTruthDataset": "simulated_imaging",
    "CnnEnsembleDataset": "cnn_ensemble",
    "CheckpointsDataset": "checkpoints",
    "StudyDataset": "study",
    "FittedModelsDataset": "fitted_models",
    "FeatureModelsDataset": "feature_models",
    "BundleDataset": "bundle",
    "FinishedPiecesDataset": "finished_pieces",
    "OpeningsDataset": "openings",
}


def __getattr__(name: str) -> Any:
    """Import the dataset class `name` from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
