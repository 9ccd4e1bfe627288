from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from gliocast.cohort.parameters import CohortParameters, PartitionParameters

CONF = Path(__file__).parents[2] / "conf"


def test_words_that_yaml_takes_for_true_and_false_are_to_be_quoted(cohort_parameters):
    with pytest.raises(ValidationError, match="event_observed with quoted words"):
        cohort_parameters(values={"event_observed": {True: 1, False: 0}})


def test_an_unknown_canonical_column_is_refused(cohort_parameters):
    with pytest.raises(ValidationError, match="not age"):
        cohort_parameters(columns=cohort_parameters().columns | {"age": "Alter"})


@pytest.mark.parametrize("column", ["patient_id", "survival_days"])
def test_a_table_without_patients_or_survival_is_refused(cohort_parameters, column):
    with pytest.raises(ValidationError, match="no study is possible"):
        cohort_parameters(columns=cohort_parameters().columns | {column: None})


def test_a_required_column_must_be_named_or_said_to_be_absent(cohort_parameters):
    columns = {name: source for name, source in cohort_parameters().columns.items() if name != "surgery"}
    with pytest.raises(ValidationError, match="surgery"):
        cohort_parameters(columns=columns)


def test_values_can_be_mapped_to_our_words_only(cohort_parameters):
    with pytest.raises(ValidationError, match="not to total"):
        cohort_parameters(values={"surgery": {"GTR": "total"}})


def test_whole_numbers_and_truths_of_yaml_are_the_texts_of_the_table(cohort_parameters):
    values = cohort_parameters(values={"event_observed": {1: True, 2: 0}}).values
    assert values == {"event_observed": {"1": "1", "2": "0"}}


@pytest.mark.parametrize(
    "rule",
    [
        {"one_of": ["a"], "matches": "a"},
        {},
        {"matches": "("},
        {"lacks": "["},
        {"one_of": ["a"], "code": "Not A Word"},
        {"one_of": ["a"], "reason": ""},
    ],
)
def test_a_rule_has_exactly_one_legible_condition_a_code_and_a_reason(cohort_parameters, rule):
    with pytest.raises(ValidationError):
        cohort_parameters(keep=[{"column": "a", "code": "a", "reason": "a", **rule}])


def test_an_illegible_pattern_of_identifiers_is_refused(cohort_parameters):
    with pytest.raises(ValidationError, match="regular expression"):
        cohort_parameters(identifier={"pattern": "(", "digits": 0})


def test_every_number_needs_a_range(cohort_parameters):
    with pytest.raises(ValidationError, match="a range for each of"):
        cohort_parameters(ranges={"age_years": {"min": 0, "max": 1}})


def test_only_a_canonical_column_can_be_required(cohort_parameters):
    with pytest.raises(ValidationError, match="names among patient_id"):
        cohort_parameters(exclude_when_missing=["age"])


def test_a_range_ascends(cohort_parameters):
    with pytest.raises(ValidationError, match="min at most max"):
        cohort_parameters(ranges={**cohort_parameters().ranges, "age_years": {"min": 2, "max": 1}})


def test_the_decimal_mark_is_not_the_separator(cohort_parameters):
    with pytest.raises(ValidationError, match="differs from the separator"):
        cohort_parameters(decimal=",")


@pytest.mark.parametrize("given", ["tab", r"\t", ""])
def test_a_separator_that_is_no_character_is_told_how_a_tab_is_written(cohort_parameters, given):
    with pytest.raises(ValidationError, match=r'one character in double quotes: "," or ";", and "\\t" for a tab'):
        cohort_parameters(separator=given)


def test_some_patients_are_left_for_the_test(partition_parameters):
    with pytest.raises(ValidationError, match="leave some patients"):
        partition_parameters(fractions={"train": 0.8, "validation": 0.2})


@pytest.mark.parametrize(("train", "validation"), [(1e-9, 1e-9), (0.6, 0.399999), (0.6, 0.001)])
def test_shares_of_less_than_one_patient_in_a_hundred_are_refused(partition_parameters, train, validation):
    with pytest.raises(ValidationError, match="fractions"):
        partition_parameters(fractions={"train": train, "validation": validation})


def test_a_slip_of_the_keyboard_does_not_train_for_ever(partition_parameters):
    with pytest.raises(ValidationError, match="less than or equal to 100"):
        partition_parameters(repeats=50_000)


def test_two_inner_folds_would_leave_nobody_to_fit_on(partition_parameters):
    with pytest.raises(ValidationError):
        partition_parameters(inner_folds=2)


def test_the_papers_numbers_are_shipped(cohort_parameters, partition_parameters):
    assert cohort_parameters().survival_threshold_days == 332
    assert partition_parameters().fractions.model_dump() == {"train": 0.6, "validation": 0.2}


def merged(base: dict, changes: dict) -> dict:
    return base | {
        key: merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in changes.items()
    }


@pytest.mark.parametrize("cohort", ["upenn_gbm", "ucsf_pdgm", "brats2020", "tcga_gbm"])
def test_the_parameters_of_every_public_cohort_are_legible(cohort):
    base = yaml.safe_load((CONF / "base" / "parameters_preprocessing.yml").read_text(encoding="utf-8"))
    changes = yaml.safe_load((CONF / cohort / "parameters.yml").read_text(encoding="utf-8"))
    parameters = merged(base, changes)
    assert CohortParameters(**parameters["cohort"]).survival_threshold_days == 332
    assert PartitionParameters(**parameters["partition"]).inner_folds == 5
