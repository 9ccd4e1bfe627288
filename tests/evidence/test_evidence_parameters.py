"""What the sections `evidence` and `audit` accept."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gliocast.evidence.parameters import AuditParameters, EvidenceParameters
from shipped import section


@pytest.mark.parametrize("profile", ["demo", "paper"])
def test_both_profiles_are_valid(profile):
    EvidenceParameters(**section("evidence", profile=profile))
    AuditParameters(**section("audit", profile=profile))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age_bands_years", [70, 60]),
        ("age_bands_years", [60, 60]),
        ("age_bands_years", [float("nan")]),
        ("age_bands_years", [60.2, 60.4]),
        ("classes_days", [[548, 183]]),
        ("classes_days", [[183, 183]]),
        ("classes_days", [[]]),
        ("horizons_days", [0]),
        ("horizons_days", [10**9]),
        ("sweep_days", [-1]),
        ("relevant_delta_auc", 1e-300),  # the patients needed to find it are more than a float counts
    ],
)
def test_ages_days_and_gains_with_which_nothing_can_be_computed_are_refused(name, value):
    with pytest.raises(ValidationError, match=name):
        EvidenceParameters(**section("evidence") | {name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age_sd_years", {"short_term": 0, "long_term": 8.4}),
        ("memorised_logit", float("inf")),
        ("classifiers", {}),
        ("classifiers", {"lda": [], "decision_tree": []}),
        ("classifiers", {"logistic_regression": [0]}),
        ("classifiers", {"naive_bayes": [-0.1]}),
        ("classifiers", {"nearest_neighbours": [0]}),
        ("classifiers", {"nearest_neighbours": [2.5]}),
        ("classifiers", {"decision_tree": [0]}),
        ("classifiers", {"decision_tree": [1e30]}),
    ],
)
def test_settings_that_no_cohort_can_be_audited_with_are_refused(name, value):
    with pytest.raises(ValidationError, match=name):
        AuditParameters(**section("audit") | {name: value})


def test_a_family_without_settings_is_one_that_the_audit_does_not_try():
    left_out = section("audit")["classifiers"] | {"lda": []}
    assert AuditParameters(**section("audit") | {"classifiers": left_out}).classifiers["lda"] == ()


@pytest.mark.parametrize(
    "change",
    [
        {"honest_test_share": 0.001},  # nobody is tested
        {"paper_test_share": 0.9},  # 17 of 175 patients train: 3 in each inner fold
        {"inner_folds": 20},  # 105 train: 5 in each
    ],
)
def test_an_audit_whose_tests_or_inner_folds_would_lack_an_outcome_is_refused(change):
    with pytest.raises(ValidationError, match="7 patients in each test and in each inner fold"):
        AuditParameters(**section("audit") | change)
