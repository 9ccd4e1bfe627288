"""The root of the parameters: sections that are right alone, but contradict each other, are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader

from gliocast.errors import ConfigurationError
from gliocast.parameters import typed_parameters

CONF = str(Path(__file__).parents[2] / "conf")
THREE_CLASSES = {"classes": 3, "loss": "ordinal"}


def parameters(model: dict[str, Any], cohort: dict[str, Any] | None = None) -> dict[str, Any]:
    loaded = OmegaConfigLoader(CONF, base_env="base", default_run_env="base")["parameters"]
    return loaded | {"model": loaded["model"] | model, "cohort": loaded["cohort"] | (cohort or {})}


def test_no_parameter_copies_one_of_another_section():
    """A reference is resolved within conf/base, before conf/local is laid over it: the copy would not follow."""
    files = Path(CONF, "base").glob("parameters*.yml")
    references = {name for file in files for name in re.findall(r"\$\{([^${}]*)", file.read_text())}
    assert not [name for name in references if not name.startswith(("_", "profile", "globals:", "runtime_params:"))]


def test_a_seed_that_scikit_learn_does_not_take_is_refused_before_it_is_drawn_with():
    with pytest.raises(ConfigurationError, match="seed: 20260101123; expected less than or equal to 4000000000"):
        typed_parameters(parameters({}) | {"seed": 20260101123})


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_no_parameter_is_infinite_or_no_number(value):
    for changes in ({"model": {"learning_rate": value}}, {"cohort": {"survival_threshold_days": value}}):
        with pytest.raises(ConfigurationError, match=next(iter(next(iter(changes.values()))))):
            typed_parameters(parameters(**{"model": {}, **changes}))


@pytest.mark.parametrize("name", ["epochs", "dropout", "threads"])
def test_truth_is_no_number(name):
    with pytest.raises(ConfigurationError, match=rf"model.{name}: True; expected a number, not true or false"):
        typed_parameters(parameters({name: True}))
    assert typed_parameters(parameters({"compile": True}))["model"].compile


def test_three_classes_whose_long_term_survivors_are_the_cohorts_are_accepted():
    model = THREE_CLASSES | {"survival_cut_points_days": [332, 600], "first_long_term_class": 1}
    assert typed_parameters(parameters(model))["model"].classes == 3


@pytest.mark.parametrize("first", [1, 2])
def test_three_classes_whose_long_term_survivors_are_others_than_the_cohorts_are_refused(first):
    model = THREE_CLASSES | {"survival_cut_points_days": [200, 600], "first_long_term_class": first}
    with pytest.raises(ConfigurationError, match=r"long-term from (200|600) days"):
        typed_parameters(parameters(model))


def test_more_classes_need_a_fixed_threshold():
    model = THREE_CLASSES | {"survival_cut_points_days": [332, 600], "first_long_term_class": 1}
    with pytest.raises(ConfigurationError, match="threshold_mode: fixed"):
        typed_parameters(parameters(model, {"threshold_mode": "training_median"}))


@pytest.mark.parametrize("name", ["description", "refuse_description"])
def test_a_pattern_of_series_that_is_none_is_refused_before_a_series_is_looked_at(name):
    given = parameters({})
    given["slices"]["series"][name] = "t1("
    with pytest.raises(ConfigurationError, match=rf"slices.series.{name}: 't1\('; expected a regular expression"):
        typed_parameters(given)


def test_spacings_that_no_volume_can_have_are_refused_before_every_volume_is():
    given = parameters({})
    given["slices"]["geometry"] |= {"min_spacing_mm": 2.0, "max_spacing_mm": 1.0}
    with pytest.raises(ConfigurationError, match="min_spacing_mm at most max_spacing_mm"):
        typed_parameters(given)


def test_a_section_whose_values_contradict_each_other_is_not_printed_in_whole():
    given = parameters({})
    given["hybrid"]["prediction_time"] = "pre_operative"  # surgery is known only later
    with pytest.raises(ConfigurationError) as error:
        typed_parameters(given)
    assert error.value.problems[0].found == "values that do not go together"


def test_configured_hyperparameters_that_the_search_is_to_try_lie_in_their_ranges():
    with pytest.raises(ConfigurationError, match=r"model.weight_decay: 0.02; expected 1e-06 to 0.01"):
        typed_parameters(parameters({"weight_decay": 0.02}))


@pytest.mark.parametrize("change", [{"try_configured": False}, {"trials": 0}])
def test_configured_hyperparameters_that_nobody_tries_may_lie_anywhere(change):
    loaded = parameters({"weight_decay": 0.02})
    typed = typed_parameters(loaded | {"tuning": loaded["tuning"] | change})
    assert typed["model"].weight_decay == 0.02


WHY = {"code": "withdrawn", "reason": "consent withdrawn"}


@pytest.mark.parametrize(
    ("cohort", "where", "found"),
    [
        ({"keep": [{"column": "nip", "none_of": "Jean Dupont", **WHY}]}, "cohort.keep.0.none_of", "a text"),
        ({"keep": [{"column": "nip", "none_of": [["Jean Dupont"]], **WHY}]}, "cohort.keep.0.none_of.0", "a list"),
        ({"values": {"patient_id": {"Jean Dupont": ["K7"]}}}, "cohort.values.patient_id", "a list"),
        ({"values": {"patient_id": {"K7": {"Jean Dupont": "K7"}}}}, "cohort.values.patient_id", "a section"),
        ({"values": {"patient_id": "Jean Dupont"}}, "cohort.values.patient_id", "a text"),
    ],
)
def test_a_slip_in_a_rule_or_a_word_that_may_name_a_patient_is_told_and_the_name_is_not(cohort, where, found):
    with pytest.raises(ConfigurationError) as told:
        typed_parameters(parameters({}, cohort))
    (problem,) = told.value.problems
    assert (problem.where, problem.found) == (where, found)
    assert "Dupont" not in str(problem)


def test_a_search_on_more_folds_than_a_split_has_is_refused_before_slices_are_cut_for_it():
    loaded = parameters({})
    loaded["tuning"]["folds"] = 1 + loaded["partition"]["inner_folds"]
    with pytest.raises(ConfigurationError, match=r"tuning.folds: 6; expected at most 5, the folds of a split"):
        typed_parameters(loaded)
    assert typed_parameters(loaded | {"image_score": "none"})
    assert typed_parameters(loaded | {"tuning": loaded["tuning"] | {"trials": 0}})


def test_the_papers_protocol_without_the_papers_network_is_refused_before_any_is_trained():
    loaded = parameters({"paper_protocol": False}) | {"protocol": "paper"}
    with pytest.raises(
        ConfigurationError, match=r"model.paper_protocol: false; expected true, since protocol is paper"
    ):
        typed_parameters(loaded)
    assert typed_parameters(loaded | {"protocol": "honest"})
    assert typed_parameters(loaded | {"image_score": "none"})


def test_a_word_in_the_place_of_a_list_is_told_in_the_words_of_the_file():
    with pytest.raises(ConfigurationError, match=r"model.devices: 'auto'; expected a list, \[…\]"):
        typed_parameters(parameters({"devices": "auto"}))
