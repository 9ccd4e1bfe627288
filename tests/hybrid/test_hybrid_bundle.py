"""The bundle holds all that inference needs, and no patient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hybrid_examples import section

from gliocast.datasets.bundle import BundleDataset
from gliocast.errors import ArtefactError
from gliocast.hybrid.bundle import build_bundle
from gliocast.model.ensemble import Ensemble, Member
from gliocast.model.parameters import ModelParameters


@pytest.fixture(scope="module")
def bundle(fitting):
    params = ModelParameters(**section("cnn_training", "demo", "model"))
    member = Member("holdout/fold0", "holdout", {"head": torch.ones(2)}, ("P001", "P002"), 0.3)
    return build_bundle(Ensemble(params, (member,)), fitting.models, {"partition_sha256": "abc", "parameters": {}})


def test_a_bundle_answers_as_the_models_that_went_into_it(tmp_path, bundle, cohort, fitting):
    BundleDataset(str(tmp_path / "bundle")).save(bundle)
    restored = BundleDataset(str(tmp_path / "bundle")).load()
    for before, after in zip(fitting.models.models, restored.models.models, strict=True):
        patients = cohort.assign(image_score=0.5)
        np.testing.assert_array_equal(before.probability(patients), after.probability(patients))
    assert torch.equal(restored.image_model.members[0].weights["head"], torch.ones(2))
    assert restored.record["positive_class"] == "long_term"


def test_no_patient_is_named_anywhere_in_a_bundle(tmp_path, bundle, cohort):
    BundleDataset(str(tmp_path / "bundle")).save(bundle)
    for file in (path for path in (tmp_path / "bundle").rglob("*") if path.is_file()):
        assert not any(patient.encode() in file.read_bytes() for patient in cohort["patient_id"])
        assert file.suffix in (".json", ".skops", ".ubj", ".safetensors")


def test_a_changed_part_is_refused(tmp_path, bundle):
    dataset = BundleDataset(str(tmp_path / "bundle"))
    dataset.save(bundle)
    manifest = tmp_path / "bundle" / "models" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"threshold": 0.5', '"threshold": 0.1'))
    with pytest.raises(ArtefactError, match="bundle: models is changed"):
        dataset.read(tmp_path / "bundle")


def test_a_bundle_of_another_version_is_refused(tmp_path, bundle):
    dataset = BundleDataset(str(tmp_path / "bundle"))
    dataset.save(bundle)
    manifest = tmp_path / "bundle" / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(ArtefactError, match="schema version 2"):
        dataset.read(tmp_path / "bundle")
