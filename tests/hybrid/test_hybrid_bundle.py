"""The bundle holds all that inference needs, no patient's name, and says which models keep rows of patients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from hybrid_examples import a_cohort, feature_parameters, features_of, predictors_of, quick, training_of

from gliocast.datasets.bundle import BundleDataset
from gliocast.errors import ArtefactError, CohortError, ConfigurationError
from gliocast.hybrid.bundle import build_bundle
from gliocast.hybrid.classifiers import build_classifier, keeps_rows, with_probability, without_rows
from gliocast.hybrid.fit import fit_models
from gliocast.hybrid.fitted import FittedModels
from gliocast.hybrid.image_features import score_features
from gliocast.hybrid.image_scores import no_scores
from gliocast.hybrid.parameters import ClassifierName
from gliocast.hybrid.selection import Candidate
from gliocast.model.backbone import build_network
from gliocast.model.ensemble import Ensemble, Member
from gliocast.model.parameters import ModelParameters
from gliocast.model.scoring import score_patients
from gliocast.types import PATIENT_LEVEL, Split
from shipped import section


@pytest.fixture(scope="module")
def bundle(fitting, cohort, image_scores):
    params = ModelParameters(**section("model", "cnn_training"))
    member = Member("holdout/fold0", "holdout", {"head": torch.ones(2)}, ("P001", "P002"), 0.3)
    record = {"partition_sha256": "abc", "parameters": {}}
    return build_bundle(Ensemble(params, (member,)), (), fitting.models, cohort, image_scores, record)


def test_a_bundle_answers_as_the_models_that_went_into_it(tmp_path, bundle, cohort, fitting):
    BundleDataset(str(tmp_path / "bundle")).save(bundle)
    restored = BundleDataset(str(tmp_path / "bundle")).load()
    for before, after in zip(fitting.models.models, restored.models.models, strict=True):
        patients = cohort.assign(image_score=0.5)
        np.testing.assert_array_equal(before.probability(patients), after.probability(patients))
    assert torch.equal(restored.image_model.members[0].weights["head"], torch.ones(2))
    assert restored.record["positive_class"] == "long_term"


def test_an_answer_says_what_it_comes_from(tmp_path, bundle, cohort):
    dataset = BundleDataset(str(tmp_path / "bundle"))
    dataset.save(bundle)
    answers = dataset.load().score(cohort.head(1).drop(columns="outcome"), no_scores()).set_index("name")
    assert answers.loc["clinical", "fitted_on_sha256"] == bundle.record["fitted_on_sha256"]["holdout/clinical"]
    assert answers["bundle_sha256"].unique().tolist() == [dataset.load().sha256]
    assert answers["use"].str.startswith("Research use only").all()


def test_a_bundle_knows_what_those_were_like_whom_its_models_were_fitted_on(bundle, cohort, fitting):
    clinical = next(model for model in fitting.models.models if model.name == "clinical")
    ages = cohort.set_index("patient_id").loc[list(clinical.fitted_on), "age_years"]
    assert bundle.record["known"]["holdout/clinical"]["age_years"] == {"min": ages.min(), "max": ages.max()}
    assert (cohort["age_years"].min(), cohort["age_years"].max()) != (ages.min(), ages.max())


def test_a_bundle_knows_the_out_of_fold_image_scores_that_its_models_were_fitted_on(bundle, partition, image_scores):
    (split,) = partition.splits
    table = image_scores.table.query("role == 'out_of_fold'").set_index("patient_id")
    logits = table.loc[list(split.training), "logit"]
    extremes = {"min": logits.min(), "max": logits.max()}
    assert bundle.record["known"]["holdout/cnn"] == {"image_score": extremes}
    assert bundle.record["known"]["holdout/hybrid"]["image_score"] == extremes
    assert "image_score" not in bundle.record["known"]["holdout/clinical"]


def test_no_patient_is_named_anywhere_in_a_bundle(tmp_path, bundle, cohort):
    BundleDataset(str(tmp_path / "bundle")).save(bundle)
    for file in (path for path in (tmp_path / "bundle").rglob("*") if path.is_file()):
        assert not any(patient.encode() in file.read_bytes() for patient in cohort["patient_id"])
        assert file.suffix in (".json", ".skops", ".ubj", ".safetensors")


def arrays_in(part: object, seen: set[int]) -> Iterator[np.ndarray]:
    """Every array that hangs on a fitted object, however deep."""
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, np.ndarray) and part.dtype != object:
        yield part
    elif isinstance(part, dict | list | tuple):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from arrays_in(inner, seen)
    elif hasattr(part, "__dict__"):
        yield from arrays_in(vars(part), seen)


KERNELS = [("svc", {"kernel": kernel}) for kernel in ("linear", "rbf", "poly", "sigmoid")]


@pytest.mark.parametrize(("name", "settings"), [*((name, {}) for name in get_args(ClassifierName)), *KERNELS])
def test_the_classifiers_that_keep_rows_of_patients_are_known(name, settings):
    generator = np.random.default_rng(3)
    rows, outcome = generator.normal(size=(60, 5)), np.arange(60) % 2
    fitted = without_rows(with_probability(name, build_classifier(name, settings, seed=0), outcome).fit(rows, outcome))
    held = {
        tuple(row) for array in arrays_in(fitted, set()) if array.ndim == 2 and array.shape[1] == 5 for row in array
    }
    assert bool(held & set(map(tuple, rows))) == keeps_rows(name, settings)


@pytest.mark.parametrize("positives_first", [False, True])
def test_a_linear_support_vector_classifier_answers_by_its_weights_as_before(positives_first):
    generator = np.random.default_rng(4)
    outcome = np.arange(80) % 2 if not positives_first else 1 - np.arange(80) % 2
    rows = generator.normal(size=(80, 3)) + outcome[:, None]
    fitted = with_probability("svc", build_classifier("svc", {"kernel": "linear"}, seed=0), outcome).fit(rows, outcome)
    before = fitted.predict_proba(rows)
    np.testing.assert_allclose(without_rows(fitted).predict_proba(rows), before, rtol=1e-9)


def test_a_bundle_says_which_of_its_models_keep_rows_of_patients(bundle, fitting, cohort, caplog):
    assert bundle.record["keep_rows_of_patients"] == []
    neighbours = Candidate("k_neighbours", {})
    models = FittedModels(tuple(replace(model, candidate=neighbours) for model in fitting.models.models[-1:]))
    marked = build_bundle(bundle.image_model, (), models, cohort, no_scores(), {})
    assert marked.record["keep_rows_of_patients"] == [models.models[0].key]
    assert "holds training patients' predictors and outcomes" in caplog.text


def test_a_changed_part_is_refused(tmp_path, bundle):
    dataset = BundleDataset(str(tmp_path / "bundle"))
    dataset.save(bundle)
    manifest = tmp_path / "bundle" / "models" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"threshold": 0.5', '"threshold": 0.1'))
    with pytest.raises(ArtefactError, match="bundle: models: changed"):
        dataset.read(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("written", "edited"), [('"long_term"', '"short_term"'), ('"Research use only; ', '"Approved; ')]
)
def test_a_bundle_whose_manifest_was_edited_is_refused(tmp_path, bundle, written, edited):
    dataset = BundleDataset(str(tmp_path / "bundle"))
    dataset.save(bundle)
    manifest = tmp_path / "bundle" / "bundle.json"
    manifest.write_text(manifest.read_text().replace(written, edited))
    with pytest.raises(ArtefactError, match="bundle: record: changed"):
        dataset.read(tmp_path / "bundle")


def test_a_bundle_of_another_version_is_refused(tmp_path, bundle):
    dataset = BundleDataset(str(tmp_path / "bundle"))
    dataset.save(bundle)
    manifest = tmp_path / "bundle" / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"schema_version": 3', '"schema_version": 1'))
    with pytest.raises(ArtefactError, match="schema version 1"):
        dataset.read(tmp_path / "bundle")


def test_a_bundle_scores_new_patients_from_their_slices(tmp_path, fitting, cohort):
    params = ModelParameters(**section("model", "cnn_training"))
    member = Member("holdout/fold0", "holdout", build_network(params, 0.3).state_dict(), ("P001",), 0.3)
    dataset = BundleDataset(str(tmp_path / "bundle"))
    dataset.save(build_bundle(Ensemble(params, (member,)), (), fitting.models, cohort, no_scores(), {}))
    restored, patients = dataset.load(), a_cohort(3).drop(columns="outcome").assign(patient_id=["N1", "N2", "N3"])
    stacks = np.random.default_rng(0).random((3, 9, 32, 32), dtype=np.float32)
    scores = score_patients(restored.image_model, stacks, ("N1", "N2", "N3"), Split("holdout", (), ()))
    answers = restored.score(patients, scores).set_index(["name", "patient_id"])
    expected = scores.table[scores.table["slice"] == PATIENT_LEVEL]["probability"]
    np.testing.assert_array_equal(answers.loc["cnn", "probability"], expected)
    assert not answers.loc["hybrid", "image_score_missing"].any()


@pytest.fixture(scope="module")
def study_of_features(cohort, partition):
    """Fitted models, their predictions of the test patients, and the bundle, as it was saved."""
    hybrid, training = quick(features=feature_parameters()), training_of(cohort, partition)
    scores, feature_models = score_features(features_of(cohort), training, partition, hybrid.features, seed=0)
    models = fit_models(training, scores, partition, hybrid, "features", seed=0).models
    predictions = models.score(predictors_of(cohort, partition), scores, partition).table
    ensemble = Ensemble(ModelParameters(**section("model", "cnn_training")), (), "image_score is features")
    record = {"parameters": {"hybrid": hybrid.model_dump(mode="json")}}
    return predictions, build_bundle(ensemble, feature_models, models, training, scores, record)


@pytest.fixture
def restored(tmp_path, study_of_features):
    dataset = BundleDataset(str(tmp_path / "bundle"))
    dataset.save(study_of_features[1])
    return dataset.load()


def test_a_bundle_says_of_image_features_what_the_study_said(restored, study_of_features, cohort, partition):
    patients = predictors_of(cohort, partition)
    image_features = features_of(cohort).tail(20)
    shuffled = image_features[image_features.columns[::-1]].assign(another=1.0)  # by name, not by place
    answers = restored.score(patients, restored.score_images(shuffled))
    assert {"image_features", "hybrid"} <= set(answers["name"])
    alike = answers["unlike_training"] == ""  # of the others it says nothing, and the study does
    found = answers.loc[alike, study_of_features[0].columns].astype({"predicted": bool, "probability": float})
    assert alike.mean() > 0.8
    pd.testing.assert_frame_equal(found, study_of_features[0][alike])


def test_models_that_read_images_do_not_answer_for_features_of_another_unit(restored, cohort, partition):
    """A factor of a thousand: a score that no training patient had, and a probability of 0 or 1."""
    patients, image_features = predictors_of(cohort, partition), features_of(cohort).tail(20)
    scaled = image_features.set_index("scan").mul(1000).reset_index()
    answers = restored.score(patients, restored.score_images(scaled)).set_index("name")
    reading = answers.loc[["image_features", "hybrid"]]
    assert reading["unlike_training"].str.contains("image_score").all()
    assert reading["probability"].isna().all()
    assert not answers.loc["clinical", "unlike_training"].str.contains("image_score").any()


def test_models_that_read_images_do_not_answer_for_a_patient_without_an_image_score(restored, cohort, partition):
    """The image model would give the share of its training patients, the hybrid one would invent a middling image."""
    patients = predictors_of(cohort, partition)
    answers = restored.score(patients, restored.score_images(features_of(cohort).tail(19)))
    lacking = answers[answers["patient_id"] == patients["patient_id"].iloc[0]].set_index("name")
    reads_images = ["image_features", "hybrid", "hybrid_pre_operative"]
    assert lacking.index[lacking["image_score_missing"]].tolist() == reads_images
    assert lacking.loc[reads_images, ["probability", "logit", "predicted"]].isna().all(axis=None)
    assert lacking.loc[["clinical", "surgery_rule"], "predicted"].notna().all()
    others = answers[answers["patient_id"] != lacking["patient_id"].iloc[0]].query("name == 'hybrid'")
    assert (others["probability"].notna() == (others["unlike_training"] == "")).all()


def test_a_bundle_refuses_image_features_that_lack_one(restored, cohort):
    with pytest.raises(ConfigurationError, match="no numeric column signal"):
        restored.score_images(features_of(cohort).drop(columns="signal"))


def test_a_bundle_refuses_image_features_whose_identifiers_were_read_as_numbers(restored, cohort):
    with pytest.raises(CohortError, match="image_features: scan: numbers; expected text"):
        restored.score_images(features_of(cohort).assign(scan=range(80)))


def test_no_patient_is_named_in_a_bundle_of_image_features(tmp_path, study_of_features, cohort):
    BundleDataset(str(tmp_path / "bundle")).save(study_of_features[1])
    for file in (path for path in (tmp_path / "bundle").rglob("*") if path.is_file()):
        assert not any(patient.encode() in file.read_bytes() for patient in cohort["patient_id"])


def test_a_bundle_of_networks_reads_no_image_features(bundle, cohort):
    assert bundle.score_images(features_of(cohort)).table.empty
