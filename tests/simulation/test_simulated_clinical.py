import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliocast.cohort.simulation.clinical import apportioned, clinical_csv, separation, simulate_clinical
from gliocast.cohort.simulation.parameters import Summary
from gliocast.cohort.simulation.quantiles import fitted_curve
from gliocast.errors import ConfigurationError

SEEDS = (0, 1, 20260101)


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_by_outcome_are_those_of_table_1(table1, seed):
    cohort, _ = simulate_clinical(table1, 175, seed)
    for outcome, summary in table1.classes.items():
        members = cohort[cohort["outcome"] == outcome]
        assert len(members) == summary.n
        for column in ("sex", "surgery", "who_status"):
            assert members[column].value_counts().to_dict() == {
                level: count for level, count in getattr(summary, column).items() if count
            }


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("column", ["age_years", "survival_days"])
def test_means_medians_and_ranges_are_those_of_table_1_within_one_percent(table1, seed, column):
    cohort, _ = simulate_clinical(table1, 175, seed)
    groups = {outcome: cohort[cohort["outcome"] == outcome] for outcome in table1.classes}
    for summary, group in zip([*table1.classes.values(), table1.all], [*groups.values(), cohort], strict=True):
        expected, found = getattr(summary, column), group[column].astype(float)
        for statistic in ("mean", "median", "min", "max"):
            assert getattr(found, statistic)() == pytest.approx(getattr(expected, statistic), rel=0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_median_survival_is_exactly_332_and_two_patients_sit_on_it(table1, seed):
    cohort, _ = simulate_clinical(table1, 175, seed)
    assert cohort["survival_days"].median() == 332
    assert (cohort["survival_days"] == 332).sum() >= 2
    assert ((cohort["survival_days"] >= 332) == (cohort["outcome"] == "long_term")).all()


def test_survival_by_surgery_comes_near_figure_1(table1, figure1):
    cohorts = [simulate_clinical(table1, 175, seed, figure1=figure1)[0] for seed in range(40)]
    means = pd.concat(cohorts).groupby("surgery")["survival_days"].mean()
    for surgery, mean_days in figure1.mean_days.items():
        assert means[surgery] == pytest.approx(mean_days, rel=0.03)


def test_without_figure_1_surgery_says_nothing_of_survival_within_a_class(table1):
    cohort, _ = simulate_clinical(table1, 40_000, seed=0)
    members = cohort[cohort["outcome"] == "long_term"]
    assert members.groupby("surgery")["survival_days"].mean().astype(float).tolist() == pytest.approx(
        [556.5] * 3, rel=0.02
    )


def test_predictors_and_image_score_are_independent_given_the_outcome(table1, figure1):
    cohort, scores = simulate_clinical(table1, 40_000, seed=0, figure1=figure1)
    numbers = cohort.assign(sex=cohort["sex"] == "F", surgery=cohort["surgery"].map(len), score=scores)
    for outcome in table1.classes:
        members = numbers.loc[cohort["outcome"] == outcome, ["age_years", "sex", "surgery", "who_status", "score"]]
        correlation = members.astype(float).corr(method="spearman").to_numpy()
        assert np.abs(correlation - np.eye(5)).max() < 0.03  # 4 standard errors of 20,000 patients


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(table1):
    first, again, other = (clinical_csv(simulate_clinical(table1, 175, seed)[0]) for seed in (7, 7, 8))
    assert first == again != other


def test_image_score_of_a_patient_has_a_stream_of_its_own(table1):
    one, two = (simulate_clinical(table1, n, seed=3, image_auc=0.5)[1] for n in (20, 40))
    assert np.array_equal(one, two[:20])


@settings(max_examples=40)
@given(n_patients=st.integers(4, 700), seed=st.integers(0, 2**31))
def test_any_number_of_patients_keeps_the_shares_within_one_patient(table1, n_patients, seed):
    cohort, scores = simulate_clinical(table1, n_patients, seed)
    assert len(cohort) == len(scores) == cohort["patient_id"].nunique() == n_patients
    assert cohort["age_years"].between(25.5, 88.9).all()
    assert cohort["survival_days"].between(42, 1600).all()
    for outcome, summary in table1.classes.items():
        members = cohort[cohort["outcome"] == outcome]
        assert abs(len(members) - n_patients * summary.n / 175) < 1
        for surgery, count in summary.surgery.items():
            assert abs((members["surgery"] == surgery).sum() - len(members) * count / summary.n) < 1


def test_largest_remainder_by_hand():
    # 10 of 4 : 3 : 3 -> 4, 3, 3;  5 -> 2.0, 1.5, 1.5: the first of the two halves gets the last seat
    assert apportioned({"a": 4, "b": 3, "c": 3}, 10) == {"a": 4, "b": 3, "c": 3}
    assert apportioned({"a": 4, "b": 3, "c": 3}, 5) == {"a": 2, "b": 2, "c": 1}


def test_separation_of_the_classes_for_an_auc():
    assert separation(0.5) == 0
    assert separation(0.76024993) == pytest.approx(1, abs=1e-6)  # Phi(1 / sqrt 2) = 0.760250


def test_image_auc_of_one_half_leaves_no_difference_between_the_classes(table1):
    cohort, scores = simulate_clinical(table1, 40_000, seed=0, image_auc=0.5)
    long_term = (cohort["outcome"] == "long_term").to_numpy(dtype=bool)
    assert abs(scores[long_term].mean() - scores[~long_term].mean()) < 0.03


def test_quantile_curve_has_the_mean_median_and_range_it_was_fitted_to():
    summary = Summary(mean=163.6, median=137, min=42, max=329)
    curve = fitted_curve(summary, steepness=0.5, where="survival_days")
    middle = (np.arange(100_000) + 0.5) / 100_000
    assert curve.value(middle).mean() == pytest.approx(163.6, rel=1e-4)
    assert curve.value(np.array([0, 0.5, 1])) == pytest.approx([42, 137, 329])
    assert (np.diff(curve.value(middle)) > 0).all()


def test_summary_whose_mean_its_range_does_not_allow_is_refused():
    with pytest.raises(ConfigurationError, match="a mean that the median"):
        fitted_curve(Summary(mean=99, median=10, min=0, max=100), steepness=0.5, where="age_years")
