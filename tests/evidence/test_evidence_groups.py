"""Group tests and survival curves, against the paper's summary, other libraries, and Freireich's trial."""

import numpy as np
import pytest

from gliocast.evidence.group_tests import (
    GroupSummary,
    kruskal,
    one_way_anova,
    summarise,
    tukey,
    welch_anova,
)
from gliocast.evidence.survival_curves import kaplan_meier, logrank, median_survival_days, survival_at

FIGURE_1 = [  # Moreau et al., Figure 1
    GroupSummary("biopsy", 241.61, 191.24, 69),
    GroupSummary("incomplete", 404.32, 271.31, 62),
    GroupSummary("complete", 496.70, 282.83, 44),
]
rng = np.random.default_rng(5)
GROUPS = {"a": rng.gamma(2, 100, 30), "b": rng.gamma(2, 150, 25), "c": rng.gamma(2, 160, 12)}

# 6-mercaptopurine against placebo (Freireich et al. 1963, doi:10.1182/blood.V21.6.699.699): weeks, True where relapsed.
TREATED = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
TREATED_EVENT = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
PLACEBO = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
treated = (np.array(TREATED, dtype=float), np.array(TREATED_EVENT, dtype=bool))
placebo = (np.array(PLACEBO, dtype=float), np.ones(21, dtype=bool))


def test_analysis_of_variance_of_the_papers_printed_summary():
    result = one_way_anova(FIGURE_1)
    assert result["df"] == [2, 172]
    assert result["f"] == pytest.approx(15.761, abs=5e-4)
    assert result["p"] == pytest.approx(5.18e-7, rel=1e-3)
    assert result["eta2"] == pytest.approx(0.155, abs=5e-4)


def test_welchs_analysis_of_the_papers_printed_summary():
    result = welch_anova(FIGURE_1)
    assert result["f"] == pytest.approx(17.20, abs=5e-3)
    assert result["p"] == pytest.approx(4.15e-7, rel=1e-2)


def test_tukey_of_the_papers_printed_summary_finds_no_difference_between_the_two_resections():
    pairs = {tuple(pair["groups"]): pair for pair in tukey(FIGURE_1)}
    assert pairs["biopsy", "incomplete"]["difference"] == pytest.approx(162.71)
    assert pairs["biopsy", "incomplete"]["p"] == pytest.approx(6.3e-4, rel=0.01)
    assert pairs["biopsy", "complete"]["difference"] == pytest.approx(255.09)
    assert pairs["biopsy", "complete"]["p"] == pytest.approx(7.4e-7, rel=0.02)
    assert pairs["incomplete", "complete"]["difference"] == pytest.approx(92.38)
    assert pairs["incomplete", "complete"]["p"] == pytest.approx(0.14, abs=5e-3)
    assert pairs["incomplete", "complete"]["ci95"][0] < 0 < pairs["incomplete", "complete"]["ci95"][1]


def test_analysis_of_variance_is_that_of_scipy():
    from scipy.stats import f_oneway

    expected = f_oneway(*GROUPS.values())
    result = one_way_anova(summarise(GROUPS))
    assert (result["f"], result["p"]) == pytest.approx((expected.statistic, expected.pvalue))


def test_welchs_analysis_is_that_of_statsmodels():
    from statsmodels.stats.oneway import anova_oneway

    expected = anova_oneway(list(GROUPS.values()), use_var="unequal")
    result = welch_anova(summarise(GROUPS))
    assert (result["f"], result["p"]) == pytest.approx((expected.statistic, expected.pvalue))
    assert result["df"] == pytest.approx([expected.df_num, expected.df_denom])


def test_tukey_is_that_of_scipy():
    from scipy.stats import tukey_hsd

    expected = tukey_hsd(*GROUPS.values())
    for pair in tukey(summarise(GROUPS)):
        a, b = ("abc".index(name) for name in pair["groups"])
        assert pair["p"] == pytest.approx(expected.pvalue[a, b], abs=1e-8)
        interval = expected.confidence_interval()
        assert pair["ci95"] == pytest.approx([interval.low[b, a], interval.high[b, a]])


def test_kruskal_by_hand():
    result = kruskal({"a": np.array([1.0, 2.0]), "b": np.array([3.0, 4.0])})
    assert result["h"] == pytest.approx(2.4)  # 12/(4·5) · (3²/2 + 7²/2) - 3·5
    assert result["df"] == 1


def of_values(test):
    return lambda groups: test(summarise(groups))


@pytest.mark.parametrize("test", [of_values(one_way_anova), of_values(welch_anova), kruskal])
def test_a_single_group_cannot_be_tested_and_says_so(test):
    result = test({"a": np.array([1.0, 2.0, 3.0])})
    assert result["p"] is None
    assert result["reason"]


@pytest.mark.parametrize("test", [of_values(one_way_anova), of_values(welch_anova)])
def test_a_group_of_one_patient_has_no_spread_and_is_left_out(test):
    two = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([3.0, 5.0])}
    assert test(two | {"c": np.array([9.0])}) == test(two)


SAME_DAY = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([4.0, 4.0])}  # means 2, 4 and 2.8; squares 4.8 and 2


def test_a_group_without_variance_is_enough_to_have_no_test_of_welch():
    result = of_values(welch_anova)(SAME_DAY)
    assert (result["p"], result["reason"]) == (None, "a group has no variance")


def test_a_pooled_variance_needs_but_one_group_that_has_one():
    from scipy.stats import f_oneway, tukey_hsd

    result = of_values(one_way_anova)(SAME_DAY)
    assert (result["f"], result["eta2"]) == pytest.approx((4.8 / (2 / 3), 4.8 / 6.8))
    assert result["p"] == pytest.approx(f_oneway(*SAME_DAY.values()).pvalue)
    (pair,) = of_values(tukey)(SAME_DAY)
    assert pair["p"] == pytest.approx(tukey_hsd(*SAME_DAY.values()).pvalue[0, 1])


def test_groups_none_of_which_has_a_variance_cannot_be_tested():
    alike = {"a": np.array([1.0, 1.0]), "b": np.array([4.0, 4.0])}
    assert of_values(one_way_anova)(alike)["reason"] == "a group has no variance"
    assert of_values(tukey)(alike) == []


def test_kaplan_meier_is_the_textbook_curve_of_freireichs_trial():
    curve = kaplan_meier(*treated, group="6-MP").set_index("time_days")
    # Collett, Modelling Survival Data in Medical Research; R's survival gives the same
    for week, survival in {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}.items():
        assert curve.loc[week, "survival"] == pytest.approx(survival, abs=5e-4)
    assert curve.loc[6, "at_risk"] == 21
    assert (curve.loc[6, "events"], curve.loc[6, "censored"]) == (3, 1)


def test_kaplan_meier_with_its_interval_is_that_of_scikit_survival():
    from sksurv.nonparametric import kaplan_meier_estimator

    days, survival, interval = kaplan_meier_estimator(treated[1], treated[0], conf_type="log-log")
    curve = kaplan_meier(*treated).iloc[1:]
    assert curve["time_days"].tolist() == days.tolist()
    assert curve["survival"].to_numpy() == pytest.approx(survival)
    assert curve["lower"].to_numpy() == pytest.approx(interval[0])
    assert curve["upper"].to_numpy() == pytest.approx(interval[1])


def test_a_curve_begins_on_day_0_with_everyone_and_counts_who_leaves_it():
    curve = kaplan_meier(np.array([100.0, 100.0, 200.0]), np.array([True, False, True]))
    counted = curve[["time_days", "survival", "at_risk", "events", "censored"]].to_numpy().tolist()
    assert counted == [[0, 1, 3, 0, 0], [100, pytest.approx(2 / 3), 3, 1, 1], [200, 0, 1, 1, 0]]


def test_survival_at_a_day_is_that_of_the_last_step_before_it_or_on_it():
    curve = kaplan_meier(np.array([100.0, 200.0]), np.array([True, False]))
    assert survival_at(curve, np.array([0.0, 99.0, 100.0, 999.0])).tolist() == [1, 1, 0.5, 0.5]


def test_median_survival_of_freireichs_trial():
    assert median_survival_days(kaplan_meier(*treated)) == 23
    assert median_survival_days(kaplan_meier(*placebo)) == 8


def test_median_that_is_not_reached_is_missing():
    assert median_survival_days(kaplan_meier(np.array([10.0, 20.0]), np.array([False, False]))) is None


def test_a_patient_alive_at_the_end_keeps_the_curve_above_zero():
    curve = kaplan_meier(np.array([100.0, 200.0]), np.array([True, False]))
    assert curve["survival"].tolist() == [1.0, 0.5, 0.5]


def test_logrank_is_the_textbook_value_of_freireichs_trial():
    result = logrank({"6-MP": treated, "placebo": placebo})
    assert result["chi2"] == pytest.approx(16.79, abs=5e-3)  # R: survdiff(Surv(time, status) ~ treatment)
    assert result["df"] == 1


def test_logrank_of_three_groups_is_that_of_scikit_survival():
    from sksurv.compare import compare_survival

    days, events = rng.integers(1, 60, 90).astype(float), rng.random(90) < 0.7
    group = np.repeat(["a", "b", "c"], 30)
    outcome = np.array(list(zip(events, days, strict=True)), dtype=[("event", bool), ("time", float)])
    chi2, p = compare_survival(outcome, group)
    result = logrank({name: (days[group == name], events[group == name]) for name in "abc"})
    assert (result["chi2"], result["p"]) == pytest.approx((chi2, p))


def test_logrank_without_deaths_says_why_there_is_none():
    alive = (np.array([10.0, 20.0]), np.array([False, False]))
    assert logrank({"a": alive, "b": alive})["p"] is None


def test_a_group_that_is_gone_before_the_first_death_changes_no_log_rank_test():
    """Nobody of it is ever at risk beside a death: one more degree of freedom would double the p-value and more."""
    gone = (np.array([0.2, 0.5]), np.array([False, False]))  # the first relapse is in week 1
    assert logrank({"6-MP": treated, "placebo": placebo, "gone": gone}) == logrank(
        {"6-MP": treated, "placebo": placebo}
    )
    assert logrank({"placebo": placebo, "gone": gone})["reason"] == "fewer than two groups, or nobody has died"
