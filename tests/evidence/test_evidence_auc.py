"""The AUC and DeLong's variance, against R's pROC, SAS and a second way of computing them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import ndtri
from scipy.stats import brunnermunzel

from gliocast.evidence.auc import delong, delong_parts
from gliocast.evidence.comparison import compare_paired, paired_delong

# aSAH$ndka of R's pROC (doi:10.1186/1471-2105-12-77): how many of the 72 patients with a good outcome
# lie below each of its 110 ROC thresholds. Where that number stays, one of the 41 patients with a poor outcome lies
# between the two thresholds; in three places one has the same value as a patient with a good outcome.
GOOD_BELOW = [
    *(0, 1, 1, 2, 3, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 12, 13, 14, 15, 16, 17, 18, 18, 18, 19, 20, 20, 21, 23, 24),
    *(24, 25, 26, 27, 28, 29, 29, 30, 31, 31, 32, 33, 34, 35, 36, 37, 37, 37, 37, 38, 38, 39, 40, 40, 41, 42, 43, 44),
    *(45, 45, 46, 47, 48, 49, 49, 50, 51, 51, 51, 52, 52, 52, 53, 54, 55, 55, 55, 56, 57, 58, 58, 59, 60, 61, 62, 62),
    *(62, 62, 62, 63, 64, 64, 65, 66, 67, 67, 67, 67, 67, 68, 69, 69, 70, 70, 71, 71, 72, 72),
]
TIED_WITH_POOR = [32, 62, 75]
# Ovarian cancer (DeLong et al. 1988) as printed in the SAS/STAT manual, PROC LOGISTIC, "Comparing ROC Curves":
# albumin, total protein, K-G score, outcome; one patient after the other.
OVARIAN = """
3.0 5.8 10 0 3.2 6.3 5 1 3.9 6.8 3 1 2.8 4.8 6 0 3.2 5.8 3 1 0.9 4.0 5 0 2.5 5.7 8 0
1.6 5.6 5 1 3.8 5.7 5 1 3.7 6.7 6 1 3.2 5.4 4 1 3.8 6.6 6 1 4.1 6.6 5 1 3.6 5.7 5 1
4.3 7.0 4 1 3.6 6.7 4 0 2.3 4.4 6 1 4.2 7.6 4 0 4.0 6.6 6 0 3.5 5.8 6 1 3.8 6.8 7 1
3.0 4.7 8 0 4.5 7.4 5 1 3.7 7.4 5 1 3.1 6.6 6 1 4.1 8.2 6 1 4.3 7.0 5 1 4.3 6.5 4 1
3.2 5.1 5 1 2.6 4.7 6 1 3.3 6.8 6 0 1.7 4.0 7 0 3.7 6.1 5 1 3.3 6.3 7 1 4.2 7.7 6 1
3.5 6.2 5 1 2.9 5.7 9 0 2.1 4.8 7 1 2.8 6.2 8 0 4.0 7.0 7 1 3.3 5.7 6 1 3.7 6.9 5 1
3.6 6.6 5 1
"""


@pytest.fixture
def ndka():
    good = np.diff(GOOD_BELOW)
    poor = (good == 0).astype(int)
    poor[TIED_WITH_POOR] += 1
    places = np.arange(len(good), dtype=float)
    score = np.r_[np.repeat(places, good), np.repeat(places, poor)]
    outcome = np.arange(len(score)) >= good.sum()
    return outcome, score


@pytest.fixture
def ovarian():
    albumin, protein, score, outcome = np.array(OVARIAN.split(), dtype=float).reshape(-1, 4).T
    return outcome == 1, albumin, protein, 10 - score


def test_auc_and_its_variance_are_those_of_r_proc(ndka):
    outcome, score = ndka
    assert (outcome.sum(), (~outcome).sum()) == (41, 72)
    areas, parts = delong_parts(outcome, score[None])
    assert areas[0] == delong(outcome, score)["value"] == pytest.approx(0.611957994579946, abs=1e-12)  # test-ci.auc.R
    assert parts.sum() == pytest.approx(0.0031908105493913, abs=1e-14)  # pROC, tests/testthat/test-var.R


def test_three_correlated_curves_are_those_of_the_sas_manual(ovarian):
    outcome, albumin, protein, kg_score = ovarian
    areas, parts = delong_parts(outcome, np.stack([albumin, kg_score, protein]))
    assert areas == pytest.approx([0.7366, 0.7258, 0.6478], abs=5e-5)
    assert np.sqrt(np.diag(parts.sum(axis=0))) == pytest.approx([0.0927, 0.1028, 0.1000], abs=5e-5)


def test_paired_difference_and_its_error_are_those_of_the_sas_manual(ovarian):
    outcome, albumin, _, kg_score = ovarian
    delta, error, _ = paired_delong(outcome, albumin, kg_score)
    assert delta["value"] == pytest.approx(0.0108, abs=5e-5)
    assert error == pytest.approx(0.0953, abs=5e-5)


@settings(max_examples=50)
@given(arrays.arrays(float, 9, elements=st.integers(-3, 3).map(float)))
def test_against_a_model_that_ranks_nobody_the_p_is_brunners_and_munzels(score):
    outcome = np.array([True] * 3 + [False] * 6)
    _, error, p_value = paired_delong(outcome, score, np.zeros(9))
    if np.isfinite(error):
        expected = brunnermunzel(score[:3], score[3:], distribution="t").pvalue
        assert p_value == pytest.approx(expected, abs=1e-9)


def test_a_difference_is_hardly_ever_found_of_equal_models_however_few_patients_a_class_has():
    """With the normal quantile in place of Student's, 5 to 8 % of such intervals lie above zero, in place of 2.5 %."""
    generator, above = np.random.default_rng(3), 0
    outcome = np.arange(33) < 3
    for _ in range(1000):
        scores = generator.normal(size=(2, 33)) + 0.7 * outcome
        above += paired_delong(outcome, *scores)[0]["ci95"][0] > 0
    assert above / 1000 < 0.04


def test_the_interval_and_the_p_of_a_difference_say_the_same(ovarian):
    outcome, albumin, protein, kg_score = ovarian
    for first, second in ((albumin, kg_score), (albumin, protein), (albumin, -protein)):
        result = compare_paired(outcome, first, second)
        low, high = result["delta_auc"]["ci95"]
        assert (result["p_value"] < 0.05) == (low > 0 or high < 0)


def test_interval_on_the_logit_scale_holds_the_truth_with_few_patients():
    """Of two normals whose true AUC is 0.8; the plain interval holds it in fewer than 93.5 % of such samples."""
    generator, hits, apart = np.random.default_rng(4), 0, np.sqrt(2) * ndtri(0.8)
    for _ in range(600):
        outcome = generator.random(35) < 0.5
        interval = delong(outcome, generator.normal(size=35) + apart * outcome)["ci95"]
        hits += interval is None or interval[0] <= 0.8 <= interval[1]
    assert 0.935 < hits / 600 < 0.975


def test_interval_holds_the_truth_where_a_class_has_three_patients():
    """Of two normals whose true AUC is 0.7; with the normal quantile the interval holds it in 89 % of such samples."""
    generator, hits, apart = np.random.default_rng(5), 0, np.sqrt(2) * ndtri(0.7)
    outcome = np.arange(37) < 3
    for _ in range(1000):
        interval = delong(outcome, generator.normal(size=37) + apart * outcome)["ci95"]
        hits += interval is None or interval[0] <= 0.7 <= interval[1]
    assert hits / 1000 > 0.93


def test_interval_on_the_logit_scale_by_hand():
    result = delong(np.array([True, True, False, False]), np.array([3.0, 1.0, 2.0, 0.0]))
    # The long-term survivors beat 1 and 1/2 of the short-term ones, these lie below 1/2 and 1 of them: both variances
    # are 1/8, the AUC's is 1/8 / 2 + 1/8 / 2. Its logit is log 3, whose error is sqrt(1/8) / (3/4 · 1/4). Two equal
    # variances with one degree of freedom each: two, and Student's quantile is 4.302653.
    limits = np.log(3) + np.array([-1, 1]) * 4.302653 * np.sqrt(1 / 8) / (3 / 16)
    assert result["value"] == 0.75
    assert result["ci95"] == pytest.approx(1 / (1 + np.exp(-limits)), abs=1e-6)


def test_a_tie_counts_half():
    assert delong(np.array([True, False]), np.array([0.5, 0.5]))["value"] == 0.5


@pytest.mark.parametrize("outcome", [True, False])
def test_one_class_alone_has_no_auc_and_says_why(outcome):
    result = delong(np.array([outcome, outcome]), np.array([0.1, 0.9]))
    assert result == {"value": None, "ci95": None, "reason": "only one outcome class among these patients"}


@pytest.mark.parametrize("outcome", [[True, False, False, False], [False, True, True, True]])
def test_one_patient_of_a_class_has_an_auc_but_no_interval(outcome):
    result = delong(np.array(outcome), np.array([0.4, 0.3, 0.6, 0.2]))
    assert result["value"] in (2 / 3, 1 / 3)  # that patient beats two of three, or is beaten by them
    assert result["ci95"] is None
    assert "only one patient" in result["reason"]


def test_complete_separation_has_an_auc_but_no_interval():
    result = delong(np.array([True, True, False, False]), np.array([0.9, 0.8, 0.2, 0.1]))
    assert result["value"] == 1.0
    assert result["ci95"] is None
    assert "separate" in result["reason"]


scores = arrays.arrays(float, 12, elements=st.integers(-3, 3).map(float))


@settings(max_examples=50)
@given(scores, scores)
def test_covariance_equals_the_one_counted_pair_by_pair(first, second):
    outcome = np.array([True, False] * 6)
    kernels = [np.sign(s[outcome][:, None] - s[~outcome]) / 2 + 0.5 for s in (first, second)]
    long_term, short_term = ([k.mean(axis=axis) for k in kernels] for axis in (1, 0))
    expected = [np.cov(long_term) / 6, np.cov(short_term) / 6]
    areas, parts = delong_parts(outcome, np.stack([first, second]))
    assert areas == pytest.approx([k.mean() for k in kernels])
    assert parts == pytest.approx(np.array(expected), abs=1e-12)


@settings(max_examples=50)
@given(scores)
def test_auc_does_not_change_with_the_scale_of_the_score(score):
    outcome = np.array([True, False] * 6)
    assert delong(outcome, score) == delong(outcome, 1 / (1 + np.exp(-3 * score - 1)))
