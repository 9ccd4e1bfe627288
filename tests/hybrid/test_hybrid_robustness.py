"""Nested selection, ablation, learning curve, explanations, prediction times."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hybrid_examples import SMALL_GRIDS, few_resamples, outcomes_of, predictors_of, quick, training_of
from sklearn.preprocessing import FunctionTransformer

from gliocast.datasets.finished_pieces import PieceFolder
from gliocast.hybrid import explanations, fit, nested, robustness
from gliocast.hybrid.evaluate import prediction_times
from gliocast.hybrid.features import encode
from gliocast.hybrid.fitted import with_image_score
from gliocast.hybrid.nested import by_repeat, nested_selection, thinned
from gliocast.hybrid.parameters import RobustnessParameters
from gliocast.hybrid.selection import FittedPair
from gliocast.pipelines.hybrid import probing_nodes


def probing(beside=MappingProxyType({}), **changes):
    """What is asked, and other parameters `beside` it."""
    values = {"outer_folds": 3, "repeats": 2, "shares": (0.5,), "explained_patients": 12}
    return quick(robustness=RobustnessParameters(**{**values, **changes}), **beside)


FACTS = fit.facts_of("clinical", quick())


def test_each_repeat_holds_every_patient_out_once(cohort):
    found = nested_selection(cohort, FACTS, quick(), n_folds=3, n_repeats=2, seed=0)
    for _, repeat in found.groupby("repeat"):
        assert sorted(repeat["patient_id"]) == list(cohort["patient_id"])
    assert found.groupby("repeat")["probability"].apply(tuple).nunique() == 2


def test_two_processes_give_what_one_gives(cohort):
    one, two = (nested_selection(cohort, FACTS, quick(workers=n), n_folds=3, n_repeats=1, seed=0) for n in (1, 2))
    pd.testing.assert_frame_equal(one, two)


def test_shuffled_outcomes_leave_nothing_to_be_found(cohort):
    """The whole procedure, selection included, on outcomes that have nothing to do with the patients."""
    generator = np.random.default_rng(1)
    aucs = []
    for seed in range(4):
        shuffled = cohort.assign(outcome=generator.permutation(cohort["outcome"].to_numpy()))
        aucs += list(by_repeat(nested_selection(shuffled, FACTS, quick(), 3, 2, seed))["auc"])
    assert abs(np.mean(aucs) - 0.5) < 0.1
    assert by_repeat(nested_selection(cohort, FACTS, quick(), 3, 1, 0))["auc"].iloc[0] > 0.75


def nested_by_hand(*probabilities):
    """Two repeats of one fold of two short- and two long-term survivors, with these probabilities, and who chose."""
    return pd.DataFrame(
        {
            "repeat": np.repeat([0, 1], 4),
            "fold": 0,
            "n_fitted": np.repeat([10, 13], 4),
            "classifier": np.repeat(["k_neighbours", "logistic_regression"], 4),
            "probability": np.array(probabilities, dtype=float),
            "long_term": [False, False, True, True] * 2,
        }
    )


GOOD = nested_by_hand(0.1, 0.2, 0.5, 0.9, 0.1, 0.7, 0.6, 0.9)  # areas 4/4 and 3/4, right 4/4 and 3/4
POOR = nested_by_hand(0.1, 0.7, 0.6, 0.9, 0.8, 0.7, 0.4, 0.9)  # areas 3/4 and 2/4, right 3/4 and 1/4


def test_accuracy_and_area_of_each_repeat_by_hand():
    assert by_repeat(GOOD).to_dict("list") == {"repeat": [0, 1], "accuracy": [1.0, 0.75], "auc": [1.0, 0.75]}
    assert by_repeat(POOR).to_dict("list") == {"repeat": [0, 1], "accuracy": [0.75, 0.25], "auc": [0.75, 0.5]}


def test_patients_of_two_folds_are_not_ranked_against_each_other():
    apart = GOOD.assign(fold=[0, 0, 0, 1, 0, 0, 0, 1])  # a long-term survivor alone in a fold has nobody to outrank
    assert by_repeat(apart)["auc"].tolist() == [1.0, 0.5]


def test_what_a_predictor_is_worth_is_what_each_repeat_loses_without_it():
    whole, without = robustness.ablation(GOOD, {"surgery": POOR}).to_dict("records")
    sd = 0.25 / 2**0.5
    assert whole == {
        "left_out": "nothing",
        "auc": 0.875,
        "auc_sd": pytest.approx(sd),
        "accuracy": 0.875,
        "auc_lost": 0.0,
        "auc_lost_sd": 0.0,
    }
    assert without["left_out"] == "surgery"
    assert (without["auc"], without["accuracy"], without["auc_sd"]) == (0.625, 0.5, pytest.approx(sd))
    assert (without["auc_lost"], without["auc_lost_sd"]) == (0.25, 0.0)  # a quarter in either repeat


def test_the_learning_curve_and_who_was_chosen_by_hand():
    (point,) = robustness.learning_curve([GOOD]).to_dict("records")
    assert (point["n_fitted"], point["auc"], point["accuracy"]) == (12, 0.875, 0.875)  # 11.5, to the even number
    chosen = robustness.chosen_classifiers(GOOD).set_index("classifier")["share"]
    assert chosen.to_dict() == {"k_neighbours": 0.5, "logistic_regression": 0.5}
    spread = robustness.spread(GOOD).set_index("measure").loc["accuracy"]
    assert (spread["mean"], spread["lowest"], spread["highest"]) == (0.875, 0.75, 1.0)


def test_each_predictor_is_left_out_in_turn_and_a_single_one_is_not():
    assert {name: set(rest) for name, rest in robustness.without_each(FACTS).items()} == {
        name: set(FACTS) - {name} for name in FACTS
    }
    name, *_ = FACTS
    assert robustness.without_each({name: FACTS[name]}) == {}


def test_another_seed_draws_other_patients_for_a_share(cohort):
    outcome, places = (cohort["outcome"] == "long_term").to_numpy(int), np.arange(80)
    assert set(thinned(places, outcome, 0.5, seed=1)) != set(thinned(places, outcome, 0.5, seed=2))


def test_of_three_repeats_the_mean_is_told_and_not_the_middle_one():
    three = pd.concat([GOOD.head(4), GOOD.head(4).assign(repeat=1), POOR.tail(4).assign(repeat=2)])
    (point,) = robustness.learning_curve([three]).to_dict("records")
    assert (point["auc"], point["accuracy"]) == pytest.approx((2.5 / 3, 2.25 / 3))


@pytest.mark.parametrize(("share", "is_enough"), [(1.0, True), (0.5, True), (0.4, True), (0.3, False)])
def test_a_share_is_enough_that_leaves_one_patient_of_each_class_an_inner_fold(share, is_enough):
    """Of 7 long-term survivors a third of the folds holds 3 out at most, so that 4 are left, for 2 inner folds."""
    outcome = np.array([1] * 7 + [0] * 20)
    assert robustness.enough(outcome, share, probing(outer_folds=3)) is is_enough


def test_models_of_a_fold_are_chosen_and_fitted_without_those_it_holds_out(cohort, monkeypatch):
    learnt, seeds, select, fit_candidate = [], [], nested.select, nested.fit_candidate

    def watched(function):
        def watching(*arguments):
            seeds.append(arguments[-1])
            learnt.append({tuple(row) for table in arguments if getattr(table, "ndim", 0) == 2 for row in table})
            return function(*arguments)

        return watching

    monkeypatch.setattr(nested, "select", watched(select))
    monkeypatch.setattr(nested, "fit_candidate", watched(fit_candidate))
    found = nested_selection(cohort, FACTS, quick(), n_folds=3, n_repeats=1, seed=0)
    encoded = {patient: tuple(row) for patient, row in zip(cohort["patient_id"], encode(cohort, FACTS), strict=True)}
    for number, fold in found.groupby("fold"):
        held_out = {encoded[patient] for patient in fold["patient_id"]}
        assert not held_out & (learnt[2 * number] | learnt[2 * number + 1])
        assert set(fold["n_fitted"]) == {len(cohort) - len(fold)}
    seeds.clear()
    nested_selection(cohort, FACTS, quick(), n_folds=2, n_repeats=2, seed=5)
    assert seeds == [5] * 4 + [6] * 4


@pytest.fixture(scope="module")
def probed(cohort):
    return robustness.probe(cohort, FACTS, probing(), seed=0)


def test_every_question_is_told_before_it_is_asked_and_a_share_too_small_for_the_folds_is_no_question(cohort):
    asked, few = [], probing(shares=(0.02, 0.5))  # the one share leaves too few patients for the folds
    robustness.probe(cohort, FACTS, few, seed=0, answered=lambda question, _: asked.append(question) or GOOD)
    assert asked[0] == "with all predictors"
    assert asked[1:-1] == [f"without {name}" for name in FACTS]
    assert asked[-1] == "on 50% of the patients"
    assert len(asked) == robustness.n_questions(cohort, FACTS, few)


def test_leaving_out_what_carries_the_signal_costs_most(probed):
    table = probed.ablation.set_index("left_out")
    assert list(table.index) == ["nothing", "age_years", "sex", "who_status", "surgery"]
    assert table.loc["nothing", "auc_lost"] == 0
    assert table["auc_lost"].idxmax() in ("surgery", "age_years")
    assert table["auc_lost"].max() > 0.1
    np.testing.assert_allclose(table["auc_lost"], table.loc["nothing", "auc"] - table["auc"])


def test_the_learning_curve_ends_where_the_ablation_begins(probed):
    half, all_of_them = probed.learning_curve["n_fitted"]
    assert all_of_them == pytest.approx(80 * 2 / 3, abs=1)
    assert half == pytest.approx(80 / 3, abs=1)
    assert probed.learning_curve["auc"].iloc[-1] == probed.ablation["auc"].iloc[0] == probed.spread["mean"].iloc[0]


def test_a_smaller_share_is_part_of_the_larger_one_and_keeps_the_share_of_each_class(cohort):
    outcome, places = (cohort["outcome"] == "long_term").to_numpy(int), np.arange(10, 80)
    quarter, half, whole = (thinned(places, outcome, share, seed=3) for share in (0.25, 0.5, 1.0))
    assert set(quarter) < set(half) < set(whole) and list(whole) == list(places)
    for code in (0, 1):
        assert (outcome[half] == code).sum() == round(0.5 * (outcome[places] == code).sum())


def test_the_spread_is_that_of_repeats_which_differ_in_all_that_is_drawn(cohort, probed):
    aucs = by_repeat(nested_selection(cohort, FACTS, probing(), n_folds=3, n_repeats=2, seed=0))["auc"]
    row = probed.spread.set_index("measure").loc["auc"]
    assert (row["lowest"], row["highest"], row["n_repeats"]) == (min(aucs), max(aucs), 2)
    assert row["sd"] == pytest.approx(abs(aucs[0] - aucs[1]) / 2**0.5)


def test_too_few_patients_of_a_class_are_not_probed(cohort):
    few = pd.concat([cohort[cohort["outcome"] == "long_term"].head(2), cohort[cohort["outcome"] == "short_term"]])
    assert robustness.probe(few, FACTS, probing(), seed=0) is None


def test_shapley_values_add_up_to_the_probability(cohort, partition, fitting, image_scores):
    model = next(model for model in fitting.models.models if model.name == "hybrid")
    split = partition.splits[0]
    patients = with_image_score(cohort, split.name, split.training[:10], image_scores, "out_of_fold", model.image_scale)
    encoded = encode(patients, dict(model.facts))
    values = explanations.shap_values(model, encoded)
    probability = model.pair.probability(encoded)
    np.testing.assert_allclose(values.sum(axis=1), probability - probability.mean(), atol=1e-9)


def product_and_sum(x):
    return ((x[:, 0] * x[:, 1] + x[:, 2]) / 2)[:, None]


def test_shapley_values_of_two_patients_by_hand(fitting):
    hybrid = next(model for model in fitting.models.models if model.name == "hybrid")
    pair = FittedPair(FunctionTransformer(), SimpleNamespace(classes_=[1], predict_proba=product_and_sum))
    values = explanations.shap_values(replace(hybrid, pair=pair), np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
    # Of the second: the third predictor adds (1 - 0.5) / 2; the others nothing alone, 0.25 after each other.
    np.testing.assert_allclose(values[1], [0.125, 0.125, 0.25])
    # Of the first: either of the first two takes 0.25 away when it comes before the other, and nothing after it.
    np.testing.assert_allclose(values[0], [-0.125, -0.125, -0.25])


def test_explanations_are_means_and_name_no_patient(cohort, partition, fitting, image_scores):
    table, figure = probing_nodes.explain_models(
        fitting.models, training_of(cohort, partition), image_scores, partition, probing(), "cnn", seed=0
    )
    assert set(table["name"]) == {"age_years", "sex", "who_status", "surgery", "image_score"}
    assert list(table["importance"]) == sorted(table["importance"], reverse=True)
    assert not any(patient in str(figure) for patient in cohort["patient_id"])


def test_a_figure_of_shapley_values_says_how_many_patients_it_is_of(cohort, partition, fitting, image_scores):
    training = training_of(cohort, partition)
    n_training = len(partition.splits[0].training)
    for asked, said in ((5, 5), (1000, n_training)):
        _, figure = probing_nodes.explain_models(
            fitting.models, training, image_scores, partition, probing(explained_patients=asked), "cnn", seed=0
        )
        assert figure["layout"]["title"]["text"].endswith(f"; {said} of {n_training} training patients")


def test_a_rule_has_nothing_to_explain(cohort, fitting):
    with pytest.raises(ValueError, match="majority is a rule"):
        explanations.mean_absolute_shap(fitting.models.models[0], cohort, 5, seed=0)


def test_what_is_switched_off_is_empty_and_costs_nothing(cohort, partition, image_scores, tmp_path):
    off = probing(repeats=0, explained_patients=0)
    training = training_of(cohort, partition)
    nowhere = PieceFolder(tmp_path)
    *tables, figure = probing_nodes.probe_robustness(training, image_scores, partition, off, "cnn", 0, nowhere)
    assert all(table.empty for table in tables) and figure["data"] == []


@pytest.fixture(scope="module")
def ask(cohort, partition, image_scores):
    """The node on the training patients, with the answers at hand, a seed and other parameters."""

    def asked(answers, seed=0, **changes):
        training, hybrid = training_of(cohort, partition), probing(repeats=1, **changes)
        return probing_nodes.probe_robustness(training, image_scores, partition, hybrid, "cnn", seed, answers)

    return asked


def test_all_probes_of_the_training_patients_have_something_to_show(ask, tmp_path):
    ablated, curve, repeats, chosen, figure = ask(PieceFolder(tmp_path))
    assert "image_score" in set(ablated["left_out"])
    assert len(curve) == 2 and list(repeats["measure"]) == ["auc", "accuracy"]
    assert chosen["share"].sum() == pytest.approx(1)
    assert figure["data"]


def test_a_killed_probing_goes_on_after_its_last_answer_and_ends_the_same(ask, tmp_path, monkeypatch):
    *whole, _ = ask(PieceFolder(tmp_path))
    *kept, last = sorted(tmp_path.rglob("*.parquet"))
    last.unlink()
    done = []
    monkeypatch.setattr(robustness, "nested_selection", lambda *given: done.append(0) or nested_selection(*given))
    *resumed, _ = ask(PieceFolder(tmp_path))
    assert kept and len(done) == 1
    for one, other in zip(whole, resumed, strict=True):
        pd.testing.assert_frame_equal(one, other)


VARIANTS = {"few": {"C": (0.1,)}, "more": {"C": (1.0,)}}  # of equals the first is chosen
GRIDS, REORDERED = (
    {"grids": {**SMALL_GRIDS, "logistic_regression": variants}}
    for variants in (VARIANTS, dict(reversed(VARIANTS.items())))
)
FIXED = {"threshold": {"rule": "fixed", "required_specificity": 0.9, "fixed": 0.6}}


@pytest.mark.parametrize(
    ("change", "times"),
    [
        ({"seed": 1}, 2),
        ({"outer_folds": 2}, 2),
        ({"beside": GRIDS | {"scoring": "roc_auc"}}, 2),
        ({"beside": REORDERED}, 2),
        ({"beside": GRIDS | FIXED}, 1),
        ({"explained_patients": 5}, 1),
    ],
)
def test_answers_to_other_questions_are_not_taken_and_those_to_the_same_are(ask, tmp_path, monkeypatch, change, times):
    monkeypatch.setattr(robustness, "nested_selection", lambda *_: GOOD)
    ask(PieceFolder(tmp_path), beside=GRIDS)
    before = len(list(tmp_path.rglob("*.parquet")))
    ask(PieceFolder(tmp_path), **{"beside": GRIDS, **change})
    assert len(list(tmp_path.rglob("*.parquet"))) == times * before


def test_models_before_and_after_the_operation_stand_side_by_side(cohort, partition, image_scores, fitting):
    predictions = fitting.models.score(predictors_of(cohort, partition), image_scores, partition)
    table = prediction_times(predictions, outcomes_of(cohort, partition), few_resamples(), seed=0)
    assert list(table["model"]) == ["clinical", "clinical", "hybrid", "hybrid"]
    early = next(model for model in fitting.models.models if model.name == "clinical_pre_operative")
    assert "surgery" not in early.facts
    clinical = table[table["model"] == "clinical"]
    assert clinical["auc_lost"].iloc[1] == pytest.approx(clinical["auc"].iloc[0] - clinical["auc"].iloc[1])


def test_no_second_models_where_nothing_later_is_read():
    early = quick(predictors=("age_years", "sex"))
    assert fit.pre_operative_names("cnn", early) == ()
