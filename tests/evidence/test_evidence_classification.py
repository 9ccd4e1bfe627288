"""Measures of performance, against numbers counted by hand, scikit-learn, statsmodels and published intervals."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliocast.evidence import metrics
from gliocast.evidence.classification import PROBABILITY_MEASURES, confusion, performance
from gliocast.evidence.intervals import estimate, wilson

rng = np.random.default_rng(7)
OUTCOME = rng.random(120) < 0.5
PROBABILITY = np.clip(0.5 + 0.25 * (OUTCOME - 0.5) + rng.normal(0, 0.2, 120), 0.02, 0.98)
ALL = np.ones((1, 120))


def auc(outcome, probability, weights):
    return metrics.auc_within(np.zeros(len(outcome), dtype=int))(outcome, probability, weights)


def pr_auc(outcome, probability, weights):
    return metrics.pr_auc_within(np.zeros(len(outcome), dtype=int))(outcome, probability, weights)


def calibration_slope(outcome, probability, weights):
    return metrics.calibration_slope_within(np.zeros(len(outcome), dtype=int))(outcome, probability, weights)


def from_counts(tp, fp, fn, tn):
    outcome = np.repeat([True, False, True, False], [tp, fp, fn, tn])
    predicted = np.repeat([True, True, False, False], [tp, fp, fn, tn])
    return outcome, predicted


def test_wilson_interval_is_newcombes_worked_example():
    result = wilson(81, 263)  # Newcombe 1998, Statistics in Medicine 17, 857–872, Table I
    assert result["ci95"] == pytest.approx([0.2553, 0.3662], abs=5e-5)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_is_that_of_statsmodels(case):
    from statsmodels.stats.proportion import proportion_confint

    assert wilson(*case)["ci95"] == pytest.approx(proportion_confint(*case, method="wilson"), abs=1e-12)


def test_wilson_interval_reaches_zero_and_one_exactly():
    assert wilson(0, 9)["ci95"][0] == 0.0
    assert wilson(9, 9)["ci95"][1] == 1.0


def test_nobody_counted_is_null_with_a_reason():
    assert wilson(0, 0) == {"value": None, "ci95": None, "reason": "no patient to count"}


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_cannot_be_computed_is_null_with_a_reason(value):
    assert estimate(value, (0.1, 0.2), "too few")["value"] is None
    assert estimate(value, (0.1, 0.2), "too few") == {"value": None, "ci95": None, "reason": "too few"}


@pytest.mark.parametrize(
    ("cells", "measure", "value", "ci95"),
    [  # Moreau et al., Tables 2 and 4, with Wilson's intervals
        ((71, 35, 18, 51), "accuracy", 0.6971, [0.625, 0.760]),
        ((71, 35, 18, 51), "sensitivity", 0.7978, [0.703, 0.868]),
        ((71, 35, 18, 51), "specificity", 0.5930, [0.487, 0.691]),
        ((27, 2, 5, 36), "accuracy", 0.9000, [0.808, 0.951]),
        ((27, 2, 5, 36), "sensitivity", 0.8438, [0.682, 0.931]),
        ((27, 2, 5, 36), "specificity", 0.9474, [0.827, 0.985]),
    ],
)
def test_the_papers_counts_give_the_papers_measures(cells, measure, value, ci95):
    outcome, predicted = from_counts(*cells)
    result = performance(outcome, None, predicted, 200, seed=1)
    assert result[measure]["value"] == pytest.approx(value, abs=5e-5)
    assert result[measure]["ci95"] == pytest.approx(ci95, abs=1e-3)


def test_surgery_rules_matthews_correlation_is_four_tenths():
    outcome, predicted = from_counts(71, 35, 18, 51)
    assert performance(outcome, None, predicted, 200, seed=1)["mcc"]["value"] == pytest.approx(0.400, abs=5e-4)


def test_a_rule_is_ranked_by_its_answers_and_has_no_calibration():
    outcome, predicted = from_counts(71, 35, 18, 51)
    result = performance(outcome, None, predicted, 200, seed=1)
    assert result["auc"]["value"] == pytest.approx(result["balanced_accuracy"]["value"])
    assert all(result[name]["value"] is None and result[name]["reason"] for name in PROBABILITY_MEASURES)


def test_every_measure_has_a_value_and_an_interval():
    result = performance(OUTCOME, PROBABILITY, PROBABILITY >= 0.5, 400, seed=1)
    measures = {name: value for name, value in result.items() if isinstance(value, dict)}
    assert len(measures) == 15
    measures.pop("ece")
    for name, measure in measures.items():
        low, high = measure["ci95"]
        assert low <= measure["value"] <= high, name


def test_the_calibration_error_has_no_interval_and_says_why():
    outcome, probability = np.array([False, False, True, True]), np.array([0.25, 0.25, 0.75, 0.75])
    result = performance(outcome, probability, probability >= 0.5, 200, seed=1)
    assert result["ece"]["value"] == pytest.approx(0.25)
    assert result["ece"]["ci95"] is None
    assert "a bootstrap interval misses" in result["ece"]["reason"]


def test_the_same_seed_gives_the_same_intervals():
    first, second = (performance(OUTCOME, PROBABILITY, PROBABILITY >= 0.5, 300, seed=3) for _ in range(2))
    assert first == second


@settings(max_examples=10)
@given(st.randoms(use_true_random=False))
def test_values_do_not_depend_on_the_order_of_patients(random):
    order = np.array(random.sample(range(120), 120))
    shuffled = performance(OUTCOME[order], PROBABILITY[order], PROBABILITY[order] >= 0.5, 200, seed=1)
    ours = performance(OUTCOME, PROBABILITY, PROBABILITY >= 0.5, 200, seed=1)
    for name in ("accuracy", "auc", "pr_auc", "brier", "log_loss", "calibration_slope", "ece"):
        assert shuffled[name]["value"] == pytest.approx(ours[name]["value"], abs=1e-12)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (auc, "roc_auc_score"),
        (pr_auc, "average_precision_score"),
        (metrics.brier, "brier_score_loss"),
        (metrics.log_loss, "log_loss"),
    ],
)
@pytest.mark.parametrize("digits", [8, 1])  # one digit: many ties
def test_measures_of_probabilities_are_those_of_scikit_learn(ours, theirs, digits):
    import sklearn.metrics

    probability = np.clip(PROBABILITY.round(digits), 0.05, 0.95)
    assert ours(OUTCOME, probability, ALL)[0] == pytest.approx(getattr(sklearn.metrics, theirs)(OUTCOME, probability))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (metrics.accuracy, "accuracy_score"),
        (metrics.balanced_accuracy, "balanced_accuracy_score"),
        (metrics.sensitivity, "recall_score"),
        (metrics.ppv, "precision_score"),
        (metrics.f1, "f1_score"),
        (metrics.mcc, "matthews_corrcoef"),
    ],
)
def test_measures_of_answers_are_those_of_scikit_learn(ours, theirs):
    import sklearn.metrics

    predicted = PROBABILITY >= 0.5
    found = ours(metrics.counts(OUTCOME, predicted, ALL))[0]
    assert found == pytest.approx(getattr(sklearn.metrics, theirs)(OUTCOME, predicted))


def test_specificity_and_npv_are_sensitivity_and_ppv_of_the_other_class_in_scikit_learn():
    from sklearn.metrics import precision_score, recall_score

    predicted = PROBABILITY >= 0.5
    c = metrics.counts(OUTCOME, predicted, ALL)
    assert metrics.specificity(c)[0] == pytest.approx(recall_score(OUTCOME, predicted, pos_label=False))
    assert metrics.npv(c)[0] == pytest.approx(precision_score(OUTCOME, predicted, pos_label=False))


def test_drawing_a_patient_twice_equals_having_two_of_them():
    weights = np.ones((1, 120))
    weights[0, :5] = 2
    twice = np.r_[np.arange(120), np.arange(5)]
    for measure in (auc, pr_auc, calibration_slope, metrics.log_loss):
        repeated = measure(OUTCOME[twice], PROBABILITY[twice], np.ones((1, 125)))
        assert measure(OUTCOME, PROBABILITY, weights) == pytest.approx(repeated)


def test_calibration_is_that_of_a_logistic_regression_in_statsmodels():
    import statsmodels.api as sm

    logit = np.log(PROBABILITY / (1 - PROBABILITY))
    slope = sm.GLM(OUTCOME.astype(float), sm.add_constant(logit), family=sm.families.Binomial()).fit().params[1]
    offset = sm.GLM(OUTCOME.astype(float), np.ones(120), family=sm.families.Binomial(), offset=logit).fit().params[0]
    assert calibration_slope(OUTCOME, PROBABILITY, ALL)[0] == pytest.approx(slope, abs=1e-6)
    assert metrics.calibration_intercept(OUTCOME, PROBABILITY, ALL)[0] == pytest.approx(offset, abs=1e-6)


def test_a_logit_is_kept_a_millionth_from_certainty():
    assert metrics.logit(np.array([0.0, 0.5, 1.0])) == pytest.approx([-np.log(999_999), 0, np.log(999_999)])


def test_certain_probabilities_that_err_have_a_calibration_intercept():
    certain = np.array([1.0] * 20 + [0.0] * 15)
    outcome = certain.astype(bool) ^ (np.arange(35) >= 32)  # three of those called dead live
    intercept = metrics.calibration_intercept(outcome, certain, np.ones((1, 35)))[0]
    expected = 1 / (1 + np.exp(-(metrics.logit(certain) + intercept)))
    assert expected.sum() == pytest.approx(outcome.sum())  # its definition: as many are expected as there are
    assert intercept == pytest.approx(np.log(1e6) + np.log(3 / 12), abs=1e-3)  # three of the fifteen live


def test_classes_that_lie_apart_have_no_calibration_slope():
    outcome = np.array([False] * 5 + [True] * 5)
    assert np.isnan(calibration_slope(outcome, np.linspace(0.1, 0.9, 10), np.ones((1, 10)))[0])


def test_expected_calibration_error_by_hand():
    outcome = np.array([True, False, True, True])  # bin 0.2: 1 of 2, 0.3 too few; bin 0.9: 2 of 2, 0.1 too few
    probability = np.array([0.2, 0.2, 0.9, 0.9])
    assert metrics.expected_calibration_error(10)(outcome, probability, np.ones((1, 4)))[0] == pytest.approx(0.2)


def test_expected_calibration_error_is_the_weighted_distance_of_scikit_learns_calibration_curve():
    from sklearn.calibration import calibration_curve

    observed, predicted = calibration_curve(OUTCOME, PROBABILITY, n_bins=10, strategy="uniform")
    n = np.histogram(PROBABILITY, bins=10, range=(0, 1))[0]
    expected = np.average(np.abs(observed - predicted), weights=n[n > 0])
    assert metrics.expected_calibration_error(10)(OUTCOME, PROBABILITY, ALL)[0] == pytest.approx(expected)


def test_probabilities_of_zero_and_one_still_have_a_log_loss():
    outcome, probability = np.array([True, False]), np.array([0.0, 1.0])
    assert metrics.log_loss(outcome, probability, np.ones((1, 2)))[0] == pytest.approx(-np.log(1e-6))


def test_slices_of_one_patient_widen_the_interval_instead_of_counting_as_nine_patients():
    patients = [f"P{number}" for number in range(40) for _ in range(9)]
    outcome, probability = np.repeat(OUTCOME[:40], 9), np.repeat(PROBABILITY[:40], 9)
    by_patient = performance(outcome, probability, probability >= 0.5, 800, seed=1, patients=patients)
    naive = performance(outcome, probability, probability >= 0.5, 800, seed=1)
    alone = performance(OUTCOME[:40], PROBABILITY[:40], PROBABILITY[:40] >= 0.5, 800, seed=1)
    for name in ("accuracy", "auc"):
        assert np.ptp(by_patient[name]["ci95"]) > 2 * np.ptp(naive[name]["ci95"])
        assert np.ptp(by_patient[name]["ci95"]) == pytest.approx(np.ptp(alone[name]["ci95"]), rel=0.15)


def test_patients_of_different_splits_are_not_ranked_against_each_other():
    """One number for everyone of a split; in the first a quarter live long, in the second three quarters."""
    splits = np.repeat(["first", "second"], 20)
    outcome = np.r_[np.arange(20) % 4 == 0, np.arange(20) % 4 != 0]
    level = np.repeat([0.25, 0.75], 20)
    assert performance(outcome, level, level > 0.5, 300, 1)["auc"]["value"] == 0.75  # as though it told patients apart
    within = performance(outcome, level, level > 0.5, 300, 1, splits=splits)["auc"]
    assert (within["value"], within["ci95"]) == (0.5, None)
    ranked = performance(outcome, level + 0.1 * outcome, level > 0.5, 300, 1, splits=splits)["auc"]
    assert ranked["value"] == 1.0


def test_one_probability_for_everyone_of_a_split_has_no_calibration_slope():
    """A quarter and three quarters live long; each split is told the share of the other, which it trains on."""
    splits = np.repeat(["first", "second"], 20)
    outcome = np.r_[np.arange(20) % 4 == 0, np.arange(20) % 4 != 0]
    share = np.repeat([0.75, 0.25], 20)
    assert performance(outcome, share, share > 0.5, 300, 1)["calibration_slope"]["value"] == pytest.approx(-1)
    found = performance(outcome, share, share > 0.5, 300, 1, splits=splits)
    assert found["calibration_slope"]["value"] is None
    assert found["calibration_slope"]["reason"].startswith("everyone of a split is told the same")
    assert found["calibration_intercept"]["value"] == pytest.approx(0)


def test_a_split_whose_patients_live_longer_than_those_learnt_from_bends_no_calibration_slope():
    """Of those who are told 0.2, 0.5 and 0.8 just so many live long: the slope is 1.

    The second split's model says the same with each logit 3 too low: it is too hopeless, but not too sure.
    """
    said = np.repeat([0.2, 0.5, 0.8], 20)
    outcome = np.concatenate([np.arange(20) < n_long for n_long in (4, 10, 16)])
    lowered = 1 / (1 + np.exp(3 - metrics.logit(said)))
    splits, twice = np.repeat(["first", "second"], 60), np.tile(outcome, 2)
    both = np.r_[said, lowered]
    within = performance(twice, both, both > 0.5, 300, 1, splits=splits)["calibration_slope"]
    assert within["value"] == pytest.approx(1)
    assert within["ci95"][0] < 1 < within["ci95"][1]
    assert performance(twice, both, both > 0.5, 300, 1)["calibration_slope"]["value"] < 0.4


def test_a_calibration_slope_over_splits_is_that_of_a_regression_with_their_indicators_in_statsmodels():
    import statsmodels.api as sm

    splits = np.repeat([0, 1, 2], [50, 60, 10])
    outcome = np.where(splits == 2, True, OUTCOME)  # the last lives long throughout, and tells nothing of the slope
    logit, told = metrics.logit(PROBABILITY), splits < 2
    design = np.column_stack([splits == 0, splits == 1, logit])[told].astype(float)
    expected = sm.GLM(outcome[told].astype(float), design, family=sm.families.Binomial()).fit().params[2]
    assert metrics.calibration_slope_within(splits)(outcome, PROBABILITY, ALL)[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "expected", "weight"),
    [
        ("auc", "roc_auc_score", lambda outcome: outcome.sum() * (~outcome).sum()),
        ("pr_auc", "average_precision_score", np.sum),
    ],
)
def test_a_rank_measure_of_two_splits_is_the_weighted_mean_of_those_of_scikit_learn(name, expected, weight):
    import sklearn.metrics

    splits = np.repeat(["first", "second"], [15, 25])
    outcome, probability = OUTCOME[:40], PROBABILITY[:40]
    parts = [(outcome[splits == split], probability[splits == split]) for split in ("first", "second")]
    mean = np.average(
        [getattr(sklearn.metrics, expected)(*part) for part in parts], weights=[weight(part[0]) for part in parts]
    )
    for scored in (probability, np.where(splits == "first", probability / 9, probability)):  # another scale, same ranks
        found = performance(outcome, scored, scored > 0.5, 300, 1, splits=splits)[name]
        assert found["value"] == pytest.approx(mean)
        assert found["ci95"][0] < mean < found["ci95"][1]


def test_a_split_of_long_term_survivors_alone_adds_nothing_to_the_area_under_the_precision_recall_curve_by_hand():
    """The second split ranks its short-term survivor first: half of those who score no lower than the other."""
    splits, outcome = np.array([0, 0, 0, 1, 1]), np.array([True, True, True, False, True])
    found = metrics.pr_auc_within(splits)(outcome, np.array([0.9, 0.5, 0.1, 0.8, 0.3]), np.ones((1, 5)))
    assert found[0] == 0.5
    alone = performance(outcome[:3], np.full(3, 0.7), outcome[:3], 200, seed=1)["pr_auc"]
    assert (alone["value"], alone["reason"]) == (None, "no long-term and short-term survivor in one split")


def test_chance_raises_the_area_under_the_precision_recall_curve_of_few_patients_as_the_page_says():
    """Each patient equally likely at each place: of two, whose mean by hand is 3/4, and of 22, of whom 13 live long."""
    assert np.mean([average_precision([True, False]), average_precision([False, True])]) == 0.75
    generator, outcome = np.random.default_rng(1), np.arange(22) < 13
    drawn = [average_precision(generator.permutation(outcome)) for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(0.64, abs=0.005)
    assert outcome.mean() == pytest.approx(0.59, abs=0.005)


def average_precision(ranked):
    """Of patients in the order of their scores, the highest first."""
    outcome, score = np.array(ranked), -np.arange(float(len(ranked)))
    return metrics.pr_auc_within(np.zeros(len(ranked)))(outcome, score, np.ones((1, len(ranked))))[0]


def test_one_split_alone_keeps_delongs_interval():
    outcome, score = np.array([True, False, True, False, False, True]), np.array([0.9, 0.2, 0.4, 0.5, 0.1, 0.7])
    alone = performance(outcome, score, score > 0.5, 300, 1, splits=["holdout"] * 6)
    assert alone["auc"] == performance(outcome, score, score > 0.5, 300, 1)["auc"]


def test_no_patients_give_nulls_with_reasons_and_valid_json():
    nobody = np.array([], dtype=bool)
    result = performance(nobody, np.array([], dtype=float), nobody, 200, seed=1)
    assert result["n"] == 0
    assert all(value["value"] is None and value["reason"] for value in result.values() if isinstance(value, dict))
    json.dumps(result, allow_nan=False)


def test_one_class_alone_gives_nulls_with_reasons_and_valid_json():
    result = performance(np.ones(5, dtype=bool), np.full(5, 0.7), np.ones(5, dtype=bool), 200, seed=1)
    assert result["auc"]["reason"] == "only one outcome class among these patients"
    assert result["specificity"]["value"] is None
    json.dumps(result, allow_nan=False)


def test_confusion_counts_long_term_survivors_as_positive():
    outcome, predicted = np.array([True, True, False]), np.array([True, False, True])
    assert confusion(outcome, predicted) == {"n": 3, "tp": 1, "fp": 1, "fn": 1, "tn": 0}
