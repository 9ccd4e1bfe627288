"""What the section `hybrid` accepts."""

from __future__ import annotations

import pytest
from hybrid_examples import configured
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from pydantic import ValidationError

from gliocast.datasets.workspace import StageRecordsDataset
from gliocast.errors import ConfigurationError
from gliocast.hooks import refuse_unsearchable_grids
from gliocast.hybrid.classifiers import check_grids
from gliocast.hybrid.selection import check_candidates
from gliocast.persistence.stages import StageRecord, StageRecords
from gliocast.runner import parameters_of


@pytest.mark.parametrize("profile", ["demo", "paper"])
def test_both_profiles_are_valid_and_their_settings_exist(profile):
    check_grids(configured(profile))
    check_candidates(configured(profile))


def test_a_pre_operative_model_refuses_the_surgery():
    with pytest.raises(ValidationError, match="pre_operative model cannot use surgery"):
        configured(prediction_time="pre_operative")


def test_a_pre_operative_model_takes_what_is_known_before_the_operation():
    hybrid = configured(prediction_time="pre_operative", predictors=("age_years", "sex", "who_status"))
    assert "surgery" not in hybrid.predictors


@pytest.mark.parametrize("name", ["volume_ml", "survival_days", "event_observed", "patient_id"])
def test_only_what_the_cohort_tells_before_the_outcome_can_be_a_predictor(name):
    described = configured().predictor_facts | {name: configured().predictor_facts["age_years"]}
    with pytest.raises(ValidationError, match=rf"age_years, sex, .*; not {name}"):
        configured(predictors=("age_years", name), predictor_facts=described)


def test_predictors_may_be_written_as_words_on_the_command_line():
    assert configured(predictors="age_years sex").predictors == ("age_years", "sex")


def test_an_unknown_predictor_is_refused_by_name():
    with pytest.raises(ValidationError, match="shoe_size"):
        configured(predictors=("shoe_size",))


@pytest.mark.parametrize("name", ["patient_id", "survival_days", "event_observed", "outcome", "image_score"])
def test_what_is_predicted_and_what_names_a_patient_is_no_predictor(name):
    facts = configured().predictor_facts
    with pytest.raises(ValidationError, match=f"columns of the cohort, .*; not {name}"):
        configured(predictors=(name,), predictor_facts={name: facts["age_years"]})


def test_a_classifier_without_a_grid_is_refused():
    with pytest.raises(ValidationError, match="no grid for svc"):
        configured(classifiers=("svc",), grids={})


def test_a_misspelt_setting_is_named_before_anything_is_fitted():
    with pytest.raises(ConfigurationError, match="n_neighbours") as caught:
        check_grids(
            configured(classifiers=("k_neighbours",), grids={"k_neighbours": {"plain": {"n_neighbours": (3,)}}})
        )
    assert "n_neighbors" in caught.value.problems[0].expected


def test_values_that_scikit_learn_refuses_are_all_named_before_anything_is_fitted():
    grids = {"random_forest": {"plain": {"criterion": ("gini", "ginny"), "n_estimators": (0, 5)}}, "lda": {"svd": {}}}
    with pytest.raises(ConfigurationError) as caught:
        check_grids(configured(classifiers=("random_forest", "lda"), grids=grids))
    assert [(problem.where.rpartition(".")[2], problem.found) for problem in caught.value.problems] == [
        ("criterion", "ginny"),
        ("n_estimators", "0"),
    ]
    assert caught.value.problems[1].expected == "an int in the range [1, inf)"


def test_a_setting_without_values_is_refused():
    with pytest.raises(ValidationError, match=r"lda\.svd\.solver"):
        configured(classifiers=("lda",), grids={"lda": {"svd": {"solver": ()}}})


@pytest.mark.parametrize("strength", [0, -1.0, float("nan")])
def test_a_penalty_of_no_strength_is_refused(strength):
    with pytest.raises(ValidationError, match="c_grid"):
        configured(features={**configured().features.model_dump(), "c_grid": (1.0, strength)})


def test_a_slip_of_the_keyboard_does_not_search_for_ever():
    with pytest.raises(ValidationError, match="less than or equal to 1000"):
        configured(robustness={**configured().robustness.model_dump(), "repeats": 50_000})


def test_the_pattern_must_capture_the_patient():
    features = {"id_column": "id", "ignore_columns": (), "c_grid": (1.0,), "inner_folds": 2}
    with pytest.raises(ValidationError, match="one group"):
        configured(features={**features, "id_pattern": "UPENN.*"})


def test_slips_in_the_grids_the_network_and_the_search_end_a_run_together_before_its_first_stage(project):
    study = "{type: gliocast.datasets.StudyDataset, filepath: a.log, credentials: database}"
    project.write("conf/local/catalog.yml", f"tuning_study: {study}\n")
    project.write("conf/local/credentials.yml", "database: {url: 'sqlite:////nowhere/of/ours.db'}\n")
    grids = "hybrid: {grids: {random_forest: {plain: {criterion: [ginny]}}}}\n"
    project.write("conf/local/parameters.yml", grids)
    ended = project.run("hybrid", model__backbone="resnet51")
    assert ended.returncode == 2
    assert "3 problems" in ended.stderr
    told = ("hybrid.grids.random_forest.plain.criterion", "model.backbone", "tuning_study: url")
    assert [where for where in told if where not in ended.stderr] == []
    assert not project.path("01_raw").exists()


SEARCH = Pipeline([Node(lambda given: given, ["params:hybrid"], "fitted_models", name="fit")])
CONTRADICTORY = {
    "logistic_regression": {"plain": {"solver": ("lbfgs",), "l1_ratio": (1.0,)}},
    "lda": {"plain": {"solver": ("svd",), "shrinkage": (0.5,)}},
    "svc": {"plain": {"kernel": ("precomputed",)}},
}


def a_catalog(folder, hybrid):
    known = {"params:hybrid": MemoryDataset(hybrid), "fitted_models": MemoryDataset("fitted")}
    return DataCatalog({**known, "stage_records": StageRecordsDataset(str(folder))})


def test_settings_that_do_not_go_together_are_told_of_every_classifier_before_anything_is_trained(tmp_path):
    catalog = a_catalog(tmp_path, configured(classifiers=tuple(CONTRADICTORY), grids=CONTRADICTORY))
    with pytest.raises(ConfigurationError) as caught:
        refuse_unsearchable_grids(SEARCH, catalog)
    assert [problem.where for problem in caught.value.problems] == [f"hybrid.grids.{name}" for name in CONTRADICTORY]
    assert caught.value.problems[0].found.startswith("Solver lbfgs supports only")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"objective": ("binary:logistc",)}, "Unknown objective function: `binary:logistc`"),
        ({"max_bin": (1,)}, "`max_bin` must be equal to or greater than 2."),
    ],
)
def test_of_what_xgboost_says_the_sentence_is_told_and_not_where_it_was_built(settings, said):
    with pytest.raises(ConfigurationError) as caught:
        check_candidates(configured(classifiers=("xgboost",), grids={"xgboost": {"plain": settings}}))
    assert [problem.found for problem in caught.value.problems] == [said]


def test_more_neighbours_than_any_invented_patients_are_no_slip_of_the_grid():
    check_candidates(
        configured(classifiers=("k_neighbours",), grids={"k_neighbours": {"plain": {"n_neighbors": (999,)}}})
    )


def test_the_grids_of_a_finished_search_are_looked_at_again_only_where_they_have_changed(tmp_path):
    catalog = a_catalog(tmp_path, "never looked at")
    StageRecords(tmp_path).write("fit", StageRecord("", parameters_of(SEARCH.nodes[0], catalog), {}, {}))
    refuse_unsearchable_grids(SEARCH, catalog)
    catalog["params:hybrid"].save(configured(classifiers=tuple(CONTRADICTORY), grids=CONTRADICTORY))
    with pytest.raises(ConfigurationError, match=r"^3 problems"):
        refuse_unsearchable_grids(SEARCH, catalog)
