"""Comparisons: what is said of two models, and the tests behind it."""

import numpy as np
import pytest
from scipy.special import expit

from gliocast.evidence import metrics
from gliocast.evidence.classification import NO_PROBABILITY
from gliocast.evidence.comparison import (
    MRI_ADDS,
    Question,
    as_one_of_several,
    bootstrap_difference,
    compare_paired,
    holm,
    mcnemar,
    patients_needed,
    verdict,
)
from gliocast.evidence.intervals import estimate

rng = np.random.default_rng(11)


def scores(n, gain, seed=0):
    generator = np.random.default_rng(seed)
    outcome = generator.random(n) < 0.5
    shared = generator.normal(size=n)
    worse = outcome * 0.8 + shared
    return outcome, 1 / (1 + np.exp(-(worse + gain * (outcome - 0.5)))), 1 / (1 + np.exp(-worse))


def test_an_interval_above_zero_says_that_mri_adds():
    assert verdict(estimate(0.1, (0.02, 0.18)), 70, 400, MRI_ADDS, 0.05) == "MRI adds"


def test_an_interval_below_the_relevant_gain_says_that_mri_does_not_add():
    sentence = verdict(estimate(0.0, (-0.03, 0.03)), 2000, 900, MRI_ADDS, 0.05)
    assert sentence == "MRI does not add (a gain of 0.05 in AUC is ruled out)"


def test_no_fewer_patients_are_asked_for_than_were_tested():
    """A gain of 0.03 ± 0.033: 112 patients give the power to find 0.05, for which 102 would have been enough."""
    needed = patients_needed(0.017, 112, 0.05, 0.8)
    assert needed == 102
    sentence = verdict(estimate(0.03, (0.03 - 1.96 * 0.017, 0.03 + 1.96 * 0.017)), 112, needed, MRI_ADDS, 0.05)
    assert sentence == "cannot be told with 112 test patients"


def test_an_interval_that_begins_at_zero_or_ends_at_the_relevant_gain_says_neither():
    assert verdict(estimate(0.1, (0.0, 0.2)), 70, None, MRI_ADDS, 0.05) == "cannot be told with 70 test patients"
    assert verdict(estimate(0.0, (-0.05, 0.05)), 70, None, MRI_ADDS, 0.05) == "cannot be told with 70 test patients"


def test_a_wide_interval_says_that_it_cannot_be_told_and_how_many_would_be_needed():
    sentence = verdict(estimate(0.02, (-0.06, 0.10)), 35, 412, MRI_ADDS, 0.05)
    assert sentence == "cannot be told with 35 test patients; about 412 would be needed to find a gain of 0.05 in AUC"


def test_a_strong_gain_among_many_patients_is_found():
    result = compare_paired(*scores(400, gain=1.5))
    assert result["verdict"] == "MRI adds"
    assert result["p_value"] < 0.001
    assert result["delta_brier"]["value"] < 0


def test_the_difference_in_brier_score_by_hand():
    outcome, first, second = np.array([True, True, False, False]), [0.9, 0.6, 0.2, 0.5], [0.6, 0.7, 0.4, 0.3]
    result = compare_paired(outcome, np.array(first), np.array(second), n_bootstrap=200)
    # squares .01 .16 .04 .25 and .16 .09 .16 .09: means 0.115 and 0.125
    assert result["delta_brier"]["value"] == pytest.approx(-0.01)


def test_no_gain_among_few_patients_cannot_be_told():
    outcome = rng.random(35) < 0.5
    result = compare_paired(outcome, rng.random(35), rng.random(35))
    assert result["verdict"].startswith("cannot be told with 35 test patients")
    assert result["n_needed"] > 35


def test_two_models_that_rank_alike_give_no_p_value_and_say_why():
    outcome, first, _ = scores(50, gain=0)
    result = compare_paired(outcome, first, first)
    assert result["delta_auc"]["value"] == 0
    assert result["p_value"] is None
    assert "alike" in result["reason"]


def test_one_class_alone_cannot_be_compared():
    result = compare_paired(np.ones(4, dtype=bool), np.linspace(0, 1, 4), np.linspace(1, 0, 4))
    assert result["p_value"] is None
    assert "only one outcome class" in result["verdict"]


def test_one_patient_of_a_class_gives_a_difference_and_no_verdict():
    outcome = np.array([True, False, False, False])
    result = compare_paired(outcome, np.array([0.4, 0.3, 0.6, 0.2]), np.array([0.9, 0.3, 0.6, 0.2]))
    assert result["delta_auc"]["value"] == pytest.approx(-1 / 3)
    assert result["p_value"] is result["delta_auc"]["ci95"] is None
    assert "only one patient" in result["verdict"]


def test_swapping_the_models_swaps_the_sign():
    outcome, first, second = scores(80, gain=0.5)
    there, back = compare_paired(outcome, first, second), compare_paired(outcome, second, first)
    assert there["delta_auc"]["value"] == pytest.approx(-back["delta_auc"]["value"])
    assert there["p_value"] == pytest.approx(back["p_value"])


def test_other_models_are_named_in_the_sentence():
    sentence = verdict(estimate(0.1, (0.02, 0.18)), 70, 400, Question.between("clinical", "surgery rule"), 0.05)
    assert sentence == "clinical ranks patients better than surgery rule"


def test_several_scores_of_a_patient_are_compared_by_patient():
    outcome, first, second = scores(60, gain=0.6)
    once = compare_paired(outcome, first, second)
    twice, thrice = (
        compare_paired(*(np.tile(one, n) for one in (outcome, first, second)), patients=np.tile(np.arange(60), n))
        for n in (2, 3)
    )
    naive = compare_paired(np.tile(outcome, 3), np.tile(first, 3), np.tile(second, 3))
    width = np.ptp(once["delta_auc"]["ci95"])
    assert np.ptp(thrice["delta_auc"]["ci95"]) == pytest.approx(width, rel=0.15)
    assert np.ptp(naive["delta_auc"]["ci95"]) < 0.7 * width
    assert naive["p_value"] < thrice["p_value"] == pytest.approx(twice["p_value"])
    assert thrice["n_needed"] == pytest.approx(once["n_needed"], rel=0.3)


@pytest.mark.parametrize("seed", [17, 40, 49, 63, 64])  # where twice the normal tail beyond delta / SE is above 0.05
def test_over_several_splits_an_interval_leaves_zero_out_where_p_is_below_one_in_twenty(seed):
    generator = np.random.default_rng([seed, 7])
    outcome = np.arange(60) % 2 == 0
    seen = generator.normal(size=60) + 0.7 * outcome
    first, second = (seen + generator.normal(size=60) / 2 + gain * outcome for gain in (0.5, 0.0))
    found = compare_paired(outcome, expit(first), expit(second), splits=np.arange(60) % 5, n_bootstrap=1000, seed=seed)
    low, high = found["delta_auc"]["ci95"]
    assert (low > 0 or high < 0) == (found["p_value"] < 0.05)


def test_half_the_error_needs_a_quarter_of_the_patients():
    many, few = patients_needed(0.06, 100, 0.05, 0.8), patients_needed(0.03, 100, 0.05, 0.8)
    assert many == pytest.approx(4 * few, abs=4)
    assert many == 1131  # 100 · ((1.95996 + 0.84162) · 0.06 / 0.05)²


def test_the_patients_needed_are_those_of_statsmodels():
    from statsmodels.stats.power import NormalIndPower

    power = NormalIndPower()  # with ratio 0 of one sample, in which a patient adds 0.06 · √100 of spread
    n = power.solve_power(0.05 / 0.6, alpha=0.05, power=0.8, ratio=0, alternative="two-sided")
    assert patients_needed(0.06, 100, 0.05, 0.8) == pytest.approx(n, abs=1)


def test_mcnemar_is_that_of_statsmodels():
    from statsmodels.stats.contingency_tables import mcnemar as oracle

    first = np.repeat([True, True, False, False], [30, 12, 3, 10])
    second = np.repeat([True, False, True, False], [30, 12, 3, 10])
    result = mcnemar(first, second)
    assert (result["only_a"], result["only_b"]) == (12, 3)
    assert result["p_value"] == pytest.approx(oracle([[30, 12], [3, 10]], exact=True).pvalue)


def test_mcnemar_where_one_model_alone_is_ever_right_has_a_p_value():
    always, never = np.ones(5, dtype=bool), np.zeros(5, dtype=bool)
    assert mcnemar(always, never)["p_value"] == pytest.approx(2 / 2**5)  # five heads or five tails
    assert mcnemar(never, always)["p_value"] == pytest.approx(2 / 2**5)


def test_mcnemar_without_disagreement_has_no_p_value():
    assert mcnemar(np.array([True]), np.array([True]))["p_value"] is None


def test_holm_is_that_of_statsmodels_and_skips_what_is_missing():
    from statsmodels.stats.multitest import multipletests

    p_values = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}
    expected = multipletests(list(p_values.values()), method="holm")[1]
    adjusted = holm(p_values | {"e": None})
    assert [adjusted[name] for name in p_values] == pytest.approx(list(expected))
    assert adjusted["e"] is None


def test_no_limit_of_a_difference_of_areas_lies_beyond_what_areas_can_differ_by():
    """Areas of 1 and 4/9, on three patients of each class."""
    outcome = np.array([True, True, True, False, False, False])
    first, second = np.array([0.9, 0.8, 0.7, 0.3, 0.2, 0.1]), np.array([0.2, 0.3, 0.5, 0.4, 0.6, 0.1])
    there, back = (compare_paired(outcome, *pair)["delta_auc"] for pair in ((first, second), (second, first)))
    assert there["ci95"][1] == 1.0
    assert back["ci95"][0] == -1.0


def test_no_difference_of_brier_scores_is_drawn_where_it_is_known_that_there_is_none(monkeypatch):
    monkeypatch.delattr("gliocast.evidence.comparison.bootstrap")
    outcome, first, second = scores(40, gain=1.0)
    found = compare_paired(outcome, first, second, are_probabilities=False)
    assert found["delta_brier"] == {"value": None, "ci95": None, "reason": NO_PROBABILITY}


ONE_OF_TEN = "cannot be told as one of 10 comparisons: counting all, p is"


@pytest.mark.parametrize(
    ("limits", "p_holm", "sentence"),
    [
        ((0.01, 0.20), 0.03, "better"),
        ((0.01, 0.20), 0.12, f"{ONE_OF_TEN} 0.120, not below 0.05"),
        ((0.01, 0.20), 0.0500358, f"{ONE_OF_TEN} 0.050, not below 0.05"),
        ((-0.10, 0.20), 0.12, "better"),  # whatever stood there: the interval alone had decided
        (None, None, "better"),
    ],
)
def test_one_of_several_comparisons_says_yes_only_where_holm_does_too(limits, p_holm, sentence):
    found = {"delta_auc": {"value": 0.1, "ci95": limits}, "verdict": "better"}
    assert as_one_of_several(found, p_holm, 10)["verdict"] == sentence


def test_difference_in_accuracy_by_hand():
    outcome = np.array([True, True, False, False] * 10)
    right, half = outcome, np.ones(40, dtype=bool)
    result = bootstrap_difference(outcome, right, half, metrics.accuracy, 500, seed=1)
    assert result["value"] == pytest.approx(0.5)
    assert result["ci95"][0] < 0.5 < result["ci95"][1]


def test_where_no_split_tests_both_outcomes_nothing_is_compared_and_the_verdict_says_so():
    """Two centres, in one of which everyone lives long, in the other nobody."""
    splits, outcome = np.repeat(["one", "other"], 10), np.repeat([True, False], 10)
    found = compare_paired(outcome, np.linspace(0, 1, 20), np.linspace(1, 0, 20), n_bootstrap=200, splits=splits)
    assert (found["delta_auc"]["value"], found["p_value"], found["n_needed"]) == (None, None, None)
    reason = "no long-term and short-term survivor in one split"
    assert found["verdict"] == f"cannot be told with 20 test patients: {reason}"
