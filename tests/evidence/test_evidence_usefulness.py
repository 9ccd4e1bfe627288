"""Calibration, decision curves and subgroups, by hand and against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliocast.errors import LeakageError
from gliocast.evidence import metrics
from gliocast.evidence.calibration import recalibrate, reliability
from gliocast.evidence.decision import decision_curves, net_benefit
from gliocast.evidence.intervals import wilson
from gliocast.evidence.subgroups import SUBGROUPS, WITHHELD, age_bands, by_subgroup

OUTCOME = np.array([False, False, True, False, True, True])
PROBABILITY = np.array([0.1, 0.3, 0.4, 0.6, 0.7, 0.9])
rng = np.random.default_rng(3)
MANY = rng.random(2000) < 0.5
HONEST = 1 / (1 + np.exp(-(rng.normal(size=2000) + 1.5 * (MANY - 0.5))))
EXTREME = 1 / (1 + np.exp(-3 * metrics.logit(HONEST) - 1))  # three times too sure, and too hopeful
MANY_NAMES = [f"P{number}" for number in range(2000)]


def test_reliability_by_hand():
    curve = reliability(OUTCOME, PROBABILITY, "cnn", n_bins=2)
    assert curve["predicted"].tolist() == pytest.approx([0.8 / 3, 2.2 / 3])
    assert curve["observed"].tolist() == pytest.approx([1 / 3, 2 / 3])
    assert curve["n"].tolist() == [3, 3]
    assert ((curve["lower"] < curve["observed"]) & (curve["observed"] < curve["upper"])).all()


def test_patients_of_one_probability_are_one_bin_whatever_their_order():
    curve = reliability(np.array([False, False, True, True]), np.full(4, 0.5), "cnn", n_bins=2)
    assert curve[["predicted", "observed", "n"]].values.tolist() == [[0.5, 0.5, 4]]


def test_what_two_repeats_say_of_a_patient_is_not_averaged_into_a_better_answer_by_hand():
    """Each repeat is sure of itself and wrong of one patient; the mean of both, 0.5, would lie on the line."""
    long_term, said = np.array([True, False, True, False]), np.array([0.1, 0.1, 0.9, 0.9])
    curve = reliability(long_term, said, "cnn", n_bins=2, patients=["A", "B", "A", "B"])
    assert curve[["predicted", "observed", "n"]].values.tolist() == [[0.1, 0.5, 2], [0.9, 0.5, 2]]


def test_a_patient_stands_once_in_each_bin_by_hand():
    """Two repeats say 0.1 and 0.3 of the first, who is one patient for the interval as well."""
    curve = reliability(np.array([True, True, False]), np.array([0.1, 0.3, 0.2]), "cnn", 1, patients=["A", "A", "B"])
    assert curve[["predicted", "observed", "n"]].values.tolist() == [[pytest.approx(0.2), 0.5, 2]]
    assert curve[["lower", "upper"]].values.tolist() == [wilson(1, 2)["ci95"]]


def test_reliability_is_scikit_learns_calibration_curve_by_quantiles():
    from sklearn.calibration import calibration_curve

    observed, predicted = calibration_curve(MANY, HONEST, n_bins=5, strategy="quantile")
    curve = reliability(MANY, HONEST, "cnn", n_bins=5)
    assert curve["observed"].to_numpy() == pytest.approx(observed)
    assert curve["predicted"].to_numpy() == pytest.approx(predicted)


@pytest.mark.parametrize("method", ["platt", "isotonic", "beta"])
def test_recalibration_mends_probabilities_that_are_too_sure(method):
    train, test = slice(0, 1000), slice(1000, 2000)
    learnt = recalibrate(MANY[train], EXTREME[train], MANY_NAMES[train], method)
    mended = learnt.apply(EXTREME[test], MANY_NAMES[test])
    ones = np.ones((1, 1000))
    assert metrics.brier(MANY[test], mended, ones)[0] < metrics.brier(MANY[test], EXTREME[test], ones)[0] - 0.02
    if method != "isotonic":
        assert metrics.calibration_slope_within(np.zeros(1000))(MANY[test], mended, ones)[0] == pytest.approx(
            1, abs=0.2
        )


@pytest.mark.parametrize("method", ["platt", "isotonic", "beta"])
def test_recalibration_never_reverses_two_patients(method):
    learnt = recalibrate(MANY, EXTREME, MANY_NAMES, method)
    assert (np.diff(learnt.apply(np.linspace(0, 1, 50), [])) >= -1e-12).all()


def test_recalibration_refuses_the_patients_it_was_learnt_from():
    with pytest.raises(LeakageError, match="P7"):
        recalibrate(MANY, HONEST, MANY_NAMES, "platt").apply(HONEST[7:8], ["P7"])


def test_no_recalibration_changes_nothing():
    learnt = recalibrate(MANY, HONEST, MANY_NAMES, "none")
    assert (learnt.apply(HONEST, MANY_NAMES) == HONEST).all()


def test_isotonic_recalibration_is_that_of_scikit_learn():
    from sklearn.isotonic import IsotonicRegression

    expected = IsotonicRegression(out_of_bounds="clip").fit(HONEST[:500], MANY[:500]).predict(HONEST[500:])
    learnt = recalibrate(MANY[:500], HONEST[:500], MANY_NAMES[:500], "isotonic")
    assert learnt.apply(HONEST[500:], MANY_NAMES[500:]) == pytest.approx(expected)


def test_isotonic_recalibration_of_equal_probabilities_is_the_share_observed_among_them():
    outcome, probability = np.array([False, True, False, False, True]), np.array([0.4, 0.4, 0.4, 0.4, 0.8])
    learnt = recalibrate(outcome, probability, MANY_NAMES[:5], "isotonic")
    assert learnt.numbers == pytest.approx((0.4, 0.8, 1 / 4, 1 / 1))


def test_platts_recalibration_is_that_of_scikit_learn():
    from sklearn.calibration import _sigmoid_calibration

    few = np.r_[np.flatnonzero(MANY)[:100], np.flatnonzero(~MANY)[:400]]  # the smoothed targets hang on the numbers
    slope, intercept = _sigmoid_calibration(metrics.logit(EXTREME[few]), MANY[few].astype(float))
    learnt = recalibrate(MANY[few], EXTREME[few], MANY_NAMES[:500], "platt")
    assert learnt.numbers == pytest.approx((-intercept, -slope), abs=1e-3)


def test_beta_recalibration_is_the_logistic_regression_of_kull_in_scikit_learn():
    """Kull et al. 2017, algorithm 1: regress on log p and -log(1 - p); here towards Platt's smoothed targets."""
    from sklearn.linear_model import LogisticRegression

    outcome, probability = MANY[:500], EXTREME[:500]
    n_long, n_short = outcome.sum(), (~outcome).sum()
    target = np.where(outcome, (n_long + 1) / (n_long + 2), 1 / (n_short + 2))
    design = np.column_stack([np.log(probability), -np.log(1 - probability)])
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(
        np.tile(design, (2, 1)), np.repeat([1, 0], 500), sample_weight=np.r_[target, 1 - target]
    )
    learnt = recalibrate(outcome, probability, MANY_NAMES[:500], "beta")
    assert (reference.coef_ > 0).all()
    assert learnt.numbers == pytest.approx((reference.intercept_[0], *reference.coef_[0]), abs=1e-3)


@pytest.mark.parametrize("method", ["platt", "beta"])
@pytest.mark.parametrize("seed", [769, 809, 886])  # the best weight of one of beta's two is zero
def test_recalibrated_probabilities_of_those_learnt_from_add_up_to_platts_targets(method, seed):
    """Where the likelihood is highest an intercept leaves no residual: n+ (n+ + 1)/(n+ + 2) + n-/(n- + 2) in sum."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=30)
    outcome = generator.random(30) < 1 / (1 + np.exp(-2 * logits))
    learnt = recalibrate(outcome, 1 / (1 + np.exp(-logits)), MANY_NAMES[:30], method)
    n_long, n_short = outcome.sum(), (~outcome).sum()
    targets = n_long * (n_long + 1) / (n_long + 2) + n_short / (n_short + 2)
    assert learnt.apply(1 / (1 + np.exp(-logits)), ["new"]).sum() == pytest.approx(targets, abs=1e-4)


def test_net_benefit_by_hand():
    called = np.array([False, False, True, True, True, True])  # 3 hits, 1 false alarm of 6
    assert net_benefit(OUTCOME, called, 0.5) == pytest.approx((3 - 1) / 6)
    assert net_benefit(OUTCOME, called, 0.75) == pytest.approx((3 - 3 * 1) / 6)


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7])
def test_net_benefit_is_what_vickers_2019_makes_of_scikit_learns_sensitivity_and_specificity(threshold):
    """Vickers et al., doi:10.1186/s41512-019-0064-7: hits less weighted false alarms, from rates and prevalence."""
    from sklearn.metrics import recall_score

    called, prevalence, odds = threshold <= HONEST, MANY.mean(), threshold / (1 - threshold)
    sensitivity, specificity = (recall_score(MANY, called, pos_label=outcome) for outcome in (True, False))
    expected = sensitivity * prevalence - (1 - specificity) * (1 - prevalence) * odds
    assert net_benefit(MANY, called, threshold) == pytest.approx(expected)


def test_calling_everyone_is_told_apart_from_calling_no_one():
    curves = decision_curves(OUTCOME, {}, np.array([0.25])).set_index("strategy")["net_benefit"]
    assert curves.to_dict() == {"treat_all": pytest.approx((3 - 3 * 0.25 / 0.75) / 6), "treat_none": 0}


def test_a_curve_has_a_point_at_each_percent_from_five_to_ninety_five():
    curve = decision_curves(OUTCOME, {"cnn": PROBABILITY}).query("strategy == 'cnn'")
    assert curve["threshold"].tolist() == [percent / 100 for percent in range(5, 96)]


def test_calling_everyone_is_worth_nothing_at_the_prevalence():
    curves = decision_curves(OUTCOME, {"cnn": PROBABILITY}, np.array([0.5])).set_index("strategy")
    assert curves.loc["treat_all", "net_benefit"] == pytest.approx(0)
    assert curves.loc["treat_none", "net_benefit"] == 0
    assert curves.loc["cnn", "net_benefit"] == pytest.approx((2 - 1) / 6)


@given(st.floats(0.05, 0.95))
def test_a_perfect_model_is_worth_the_prevalence_at_any_threshold(threshold):
    assert net_benefit(OUTCOME, OUTCOME, threshold) == pytest.approx(0.5)


def test_age_bands():
    ages = pd.Series([59.9, 60.0, 69.9, 70.0, None])
    assert age_bands(ages, [60, 70]).tolist()[:4] == ["<60", "60–69", "60–69", "≥70"]
    assert age_bands(ages, [60, 70]).isna().tolist()[4]
    assert age_bands(pd.Series([60.9, 61.0]), [60, 61]).tolist() == ["60", "≥61"]


def one_split(n, **columns):
    return pd.DataFrame({"patient_id": MANY_NAMES[:n], "split": "holdout", **columns})


def judged(tested, probability=HONEST):
    """The table of subgroups of the first of many patients."""
    outcome, score = MANY[: len(tested)], probability[: len(tested)]
    return by_subgroup(tested, outcome, score, score > 0.5, 10, [60, 70], n_bootstrap=200, seed=1)


def test_an_area_in_a_subgroup_ranks_nobody_against_the_patients_of_another_split():
    """The mean of scikit-learn's areas, weighted by each split's pairs; another scale in one split changes nothing."""
    from sklearn.metrics import roc_auc_score

    split = np.array(["Caen"] * 80 + ["Lille"] * 120)
    tested = one_split(200, age_years=65.0, sex="F").assign(split=split)
    halves = [np.flatnonzero(split == name) for name in ("Caen", "Lille")]
    areas = [roc_auc_score(MANY[half], HONEST[half]) for half in halves]
    pairs = [MANY[half].sum() * (~MANY[half]).sum() for half in halves]
    rescaled = np.where(np.arange(2000) < 80, HONEST / 4, HONEST)
    for probability in (HONEST, rescaled):
        row = judged(tested, probability).set_index("level").loc["F"]
        assert row["auc"] == pytest.approx(np.average(areas, weights=pairs))
        assert row["auc_lower"] < row["auc"] < row["auc_upper"]


def test_a_centre_of_one_patient_alone_is_no_subgroup_of_its_own():
    tested = one_split(40, age_years=65.0, centre=["A"] * 38 + ["Anna Meier", "Jo Weber"])
    twice = pd.concat([tested, tested.assign(split="two")])
    outcome, score = np.tile(MANY[:40], 2), np.tile(HONEST[:40], 2)
    table = by_subgroup(twice, outcome, score, score > 0.5, 10, [60, 70], n_bootstrap=200, seed=1)
    assert table[table["characteristic"] == "centre"].set_index("level")["n"].to_dict() == {
        "A": 38,
        "others, of one patient each": 2,
    }


def test_a_patient_of_two_repeats_is_counted_once_in_a_subgroup():
    tested = one_split(40, age_years=65.0, sex="F")
    twice = tested.assign(patient_id=[*MANY_NAMES[:20], *MANY_NAMES[:20]], split=["one"] * 20 + ["two"] * 20)
    outcome = np.tile(MANY[:20], 2)
    table = by_subgroup(twice, outcome, HONEST[:40], HONEST[:40] > 0.5, 10, [60, 70], n_bootstrap=200, seed=1)
    row = table.set_index("level").loc["F"]
    assert (row["n"], row["n_long_term"]) == (20, MANY[:20].sum())
    assert row["accuracy"] == pytest.approx((outcome == (HONEST[:40] > 0.5)).mean())
    assert row["accuracy_lower"] < row["accuracy"] < row["accuracy_upper"]


def test_subgroups_below_ten_are_counted_and_called_too_few():
    centres = ["A"] * 5 + ["B"] * 5 + ["C"] * 190
    rows = judged(one_split(200, age_years=65.0, centre=centres)).set_index("level")
    assert rows.loc[["A", "B"], "note"].tolist() == ["too few"] * 2
    assert rows.loc[["A", "B"], ["n_long_term", "accuracy"]].isna().all(axis=None)  # of one patient: the outcome
    assert rows.loc["C", "n"] == 190
    assert rows.loc["C", "auc_lower"] < rows.loc["C", "auc"] < rows.loc["C", "auc_upper"]


@pytest.mark.parametrize(
    ("sizes", "withheld", "told"),
    [
        ({"A": 1, "B": 59, "C": 140}, ["B"], ["C"]),
        ({"A": 4, "B": 5, "C": 71, "D": 120}, ["C"], ["D"]),  # of nine the whole would tell the sum
        ({"A": 4, "B": 6, "C": 70, "D": 120}, [], ["C", "D"]),
        ({"A": 9, "B": 191}, ["B"], []),
        ({None: 3, "B": 60, "C": 137}, ["B"], ["C"]),
        ({"A": 10, "B": 190}, [], ["A", "B"]),
    ],
)
def test_what_the_told_subgroups_leave_of_the_whole_is_never_of_fewer_than_ten(sizes, withheld, told):
    centres = [name for name, size in sizes.items() for _ in range(size)]
    table = judged(one_split(200, age_years=65.0, centre=centres))
    rows = table[table["characteristic"] == "centre"].set_index("level")
    assert rows["n"].sum() == 200
    assert rows.index[rows["n_long_term"].notna()].tolist() == rows.index[rows["auc"].notna()].tolist() == told
    assert rows.index[rows["note"] == WITHHELD].tolist() == withheld


def test_subgroups_of_one_characteristic_add_up_to_everyone():
    patients = one_split(300, age_years=rng.uniform(40, 90, 300), surgery=rng.choice(["biopsy", "complete"], 300))
    patients["centre"] = rng.choice(["Caen", "Lille", None], 300)
    patients["scanner_field_t"] = rng.choice([1.5, 3.0], 300)
    patients["who_status"] = pd.array(
        [0, 1, None] * 100, dtype="Int64"
    )  # as the cohort's: equal to a missing one is NA
    table = judged(patients)
    assert (table.groupby("characteristic")["n"].sum() == 300).all()
    assert set(table["characteristic"]) == {"all", *SUBGROUPS}
    rows = table.set_index(["characteristic", "level"])
    for known in (("centre", "Lille"), ("scanner_field_t", "1.5"), ("scanner_field_t", "3.0")):
        assert rows.loc[known, "auc_lower"] < rows.loc[known, "auc"] < rows.loc[known, "auc_upper"]
    assert rows.loc[("centre", "unknown"), "n"] == patients["centre"].isna().sum()
    assert rows.loc[("sex", "unknown"), ["n", "note"]].tolist() == [300, "not recorded"]
    assert rows.loc[("sex", "unknown"), ["accuracy", "auc"]].isna().all()
