"""Time to event: measures against scikit-survival, models on a planted effect, the sweep by hand."""

import json

import numpy as np
import pytest

from gliocast.evidence.survival_metrics import Followup, SurvivalPrediction, censoring_weights, survival_performance
from gliocast.evidence.survival_models import MODELS, _person_periods
from gliocast.evidence.threshold_sweep import sweep_threshold

TIMES = np.array([120.0, 240.0, 360.0, 480.0])


def simulated(n, seed, effect=1.0, shape=lambda feature: feature):
    """Exponential survival whose hazard doubles or more with the first feature; a quarter is censored."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(n, 3))
    died_at = generator.exponential(350 / np.exp(effect * shape(features[:, 0])))
    lost_at = generator.uniform(100, 1500, n)
    days = np.ceil(np.minimum(died_at, lost_at))
    return features, Followup(days, died_at <= lost_at)


FEATURES, TRAINING = simulated(150, 1)
TEST_FEATURES, TEST = simulated(80, 2)
RISK = TEST_FEATURES[:, 0].round(1)  # rounded: ties
SURVIVAL = np.exp(-np.exp(RISK)[:, None] * TIMES / 350)
FOUND = survival_performance(SurvivalPrediction(RISK, TIMES, SURVIVAL), TEST, TRAINING, (180, 332), 300, seed=1)


def structured(followup):
    return np.array(list(zip(followup.died, followup.days, strict=True)), dtype=[("died", bool), ("days", float)])


def test_harrells_c_is_that_of_scikit_survival():
    from sksurv.metrics import concordance_index_censored

    assert FOUND["harrell_c"]["value"] == pytest.approx(concordance_index_censored(TEST.died, TEST.days, RISK)[0])


def test_unos_c_is_that_of_scikit_survival():
    from sksurv.metrics import concordance_index_ipcw

    expected = concordance_index_ipcw(structured(TRAINING), structured(TEST), RISK)[0]
    assert FOUND["uno_c"]["value"] == pytest.approx(expected)


@pytest.mark.parametrize("horizon", [180, 332])
def test_auc_at_a_horizon_is_that_of_scikit_survival(horizon):
    from sksurv.metrics import cumulative_dynamic_auc

    expected = cumulative_dynamic_auc(structured(TRAINING), structured(TEST), RISK, [horizon])[0][0]
    assert FOUND[f"auc_{horizon}_days"]["value"] == pytest.approx(expected)


def test_integrated_brier_score_is_that_of_scikit_survival():
    from sksurv.metrics import integrated_brier_score

    expected = integrated_brier_score(structured(TRAINING), structured(TEST), SURVIVAL, TIMES)
    assert FOUND["integrated_brier"]["value"] == pytest.approx(expected)


def test_every_measure_has_an_interval_around_its_value():
    for name in ("harrell_c", "uno_c", "integrated_brier", "auc_180_days", "auc_332_days"):
        low, high = FOUND[name]["ci95"]
        assert low < FOUND[name]["value"] < high, name


def test_without_censoring_nobody_is_weighed():
    everyone = Followup(np.array([1.0, 2.0, 3.0]), np.ones(3, dtype=bool))
    assert censoring_weights(everyone, np.array([0.5, 2.0, 9.0])).tolist() == [1, 1, 1]


def test_three_patients_by_hand():
    test = Followup(np.array([100.0, 200.0, 300.0]), np.array([True, False, True]))
    prediction = SurvivalPrediction(np.array([2.0, 3.0, 1.0]), TIMES, np.full((3, 4), 0.5))
    found = survival_performance(prediction, test, test, (150,), 200, seed=1)
    assert found["harrell_c"]["value"] == pytest.approx(0.5)  # of the pairs (1, 2) and (1, 3), one is right
    assert (found["n"], found["n_died"]) == (3, 2)


def test_nobody_dead_gives_nulls_with_reasons():
    alive = Followup(np.array([100.0, 200.0]), np.array([False, False]))
    found = survival_performance(
        SurvivalPrediction(np.array([1.0, 2.0]), TIMES, np.full((2, 4), 0.5)), alive, TRAINING, (180,), 200, seed=1
    )
    assert found["harrell_c"]["value"] is None
    assert found["harrell_c"]["reason"] == "no two patients whose order of death is known"
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("name", MODELS)
def test_each_model_finds_a_planted_effect(name):
    prediction = MODELS[name](FEATURES, TRAINING, TEST_FEATURES, TIMES, 1)
    assert np.corrcoef(prediction.risk, TEST_FEATURES[:, 0])[0, 1] > 0.7
    assert ((prediction.survival >= 0) & (prediction.survival <= 1)).all()
    assert (np.diff(prediction.survival, axis=1) <= 1e-12).all()
    best = survival_performance(prediction, TEST, TRAINING, (332,), 200, seed=1)
    assert best["harrell_c"]["value"] > 0.65
    assert best["integrated_brier"]["value"] < 0.25


@pytest.mark.parametrize("name", MODELS)
def test_each_model_without_effect_predicts_the_cohorts_survival(name):
    features, training = simulated(600, 3, effect=0.0)
    prediction = MODELS[name](features, training, features, TIMES, 1)
    assert prediction.survival.mean(axis=0) == pytest.approx(np.exp(-TIMES / 350), abs=0.06)


def test_a_hazard_that_is_high_at_both_ends_is_found_by_the_network_and_not_by_what_is_linear():
    (features, training), (others, test) = (simulated(n, seed, 1.2, np.square) for n, seed in ((300, 5), (300, 6)))
    found = {
        name: survival_performance(MODELS[name](features, training, others, TIMES, 1), test, training, (332,), 200, 1)
        for name in ("cox", "discrete_time_hazard", "discrete_time_network")
    }
    for linear in ("cox", "discrete_time_hazard"):
        assert found[linear]["uno_c"]["value"] < 0.58
        assert found["discrete_time_network"]["uno_c"]["ci95"][0] > found[linear]["uno_c"]["ci95"][1]
        assert found["discrete_time_network"]["auc_332_days"]["value"] > found[linear]["auc_332_days"]["value"] + 0.1
        assert found["discrete_time_network"]["integrated_brier"]["value"] < found[linear]["integrated_brier"]["value"]


def test_the_same_seed_gives_the_same_networks():
    network = MODELS["discrete_time_network"]
    first, second, other = (network(FEATURES, TRAINING, TEST_FEATURES, TIMES, seed) for seed in (1, 1, 20))
    np.testing.assert_array_equal(first.survival, second.survival)
    assert not np.array_equal(first.survival, other.survival)


def test_person_periods_by_hand():
    followup = Followup(np.array([15.0, 25.0, 12.0]), np.array([True, False, False]))
    rows, interval, dies = _person_periods(followup, np.array([0.0, 10.0, 20.0, 30.0]))
    # the first dies in the second interval; the second lived through two; the third left early in the second
    assert list(zip(rows.tolist(), interval.tolist(), dies.tolist(), strict=True)) == [
        (0, 0, False),
        (0, 1, True),
        (1, 0, False),
        (1, 1, False),
        (2, 0, False),
    ]


def test_sweep_counts_who_is_undetermined_at_each_threshold():
    days, died = np.array([100.0, 200.0, 300.0, 400.0]), np.array([True, False, True, False])
    table = sweep_threshold(days, died, np.array([0.1, 0.5, 0.4, 0.9]), "clinical", [150, 332], minimum=2)
    assert table["n"].tolist() == [4, 3]
    assert table["n_undetermined"].tolist() == [0, 1]  # alive on day 200: long-term at 150, unknown at 332
    assert table["n_long_term"].tolist() == [3, 1]
    assert table["auc"].tolist() == [1.0, 1.0]


def test_sweep_says_too_few():
    table = sweep_threshold(np.array([100.0]), np.array([True]), np.array([0.1]), "clinical", [332], minimum=10)
    assert table["note"].tolist() == ["too few"]
