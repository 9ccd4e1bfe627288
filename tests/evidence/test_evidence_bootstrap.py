"""The bootstrap, against Efron's own example and the law that it must obey."""

import numpy as np
import pytest

from gliocast.evidence.bootstrap import (
    _acceleration,
    as_clusters,
    bca_interval,
    bca_p_value,
    bootstrap,
    jackknifed,
    resampled,
)

# Spatial test, score A, of 26 children: Efron and Tibshirani 1993, An Introduction to the Bootstrap, Table 14.1.
SPATIAL_A = np.array(
    [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41], dtype=float
)


def weighted_variance(values):
    def statistic(weights):
        n = weights.sum(axis=1)
        mean = weights @ values / n
        return weights @ values**2 / n - mean**2

    return statistic


def test_bca_interval_is_efrons_worked_example():
    result = bootstrap(weighted_variance(SPATIAL_A), np.arange(26), 20_000, seed=1)
    assert result["value"] == pytest.approx(171.5, abs=0.05)
    assert result["ci95"] == pytest.approx([106.3, 278.3], rel=0.02)


def test_bca_at_ninety_percent_is_the_interval_printed_by_efron(monkeypatch):
    monkeypatch.setattr("gliocast.evidence.bootstrap.CONFIDENCE", 0.90)
    result = bootstrap(weighted_variance(SPATIAL_A), np.arange(26), 20_000, seed=1)
    assert result["ci95"] == pytest.approx([115.8, 259.6], rel=0.02)  # their Table 14.2, 2000 resamples


def test_the_p_of_efrons_interval_is_the_level_at_which_it_ends(monkeypatch):
    """0 put where an interval ends has the p that the interval leaves: 0.05, 0.10 of the one that Efron prints."""
    clusters, variance = np.arange(26), weighted_variance(SPATIAL_A)
    drawn, without_one = variance(resampled(clusters, 20_000, seed=1)), variance(jackknifed(clusters))
    for level in (0.95, 0.90):
        monkeypatch.setattr("gliocast.evidence.bootstrap.CONFIDENCE", level)
        for end in bca_interval(171.5, drawn, without_one):
            assert bca_p_value(171.5 - end, drawn - end, without_one - end) == pytest.approx(1 - level, rel=0.02)


def test_without_bias_and_skew_the_p_is_twice_the_share_of_resamples_beyond_zero():
    resamples = np.arange(-2.0, 99.0) + 0.5  # 2 of 101 below 0, as many above 96 as below 0; their middle is 48.5
    assert bca_p_value(48.5, resamples, np.array([48.0, 48.5, 49.0])) == pytest.approx(4 / 101)
    assert bca_p_value(148.5, resamples + 100, np.array([148.0, 148.5, 149.0])) == pytest.approx(1 / 101)  # none beyond


def test_what_has_no_interval_has_no_p():
    assert bca_p_value(1.0, np.full(50, 1.0), np.array([1.0, 1.0])) is None


def test_bca_interval_is_that_of_scipy():
    from scipy.stats import bootstrap as scipy_bootstrap

    theirs = scipy_bootstrap((SPATIAL_A,), np.var, n_resamples=20_000, rng=np.random.default_rng(2), method="BCa")
    ours = bootstrap(weighted_variance(SPATIAL_A), np.arange(26), 20_000, seed=1)["ci95"]
    assert ours == pytest.approx(list(theirs.confidence_interval), rel=0.02)


def test_acceleration_by_hand():
    # mean 1, so influences 1, 1 and -2: the cubes add up to -6, the squares to 6
    assert _acceleration(np.array([0.0, 0.0, 3.0, np.nan])) == pytest.approx(-6 / (6 * 6**1.5))


def test_resamples_equal_to_the_estimate_lie_half_below_it():
    resamples = np.array([0.0, 1.0, 1.0, 1.0, 2.0])  # 1 + 3/2 of 5 lie below 1: no bias, so the plain percentiles
    assert bca_interval(1.0, resamples, np.ones(5)) == pytest.approx(tuple(np.quantile(resamples, [0.025, 0.975])))


def test_a_patient_is_drawn_with_all_observations():
    clusters = as_clusters(["B", "A", "B", "C"], 4)
    drawn = resampled(clusters, 50, seed=1)
    assert (drawn[:, 0] == drawn[:, 2]).all()
    assert (drawn[:, [0, 1, 3]].sum(axis=1) == 3).all()  # three patients in, three patients out


def test_jackknife_leaves_one_patient_out_at_a_time():
    assert jackknifed(np.array([0, 0, 1])).tolist() == [[0, 0, 1], [1, 1, 0]]


def test_a_statistic_that_hardly_any_resample_has_gets_no_interval():
    reason = bca_interval(0.5, np.r_[np.full(80, np.nan), np.linspace(0, 1, 20)], np.ones(5))
    assert reason == "not defined in 80 of 100 bootstrap resamples"


def test_a_statistic_that_never_changes_gets_no_interval():
    assert bca_interval(1.0, np.ones(100), np.ones(5)) == "the same in every bootstrap resample"


def test_differences_that_are_equal_but_for_rounding_are_ties():
    """0.8 - 0.7 is a little more than 0.1, 0.5 - 0.4 a little less; half of these resamples lie at the estimate."""
    steps = np.arange(1, 51) / 100
    resamples = np.concatenate([np.repeat([0.8 - 0.7, 0.5 - 0.4], 50), 0.1 - steps, 0.1 + steps])
    interval = bca_interval(0.8 - 0.7, resamples, np.array([0.0, 0.1, 0.2]))
    assert interval == pytest.approx((-0.35025, 0.55025))  # no bias, no skew: 2.5 % of the resamples on either side


def test_what_differs_by_rounding_alone_has_no_interval():
    squares = np.full(7, 0.1)  # whose weighted mean is 0.1, or the number beside it
    found = bootstrap(lambda weights: weights @ squares / weights.sum(axis=1), np.arange(7), 100, seed=1)
    assert found == {"value": pytest.approx(0.1), "ci95": None, "reason": "the same in every bootstrap resample"}
