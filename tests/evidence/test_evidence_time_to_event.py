"""Time to event: measures against scikit-survival, models on a planted effect, the sweep by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from gliocast.cohort.labels import outcomes
from gliocast.evidence.auc import delong
from gliocast.evidence.survival_metrics import (
    Followup,
    ScoredSplit,
    SurvivalPrediction,
    _concordance,
    _dead_and_alive,
    _integrated_brier,
    _ordered_and_weighed,
    censoring_weights,
    known_alive_share,
    survival_performance,
)
from gliocast.evidence.survival_models import MODELS, _person_periods
from gliocast.evidence.threshold_sweep import sweep_threshold
from gliocast.types import LONG_TERM

TIMES = np.array([120.0, 240.0, 360.0, 480.0])


def simulated(n, seed, effect=1.0, shape=lambda feature: feature):
    """Exponential survival whose hazard doubles or more with the first feature; a quarter is censored."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(n, 3))
    died_at = generator.exponential(350 / np.exp(effect * shape(features[:, 0])))
    lost_at = generator.uniform(100, 1500, n)
    days = np.ceil(np.minimum(died_at, lost_at))
    return features, Followup(days, died_at <= lost_at)


def names(followup, letter="P"):
    return tuple(f"{letter}{number:03d}" for number in range(len(followup.days)))


def one_split(prediction, test, training, horizons, n_bootstrap=200):
    """The performance of one model that has scored everyone."""
    return survival_performance([ScoredSplit(names(test), test, prediction, training)], horizons, n_bootstrap, seed=1)


FEATURES, TRAINING = simulated(150, 1)
TEST_FEATURES, TEST = simulated(80, 2)
RISK = TEST_FEATURES[:, 0].round(1)  # rounded: ties
SURVIVAL = np.exp(-np.exp(RISK)[:, None] * TIMES / 350)
FOUND = one_split(SurvivalPrediction(RISK, TIMES, SURVIVAL), TEST, TRAINING, (180, 332), 300)


def structured(followup):
    return np.array(list(zip(followup.died, followup.days, strict=True)), dtype=[("died", bool), ("days", float)])


def test_harrells_c_is_that_of_scikit_survival():
    from sksurv.metrics import concordance_index_censored

    assert FOUND["harrell_c"]["value"] == pytest.approx(concordance_index_censored(TEST.died, TEST.days, RISK)[0])


def test_unos_c_is_that_of_scikit_survival():
    from sksurv.metrics import concordance_index_ipcw

    expected = concordance_index_ipcw(structured(TRAINING), structured(TEST), RISK)[0]
    assert FOUND["uno_c"]["value"] == pytest.approx(expected)


def test_who_reaches_the_day_of_the_horizon_lives_to_it_as_the_outcome_has_it():
    """Two reach day 332, on which one of them dies and one is last seen: each is above one of the two dead before."""
    test = Followup(np.array([100.0, 331.0, 332.0, 332.0]), np.array([True, True, True, False]))
    prediction = SurvivalPrediction(np.array([4.0, 1.0, 3.0, 2.0]), TIMES, np.ones((4, len(TIMES))))
    long_term = outcomes(pd.Series(test.days), pd.Series(test.died), 332) == LONG_TERM
    found = one_split(prediction, test, Followup(test.days, np.ones(4, dtype=bool)), (332,))["auc_332_days"]["value"]
    assert found == delong(~long_term.to_numpy(dtype=bool), prediction.risk)["value"] == 0.5


def test_who_is_lost_on_the_day_of_the_threshold_or_horizon_has_reached_it_by_hand():
    """Of three training patients one was lost before day 332, and one on it."""
    training = Followup(np.array([200.0, 332.0, 400.0]), np.array([False, False, True]))
    prediction = SurvivalPrediction(np.zeros(2), TIMES, np.ones((2, len(TIMES))))
    tested = Followup(np.array([350.0, 100.0]), np.array([True, True]))
    classed, all_tested = (ScoredSplit(names(tested), tested, prediction, training, day) for day in (332.0, 0.0))
    assert known_alive_share(classed, np.array([100.0]))[0] == pytest.approx([2 / 3, 1])
    assert _dead_and_alive(332)(all_tested)[1] == pytest.approx([3 / 2, 0])


@pytest.mark.parametrize("horizon", [180, 332])
def test_auc_at_a_horizon_is_that_of_scikit_survival(horizon):
    from sksurv.metrics import cumulative_dynamic_auc

    expected = cumulative_dynamic_auc(structured(TRAINING), structured(TEST), RISK, [horizon])[0][0]
    assert FOUND[f"auc_{horizon}_days"]["value"] == pytest.approx(expected)


def test_integrated_brier_score_is_that_of_scikit_survival_but_for_a_division_by_the_weights():
    from sksurv.metrics import brier_score
    from sksurv.nonparametric import CensoringDistributionEstimator

    _, by_number = brier_score(structured(TRAINING), structured(TEST), SURVIVAL, TIMES)
    censoring = CensoringDistributionEstimator().fit(structured(TRAINING))
    dead = TEST.died[:, None] & (TEST.days[:, None] <= TIMES)
    weights = censoring.predict_ipcw(structured(TEST)) @ dead
    weights += (TEST.days[:, None] > TIMES).sum(axis=0) / censoring.predict_proba(TIMES)
    expected = np.trapezoid(by_number * len(TEST.days) / weights, TIMES) / (TIMES[-1] - TIMES[0])
    assert FOUND["integrated_brier"]["value"] == pytest.approx(expected)


def test_brier_scores_by_hand():
    died = Followup(np.array([100.0, 300.0]), np.array([True, True]))
    prediction = SurvivalPrediction(np.array([1.0, 0.0]), np.array([50.0, 150.0]), np.array([[0.8, 0.6], [1.0, 0.7]]))
    found = one_split(prediction, died, died, (150,))
    # day 50: 0.2² and 0², mean 0.02; day 150: 0.6² and 0.3², mean 0.225; between them the mean of both
    assert found["integrated_brier"]["value"] == pytest.approx(0.1225)


def test_share_still_followed_by_hand():
    training = Followup(np.array([10.0, 20.0, 30.0, 40.0]), np.array([False, True, False, True]))
    days = np.array([9.0, 10.0, 29.0, 30.0, 50.0])  # lost: one of four on day 10, one of two on day 30
    assert censoring_weights(training, days).tolist() == pytest.approx([1, 3 / 4, 3 / 4, 3 / 8, 3 / 8])


def of_everyone_and_of_those_with_a_class(measure):
    """A measure of 3000 patients; of the two thirds with a class at 332 days; and as if these were everyone."""
    generator = np.random.default_rng(2)
    feature = generator.normal(size=3000)
    died_at, lost_at = np.ceil(generator.exponential(350 / np.exp(feature))), generator.uniform(30, 600, 3000)
    seen = Followup(np.minimum(died_at, lost_at), died_at <= lost_at)
    survival = np.exp(-np.exp(feature)[:, None] * TIMES / 350)
    everyone, classed = np.ones(3000, dtype=bool), seen.died | (seen.days >= 332)
    for who, known_from_days in ((everyone, 0.0), (classed, 332.0), (classed, 0.0)):
        test = Followup(seen.days[who], seen.died[who])
        prediction = SurvivalPrediction(feature[who], TIMES, survival[who])
        split = ScoredSplit(names(test), test, prediction, seen, known_from_days)
        yield measure([split])(np.ones((1, len(test.days))))[0]


@pytest.mark.parametrize(
    "measure",
    [
        lambda splits: _concordance(splits, _ordered_and_weighed),
        lambda splits: _concordance(splits, _dead_and_alive(100)),
        _integrated_brier,
    ],
    ids=["uno_c", "auc", "integrated_brier"],
)
def test_leaving_out_whom_nobody_could_class_changes_no_measure(measure):
    everyone, classed, as_if_everyone = of_everyone_and_of_those_with_a_class(measure)
    assert abs(classed - everyone) < abs(as_if_everyone - everyone) / 5
    assert abs(as_if_everyone - everyone) > 0.005


@pytest.mark.parametrize(("known_from_days", "share"), [(0.0, 1.0), (250.0, 2 / 3), (np.inf, 1 / 3)])
def test_a_tested_patient_was_followed_to_the_threshold_or_to_death_by_hand(known_from_days, share):
    """Of three training patients one was lost on day 200 and one on day 300; the tested one died on day 350."""
    training = Followup(np.array([200.0, 300.0, 400.0]), np.array([False, False, True]))
    prediction = SurvivalPrediction(np.zeros(1), TIMES, np.ones((1, len(TIMES))))
    tested = Followup(np.array([350.0]), np.array([True]))
    split = ScoredSplit(("P1",), tested, prediction, training, known_from_days)
    assert known_alive_share(split, np.array([100.0])) == pytest.approx(share)


def test_every_measure_has_an_interval_around_its_value():
    for name in ("harrell_c", "uno_c", "integrated_brier", "auc_180_days", "auc_332_days"):
        low, high = FOUND[name]["ci95"]
        assert low < FOUND[name]["value"] < high, name


def two_splits(shift=0.0):
    """Two halves of the test patients, each with a model of its own; the second's risks may stand on another scale."""
    first, second = slice(0, 30), slice(30, 80)
    (_, other_training), halves = simulated(120, 9), []
    for half, training, added in ((first, TRAINING, 0.0), (second, other_training, shift)):
        test = Followup(TEST.days[half], TEST.died[half])
        prediction = SurvivalPrediction(RISK[half] + added, TIMES, SURVIVAL[half])
        halves.append(ScoredSplit(names(TEST)[half], test, prediction, training))
    return halves


def weight_of_pairs(split):
    """Uno's weight of each split's comparable pairs, by scikit-survival's estimate of the censoring."""
    from sksurv.nonparametric import CensoringDistributionEstimator

    weights = CensoringDistributionEstimator().fit(structured(split.training)).predict_ipcw(structured(split.test))
    days = split.test.days
    later = (days[:, None] < days) | ((days[:, None] == days) & ~split.test.died)
    return (weights**2) @ later.sum(axis=1), weights


def test_pairs_of_two_splits_are_counted_in_each_as_scikit_survival_counts_them():
    from sksurv.metrics import concordance_index_censored

    right = pairs = 0
    for split in two_splits():
        _, more, less, tied, _ = concordance_index_censored(split.test.died, split.test.days, split.prediction.risk)
        right, pairs = right + more + tied / 2, pairs + more + less + tied
    found = survival_performance(two_splits(), (332,), 200, seed=1)
    assert found["harrell_c"]["value"] == pytest.approx(right / pairs)
    assert found["n"] == 80


def test_the_c_of_uno_over_two_splits_weighs_that_of_scikit_survival_by_its_pairs():
    from sksurv.metrics import concordance_index_ipcw

    parts = [
        (weight_of_pairs(split)[0], concordance_index_ipcw(structured(split.training), structured(split.test), risk)[0])
        for split in two_splits()
        for risk in [split.prediction.risk]
    ]
    expected = np.average([c for _, c in parts], weights=[weight for weight, _ in parts])
    found = survival_performance(two_splits(), (332,), 200, seed=1)
    assert found["uno_c"]["value"] == pytest.approx(expected)


def test_auc_at_a_horizon_over_two_splits_weighs_that_of_scikit_survival_by_its_pairs():
    from sksurv.metrics import cumulative_dynamic_auc

    areas, weights = [], []
    for split in two_splits():
        arguments = (structured(split.training), structured(split.test), split.prediction.risk, [332])
        areas.append(cumulative_dynamic_auc(*arguments)[0][0])
        dead = split.test.died & (split.test.days <= 332)
        alive_share = censoring_weights(split.training, np.array([332.0]))[0]
        weights.append(weight_of_pairs(split)[1][dead].sum() * (split.test.days > 332).sum() / alive_share)
    found = survival_performance(two_splits(), (332,), 200, seed=1)
    assert found["auc_332_days"]["value"] == pytest.approx(np.average(areas, weights=weights))


def test_the_scale_of_one_splits_risks_changes_no_measure():
    found, shifted = (survival_performance(two_splits(shift), (180, 332), 200, seed=1) for shift in (0.0, 100.0))
    assert found == shifted


def test_a_patient_tested_in_two_repeats_is_one_patient_with_the_same_interval():
    once = two_splits()[:1]
    found, repeated = (survival_performance(splits, (332,), 200, seed=1) for splits in (once, once * 2))
    assert repeated["n"] == 30
    for name in ("harrell_c", "uno_c", "integrated_brier", "auc_332_days"):
        assert repeated[name]["value"] == pytest.approx(found[name]["value"])
        assert repeated[name]["ci95"] == pytest.approx(found[name]["ci95"])


def test_without_censoring_nobody_is_weighed():
    everyone = Followup(np.array([1.0, 2.0, 3.0]), np.ones(3, dtype=bool))
    assert censoring_weights(everyone, np.array([0.5, 2.0, 9.0])).tolist() == [1, 1, 1]


def test_three_patients_by_hand():
    test = Followup(np.array([100.0, 200.0, 300.0]), np.array([True, False, True]))
    prediction = SurvivalPrediction(np.array([2.0, 3.0, 1.0]), TIMES, np.full((3, 4), 0.5))
    found = one_split(prediction, test, test, (150,))
    assert found["harrell_c"]["value"] == pytest.approx(0.5)  # of the pairs (1, 2) and (1, 3), one is right
    assert (found["n"], found["n_died"]) == (3, 2)


def test_a_patient_who_is_drawn_twice_makes_two_pairs_with_each_other_patient():
    test = Followup(np.array([100.0, 200.0, 300.0]), np.array([True, True, True]))
    split = ScoredSplit(names(test), test, SurvivalPrediction(np.array([2.0, 3.0, 1.0]), TIMES, np.ones((3, 4))), test)
    measure = _concordance([split], lambda split: (split.test.days[:, None] < split.test.days).astype(float))
    # right are (1, 3) and (2, 3) of three pairs; with patient 1 drawn twice (1, 3) twice, (2, 3) of five; (1, 2) none
    assert measure(np.array([[1.0, 1, 1], [2, 1, 1], [2, 1, 0]])).tolist() == pytest.approx([2 / 3, 3 / 5, 0])


def test_nobody_dead_gives_nulls_with_reasons():
    alive = Followup(np.array([100.0, 200.0]), np.array([False, False]))
    prediction = SurvivalPrediction(np.array([1.0, 2.0]), TIMES, np.full((2, 4), 0.5))
    found = one_split(prediction, alive, TRAINING, (180,))
    assert found["harrell_c"]["value"] is None
    assert found["harrell_c"]["reason"] == "no two patients whose order of death is known"
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("name", MODELS)
def test_each_model_finds_a_planted_effect(name):
    prediction = MODELS[name](FEATURES, TRAINING, TEST_FEATURES, TIMES, 1)
    assert np.corrcoef(prediction.risk, TEST_FEATURES[:, 0])[0, 1] > 0.7
    assert ((prediction.survival >= 0) & (prediction.survival <= 1)).all()
    assert (np.diff(prediction.survival, axis=1) <= 1e-12).all()
    best = one_split(prediction, TEST, TRAINING, (332,))
    assert best["harrell_c"]["value"] > 0.65
    assert best["integrated_brier"]["value"] < 0.25


def test_the_penalty_grows_with_the_patients_so_that_twice_the_same_ones_say_the_same():
    twice = Followup(np.tile(TRAINING.days, 2), np.tile(TRAINING.died, 2))
    once = MODELS["cox"](FEATURES, TRAINING, TEST_FEATURES, TIMES, 1)
    doubled = MODELS["cox"](np.tile(FEATURES, (2, 1)), twice, TEST_FEATURES, TIMES, 1)
    assert doubled.survival == pytest.approx(once.survival, abs=1e-6)


def test_on_a_day_of_death_a_model_counts_the_dead_of_that_day():
    training = Followup(np.array([100.0, 200.0, 300.0, 400.0]), np.ones(4, dtype=bool))
    same = np.array([[0.0], [1.0], [0.0], [1.0]])
    prediction = MODELS["cox"](same, training, same, np.array([99.0, 100.0, 400.0]), 1)
    before, on_the_day, at_the_end = prediction.survival.T
    assert (before == 1).all()
    assert (on_the_day < 1).all()
    assert (at_the_end < 0.5).all()


@pytest.mark.parametrize("name", MODELS)
def test_each_model_without_effect_predicts_the_cohorts_survival(name):
    features, training = simulated(600, 3, effect=0.0)
    prediction = MODELS[name](features, training, features, TIMES, 1)
    assert prediction.survival.mean(axis=0) == pytest.approx(np.exp(-TIMES / 350), abs=0.06)


def test_a_hazard_that_is_high_at_both_ends_is_found_by_the_network_and_not_by_what_is_linear():
    (features, training), (others, test) = (simulated(n, seed, 1.2, np.square) for n, seed in ((300, 5), (300, 6)))
    found = {
        name: one_split(MODELS[name](features, training, others, TIMES, 1), test, training, (332,))
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


def followed(days, died, score, split="holdout"):
    patients = [f"P{number}" for number in range(len(days))]
    columns = {"patient_id": patients, "split": split, "survival_days": days, "event_observed": died, "score": score}
    return pd.DataFrame(columns)


FOUR = followed([100, 200, 300, 400], [True, False, True, False], [0.1, 0.5, 0.4, 0.9])


def test_sweep_counts_who_is_undetermined_at_each_threshold():
    table = sweep_threshold(FOUR, "clinical", [150, 332], minimum=2, n_bootstrap=200, seed=1)
    assert table["n"].tolist() == [4, 3]
    assert table["n_undetermined"].tolist() == [0, 1]  # alive on day 200: long-term at 150, unknown at 332
    assert table["n_long_term"].tolist() == [3, 1]
    assert table["auc"].tolist() == [1.0, 1.0]


def test_sweep_gives_the_interval_of_delong_from_as_many_patients_as_are_enough():
    score, days, died = [0.1, 0.5, 0.4, 0.9], [100, 200, 400, 400], [True, True, True, False]
    row = sweep_threshold(followed(days, died, score), "clinical", [332], minimum=4, n_bootstrap=200, seed=1).iloc[0]
    expected = delong(np.array([False, False, True, True]), np.array(score))
    assert row["auc"] == 0.75  # the third scores below the second
    assert [row["lower"], row["upper"]] == expected["ci95"]


def test_sweep_says_too_few():
    alone = followed([100], [True], [0.1])
    table = sweep_threshold(alone, "clinical", [332], minimum=10, n_bootstrap=200, seed=1)
    assert table["note"].tolist() == ["too few"]


def test_sweep_ranks_nobody_against_the_patients_of_another_split():
    """Each model says the same of all its patients: worth one half, though the centres differ in survival."""
    split = ["Caen"] * 10 + ["Lille"] * 10
    score, days = [0.1] * 10 + [0.9] * 10, [100] * 8 + [400] * 2 + [100] * 2 + [400] * 8
    table = sweep_threshold(followed(days, True, score, split), "clinical", [332], 10, n_bootstrap=200, seed=1)
    assert table["auc"].tolist() == [0.5]


def test_sweep_counts_a_patient_of_two_repeats_once():
    twice = pd.concat([FOUR, FOUR.assign(split="repeat2")])
    table = sweep_threshold(twice, "clinical", [332], minimum=2, n_bootstrap=200, seed=1)
    assert table[["n", "n_long_term", "n_undetermined"]].to_numpy().tolist() == [[3, 1, 1]]
