"""Everything that is fitted comes from training patients alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hybrid_examples import (
    a_cohort,
    a_partition,
    a_split,
    configured,
    image_scores_of,
    predictors_of,
    quick,
    training_of,
)

from gliocast.datasets.fitted_models import FittedModelsDataset
from gliocast.errors import ArtefactError, CohortError, LeakageError, TrainingError
from gliocast.hybrid import fit
from gliocast.hybrid.features import encode, outcome_codes
from gliocast.hybrid.fit import (
    fit_model,
    fit_models,
    model_names,
    pre_operative_names,
    with_threshold,
)
from gliocast.hybrid.fitted import FittedModels, with_image_score
from gliocast.hybrid.image_scores import gaps, image_score_of, joined, no_scores, score_rows
from gliocast.hybrid.selection import fit_candidate, list_candidates
from gliocast.hybrid.threshold import operating_threshold
from gliocast.pipeline_registry import register_pipelines
from gliocast.types import Fold, Partition, Scores, Split


def fitted(cohort, partition, scores, image_score="cnn"):
    return fit_models(training_of(cohort, partition), scores, partition, quick(), image_score, seed=0)


def test_every_model_answers_for_every_test_patient_once(cohort, partition, image_scores, fitting):
    predictions = fitting.models.score(predictors_of(cohort, partition), image_scores, partition)
    names = [*model_names("cnn"), *pre_operative_names("cnn", quick())]
    assert predictions.table.groupby("name").size().to_dict() == dict.fromkeys(names, 20)
    assert set(predictions.table["role"]) == {"test"}


def test_patients_are_enough_where_each_fold_leaves_one_of_a_class_to_every_inner_fold(cohort, partition):
    """Two folds in turn: each is taught by 30 patients, of whom this many are long-term survivors."""
    training = training_of(cohort, partition)
    long_term = training.loc[training["outcome"] == "long_term", "patient_id"]
    taught = [int(long_term.isin(fold.seen).sum()) for fold in partition.splits[0].folds]
    test = predictors_of(cohort, partition)
    fit.check_enough(training, test, partition, quick(inner_folds=min(taught)))
    with pytest.raises(
        TrainingError, match=rf"one fold of holdout.*{min(taught)} long-term.*{min(taught) + 1} or more"
    ):
        fit.check_enough(training, test, partition, quick(inner_folds=min(taught) + 1))


@pytest.mark.parametrize("part", ["training", "test"])
def test_a_word_that_no_model_knows_is_told_before_anything_is_trained(cohort, partition, part):
    place = 0 if part == "training" else len(cohort) - 1
    wrong = cohort.assign(surgery=cohort["surgery"].mask(cohort.index == place, "subtotal"))
    training, test = training_of(wrong, partition), predictors_of(wrong, partition)
    with pytest.raises(CohortError, match="surgery: subtotal"):
        fit.check_enough(training, test, partition, quick())


def test_predictors_that_no_model_can_read_are_refused_where_the_patients_are_counted(cohort, partition):
    training = training_of(cohort, partition)
    with pytest.raises(CohortError, match="sex: M; expected F, X"):
        fit.check_enough(training, training, partition, quick(predictor_facts=with_sexes("F", "X")))


def with_sexes(*values):
    facts = quick().predictor_facts
    return facts | {"sex": facts["sex"].model_copy(update={"values": values})}


def test_the_study_is_refused_before_anything_is_trained():
    names = [node.name for node in register_pipelines()["hybrid"].nodes]
    later = ("tune_hyperparameters", "train_cnn", "follow_paper_protocol", "fit_models")
    assert all(names.index("check_enough_patients") < names.index(name) for name in later)


def test_no_model_was_fitted_on_a_patient_that_it_is_tested_on(partition, fitting):
    for model in fitting.models.models:
        assert not set(model.fitted_on) & set(partition.splits[0].test)
        assert set(model.fitted_on) == set(partition.splits[0].training)


def test_a_model_that_was_fitted_on_a_test_patient_cannot_score_them(cohort, partition, image_scores, fitting):
    tested = partition.splits[0].test[0]
    leaking = [replace(model, fitted_on=(*model.fitted_on, tested)) for model in fitting.models.models]
    with pytest.raises(LeakageError, match=tested):
        FittedModels(tuple(leaking)).score(predictors_of(cohort, partition), image_scores, partition)


def test_mutant_that_fits_on_a_test_patient_too_is_refused_when_it_scores_them(
    cohort, partition, image_scores, monkeypatch
):
    """Whoever stands in the rows that are fitted stands in the fingerprint: scaler, imputer, classifier, prevalence."""
    tested = partition.splits[0].test[0]
    everyone = cohort.set_index("patient_id", drop=False)

    def with_a_test_patient(*arguments):
        return pd.concat([with_image_score(*arguments), everyone.loc[[tested]].assign(image_score=0.5)])

    models = [fit_model(*leaking, quick(), seed=0).models for leaking in fittings(cohort, partition, image_scores)]
    monkeypatch.setattr(fit, "with_image_score", with_a_test_patient)
    mutants = [fit_model(*leaking, quick(), seed=0).models for leaking in fittings(cohort, partition, image_scores)]
    for model, mutant in zip(models, mutants, strict=True):
        model.score(predictors_of(cohort, partition), image_scores, partition)
        with pytest.raises(LeakageError, match=tested):
            mutant.score(predictors_of(cohort, partition), image_scores, partition)


def fittings(cohort, partition, image_scores):
    """A rule and the image score alone: both fit a prevalence, the second a threshold too."""
    return [(name, partition.splits[0], training_of(cohort, partition), image_scores) for name in ("majority", "cnn")]


def test_mutant_that_finds_the_threshold_on_test_patients_is_refused_when_it_scores_them(
    cohort, partition, image_scores, fitting
):
    tested = cohort[cohort["patient_id"].isin(partition.splits[0].test)]
    for model in fitting.models.models:
        mutant = with_threshold(model, tested, np.linspace(0, 1, len(tested)), quick())
        with pytest.raises(LeakageError, match=partition.splits[0].test[0]):
            FittedModels((mutant,)).score(predictors_of(cohort, partition), image_scores, partition)


def test_a_model_on_image_scores_has_seen_whomever_the_image_models_beneath_have_seen(cohort, partition, image_scores):
    split, tested = partition.splits[0], partition.splits[0].test[0]
    leaking = image_scores.fitted_on | {"holdout/fold0": (*image_scores.fitted_on["holdout/fold0"], tested)}
    scores = Scores(image_scores.table, leaking)  # no held-out patient is touched, so the fit itself passes
    models = fit_model("cnn", split, training_of(cohort, partition), scores, quick(), seed=0).models
    with pytest.raises(LeakageError, match=tested):
        models.score(predictors_of(cohort, partition), image_scores, partition)


def test_without_images_only_the_clinical_models_exist(cohort, partition):
    models = fitted(cohort, partition, no_scores(), "none").models.models
    assert [model.name for model in models] == ["majority", "surgery_rule", "clinical", "clinical_pre_operative"]


def test_training_patients_are_scored_out_of_fold_once(partition, fitting):
    scores = fitting.out_of_fold
    hybrid = scores.table[scores.table["model"].str.contains("hybrid/")]
    assert sorted(hybrid["patient_id"]) == list(partition.splits[0].training)
    for model, patient in zip(scores.table["model"], scores.table["patient_id"], strict=True):
        assert patient not in scores.fitted_on[model]


def test_the_image_models_own_out_of_fold_scores_stand_among_the_predictions(partition, image_scores, fitting):
    table = fitting.out_of_fold.table.assign(model=lambda rows: rows["model"].astype(str))
    of_cnn = table[table["model"].str.startswith("holdout/cnn/fold")].set_index("patient_id")
    assert sorted(of_cnn.index) == list(partition.splits[0].training)
    expected = image_scores.table.set_index("patient_id")["probability"].loc[of_cnn.index]
    np.testing.assert_array_equal(of_cnn["probability"], expected)
    assert fitting.out_of_fold.fitted_on["holdout/cnn/fold1"] == image_scores.fitted_on["holdout/fold1"]


def test_the_threshold_is_found_on_probabilities_of_folds_that_held_the_patient_out(cohort, fitting):
    """What a classifier says of those it was fitted on is too sure, and a threshold on it too high or too low."""
    long_term = cohort.set_index("patient_id")["outcome"] == "long_term"
    table = fitting.out_of_fold.table
    for model in fitting.models.models:
        mine = table[table["model"].str.startswith(f"{model.key}/")]
        if not mine.empty:
            outcome = long_term[mine["patient_id"]].to_numpy()
            expected = operating_threshold(outcome, mine["probability"].to_numpy(), quick().threshold)
            assert model.threshold == expected, model.name


def test_a_held_out_patients_own_outcome_does_not_reach_their_probability(cohort, partition):
    split = partition.splits[0]
    patients = training_of(cohort, partition).reset_index(drop=True)
    held_out = patients["patient_id"].isin(split.folds[0].held_out)
    other = patients["outcome"].map({"long_term": "short_term", "short_term": "long_term"})
    flipped = patients.assign(outcome=patients["outcome"].where(~held_out, other))
    before, after = (
        fit_model("clinical", split, one, no_scores(), quick(), seed=0).out_of_fold.table.set_index("model")[
            "probability"
        ]
        for one in (patients, flipped)
    )
    pd.testing.assert_series_equal(before.loc["holdout/clinical/fold0"], after.loc["holdout/clinical/fold0"])
    assert not before.loc["holdout/clinical/fold1"].equals(after.loc["holdout/clinical/fold1"])


def test_an_image_score_from_a_model_that_has_seen_the_patient_is_refused(cohort, partition, image_scores):
    everyone = tuple(cohort["patient_id"])
    leaking = Scores(image_scores.table, dict.fromkeys(image_scores.fitted_on, everyone))
    with pytest.raises(LeakageError, match="fitted on this patient"):
        fitted(cohort, partition, leaking)


def test_a_training_patient_without_outcome_is_refused(cohort, partition, image_scores):
    undetermined = cohort.assign(outcome=cohort["outcome"].mask(cohort["patient_id"] == "P000"))
    with pytest.raises(CohortError, match="P000: outcome: undetermined"):
        fitted(undetermined, partition, image_scores)


def test_whatever_happens_to_test_patients_no_fitted_byte_changes(tmp_path, cohort, partition, image_scores, fitting):
    tested = cohort["patient_id"].isin(partition.splits[0].test)
    poisoned = cohort.assign(
        age_years=cohort["age_years"].mask(tested, 1e6), surgery=cohort["surgery"].mask(tested, "biopsy")
    )
    poisoned["outcome"] = poisoned["outcome"].mask(tested, "long_term")
    table = image_scores.table
    of_test = table["role"] == "test"
    poisoned_scores = Scores(
        table.assign(probability=table["probability"].mask(of_test, 0.999)), image_scores.fitted_on
    )
    for name, models in (("clean", fitting.models), ("poisoned", fitted(poisoned, partition, poisoned_scores).models)):
        FittedModelsDataset(str(tmp_path / name)).save(models)
    assert contents(tmp_path / "clean") == contents(tmp_path / "poisoned")


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_several_splits_keep_to_their_own_training_patients(cohort):
    patients = list(cohort["patient_id"])
    splits = (a_split(patients, name="first"), a_split(patients[::-1], name="second"))
    partition = Partition("nested_cv", 0, splits, a_partition(cohort).paper)
    scores = image_scores_of(cohort, partition)
    result = fitted(cohort, partition, scores)
    for model in result.models.models:
        split = next(split for split in splits if split.name == model.split)
        assert set(model.fitted_on) == set(split.training)
    predictions = result.models.score(predictors_of(cohort, partition), scores, partition)
    assert len(predictions.table) == 2 * 20 * 7


def test_a_patient_without_image_score_is_answered_and_counted(cohort, partition, image_scores):
    training, tested = partition.splits[0].training[3], partition.splits[0].test[0]
    kept = image_scores.table[~image_scores.table["patient_id"].isin([training, tested])]
    scores = Scores(kept, image_scores.fitted_on)
    models = fitted(cohort, partition, scores).models
    table = models.score(predictors_of(cohort, partition), scores, partition).table.set_index("patient_id")
    answers = table.loc[tested].set_index("name")
    assert answers["image_score_missing"].to_dict() == {
        "majority": False,
        "surgery_rule": False,
        "clinical": False,
        "cnn": True,
        "hybrid": True,
        "clinical_pre_operative": False,
        "hybrid_pre_operative": True,
    }
    prevalence = models.models[0].prevalence
    assert answers.loc["cnn", "probability"] == prevalence
    assert np.isfinite(answers.loc["hybrid", "probability"])


def test_the_same_seed_gives_the_same_predictions(cohort, partition, image_scores, fitting):
    again = fitted(cohort, partition, image_scores)
    pd.testing.assert_frame_equal(again.out_of_fold.table, fitting.out_of_fold.table)


def test_more_signal_in_the_image_gives_a_better_hybrid_model():
    cohort = a_cohort(200, seed=5)
    partition = a_partition(cohort, n_test=80)
    scores = image_scores_of(cohort, partition, strength=3.0)
    table = fitted(cohort, partition, scores).models.score(predictors_of(cohort, partition), scores, partition).table
    long_term = table["patient_id"].map(cohort.set_index("patient_id")["outcome"]) == "long_term"
    accuracy = (table["predicted"] == long_term).groupby(table["name"]).mean()
    assert accuracy["hybrid"] > accuracy["clinical"] > accuracy["majority"]


def read_models(folder):
    return FittedModelsDataset(str(folder)).read(folder)


@pytest.mark.parametrize("classifier", configured().classifiers)
def test_each_classifier_is_stored_without_pickle_and_answers_the_same(tmp_path, cohort, fitting, classifier):
    hybrid = configured(classifiers=(classifier,))
    facts = {name: hybrid.predictor_facts[name] for name in hybrid.predictors}
    encoded = encode(cohort, facts)
    pair = fit_candidate(list_candidates(hybrid)[0], encoded, outcome_codes(cohort), list(facts.values()), seed=0)
    model = replace(fitting.models.models[0], candidate=list_candidates(hybrid)[0], pair=pair, facts=facts)
    FittedModelsDataset(str(tmp_path / "models")).save(FittedModels((model,)))
    (restored,) = read_models(tmp_path / "models").models
    assert {file.suffix for file in (tmp_path / "models").iterdir()} <= {".json", ".skops", ".ubj"}
    np.testing.assert_array_equal(restored.probability(cohort), model.probability(cohort))
    assert replace(restored, pair=None) == replace(model, pair=None)


@pytest.fixture
def folder(tmp_path, fitting):
    FittedModelsDataset(str(tmp_path / "models")).save(fitting.models)
    return tmp_path / "models"


def edit_manifest(folder, old, new):
    manifest = folder / "manifest.json"
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new))


def test_a_changed_file_is_refused_before_it_is_read(folder):
    file = next(folder.glob("*_classifier.skops"))
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(ArtefactError, match="changed since it was written"):
        read_models(folder)


def test_an_absent_file_is_named(folder):
    next(folder.glob("*_preprocessor.skops")).unlink()
    with pytest.raises(ArtefactError, match=r"preprocessor\.skops: absent"):
        read_models(folder)


def test_a_type_outside_the_list_is_refused(folder, monkeypatch):
    monkeypatch.setattr("gliocast.datasets.fitted_models.PREPROCESSOR_TYPES", ())
    with pytest.raises(ArtefactError, match="known types only"):
        read_models(folder)


def test_patients_removed_from_the_manifest_are_noticed(folder):
    edit_manifest(folder, '"P000",', "")
    with pytest.raises(ArtefactError, match="fitted_on of majority"):
        read_models(folder)


def test_another_positive_class_is_refused(folder):
    edit_manifest(folder, '"positive_class": "long_term"', '"positive_class": "short_term"')
    with pytest.raises(ArtefactError, match="positive_class"):
        read_models(folder)


def test_a_file_name_in_the_manifest_cannot_lead_out_of_the_folder(folder):
    edit_manifest(folder, "002_classifier", "../002_classifier")
    assert read_models(folder).models  # only the name is used, and the file inside the folder is read


def test_the_table_of_selections_marks_the_classifier_of_the_fitted_model_alone(fitting):
    chosen = fitting.selections[fitting.selections["chosen"]].set_index("model")["classifier"]
    learnt = {model.name: model.candidate.classifier for model in fitting.models.models if model.candidate}
    assert chosen.to_dict() == learnt
    assert len(chosen) == len(learnt)


def test_an_out_of_fold_prediction_has_seen_whoever_fitted_or_stopped_its_fold(partition, fitting):
    for number, fold in enumerate(partition.splits[0].folds):
        assert set(fitting.out_of_fold.fitted_on[f"holdout/clinical/fold{number}"]) == {*fold.fit, *fold.stop}


def test_a_classifier_without_a_candidate_for_so_few_patients_stands_without_a_score_among_the_selections(
    cohort, partition
):
    grids = quick().grids | {"k_neighbours": {"plain": {"n_neighbors": (500,)}}}
    hybrid = quick(grids=grids, pre_operative_models=False)
    fitting = fit_models(training_of(cohort, partition), no_scores(), partition, hybrid, "none", seed=0)
    scores = fitting.selections.set_index("classifier")["inner_score"]
    assert scores[scores.notna()].index.tolist() == ["logistic_regression"]
    assert scores.index.tolist() == list(hybrid.classifiers)


def test_the_surgery_rule_follows_the_majority_where_the_surgery_is_unknown(cohort, fitting):
    rule = next(model for model in fitting.models.models if model.name == "surgery_rule")
    unknown = cohort.head(1).assign(surgery=pd.array([pd.NA], dtype="string"))
    for prevalence, answer in ((0.4, False), (0.6, True)):
        assert replace(rule, prevalence=prevalence).predicted(unknown, np.array([np.nan])).tolist() == [answer]


def scored(split, patients, role, model, probability):
    return score_rows(split, patients, role, model, np.array(probability))


TWO_SPLITS = pd.concat(
    [
        scored("a", ["P1", "P2"], "out_of_fold", "a/fold0", [0.1, 0.2]),
        scored("a", ["P3"], "out_of_fold", "a/fold1", [0.3]),
        scored("b", ["P1", "P3"], "out_of_fold", "b/fold0", [0.8, 0.9]),
    ],
    ignore_index=True,
)
SEEN = {"a/fold0": ("P3", "P4"), "a/fold1": ("P1", "P2"), "b/fold0": ("P2",)}


def test_an_image_score_is_that_of_its_split_in_the_order_asked_for_and_nan_where_there_is_none():
    found = image_score_of(Scores(TWO_SPLITS, SEEN), "a", ["P3", "P4", "P1"], "out_of_fold", "probability")
    assert found.index.tolist() == ["P3", "P4", "P1"]
    assert found.tolist() == pytest.approx([0.3, np.nan, 0.1], nan_ok=True)
    of_other = image_score_of(Scores(TWO_SPLITS, SEEN), "b", ["P1"], "out_of_fold", "logit")
    assert of_other.tolist() == pytest.approx([np.log(4)])


@pytest.mark.parametrize(
    ("table", "fitted_on", "complaint"),
    [
        (TWO_SPLITS.assign(role="test"), SEEN, "P1: role of the image score: test; expected out_of_fold"),
        (TWO_SPLITS.assign(split="a"), SEEN, "P1: image score: several; expected one a split"),
        (TWO_SPLITS, SEEN | {"a/fold0": ("P1",)}, "P1"),
        (TWO_SPLITS, {}, "a/fold0"),
    ],
    ids=["another role", "two scores", "seen", "a model that does not say whom it has seen"],
)
def test_an_image_score_that_may_know_the_outcome_is_refused(table, fitted_on, complaint):
    with pytest.raises(LeakageError, match=complaint):
        image_score_of(Scores(table, fitted_on), "a", ["P1", "P2", "P3"], "out_of_fold", "probability")


def test_scores_of_several_are_joined_at_the_patients_level_with_whom_each_model_has_seen():
    with_slice = pd.concat([TWO_SPLITS.head(2), TWO_SPLITS.head(1).assign(slice=4)], ignore_index=True)
    both = joined(
        Scores(with_slice, {"a/fold0": ("P3",)}), no_scores(), Scores(TWO_SPLITS.tail(1), {"b/fold0": ("P2",)})
    )
    assert both.table["patient_id"].tolist() == ["P1", "P2", "P3"]
    assert both.fitted_on == {"a/fold0": ("P3",), "b/fold0": ("P2",)}


def test_whoever_has_no_image_score_is_told_by_split_and_part():
    nobody = Fold((), (), ())
    splits = (
        Split("a", ("P4",), (Fold((), (), ("P1", "P2", "P3")),)),
        Split("b", ("P2",), (Fold((), (), ("P1", "P3", "P4")),)),
    )
    found = gaps(Scores(TWO_SPLITS, SEEN), Partition("cross_validation", 0, splits, nobody), "no image")
    assert found.to_numpy().tolist() == [
        ["P4", "a", "test", "no image"],
        ["P4", "b", "training", "no image"],
        ["P2", "b", "test", "no image"],
    ]
