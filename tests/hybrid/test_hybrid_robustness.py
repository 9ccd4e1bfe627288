"""Nested selection, ablation, learning curve, explanations, prediction times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hybrid_examples import few_resamples, outcomes_of, predictors_of, quick, training_of

from gliocast.hybrid import explanations, fit, robustness
from gliocast.hybrid.features import encode
from gliocast.hybrid.fitted import with_image_score
from gliocast.hybrid.nested import by_repeat, nested_selection
from gliocast.hybrid.parameters import RobustnessParameters
from gliocast.pipelines.hybrid import probing_nodes


def probing(**changes):
    values = {"enabled": True, "outer_folds": 3, "repeats": 2, "shares": (0.6, 1.0), "explained_patients": 12}
    return quick(robustness=RobustnessParameters(**{**values, **changes}))


FACTS = fit.facts_of("clinical", quick())


def test_each_repeat_holds_every_patient_out_once(cohort):
    nested = nested_selection(cohort, FACTS, quick(), n_folds=3, n_repeats=2, seed=0)
    for _, repeat in nested.groupby("repeat"):
        assert sorted(repeat["patient_id"]) == list(cohort["patient_id"])
    assert nested.groupby("repeat")["probability"].apply(tuple).nunique() == 2


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


def test_leaving_out_what_carries_the_signal_costs_most(cohort):
    table = robustness.ablation(cohort, FACTS, probing(), seed=0).set_index("left_out")
    assert list(table.index) == ["all predictors", "age_years", "sex", "who_status", "surgery"]
    assert table.loc["all predictors", "auc_lost"] == 0
    assert table["auc_lost"].idxmax() in ("surgery", "age_years")


def test_the_learning_curve_keeps_the_share_of_each_class(cohort):
    part = robustness.stratified_part(cohort, 0.5, seed=0)
    whole = cohort["outcome"].value_counts()
    assert part["outcome"].value_counts().to_dict() == {name: round(0.5 * n) for name, n in whole.items()}


def test_a_part_too_small_for_the_folds_is_left_out(cohort):
    curve = robustness.learning_curve(cohort, FACTS, probing(shares=(0.02, 1.0)), seed=0)
    assert list(curve["n_patients"]) == [len(cohort)]


def test_shapley_values_add_up_to_the_probability(cohort, partition, fitting, image_scores):
    model = next(model for model in fitting.models.models if model.name == "hybrid")
    split = partition.splits[0]
    patients = with_image_score(cohort, split, split.training[:10], image_scores, "out_of_fold", model.image_scale)
    encoded = encode(patients, dict(model.facts))
    values = explanations.shap_values(model, encoded)
    probability = model.pair.probability(encoded)
    np.testing.assert_allclose(values.sum(axis=1), probability - probability.mean(), atol=1e-9)


def test_explanations_are_means_and_name_no_patient(cohort, partition, fitting, image_scores):
    table, figure = probing_nodes.explain_models(
        fitting.models, training_of(cohort, partition), image_scores, partition, probing(), "cnn", seed=0
    )
    assert set(table["name"]) == {"age_years", "sex", "who_status", "surgery", "image_score"}
    assert list(table["importance"]) == sorted(table["importance"], reverse=True)
    assert not any(patient in str(figure) for patient in cohort["patient_id"])


def test_a_rule_has_nothing_to_explain(cohort, fitting):
    with pytest.raises(ValueError, match="majority is a rule"):
        explanations.mean_absolute_shap(fitting.models.models[0], cohort, 5, seed=0)


def test_what_is_switched_off_is_empty_and_costs_nothing(cohort, partition, image_scores):
    off = probing(enabled=False, explained_patients=0)
    training = training_of(cohort, partition)
    *tables, figure = probing_nodes.probe_robustness(training, image_scores, partition, off, "cnn", seed=0)
    assert all(table.empty for table in tables) and figure["data"] == []


def test_all_probes_of_the_training_patients_have_something_to_show(cohort, partition, image_scores):
    training = training_of(cohort, partition)
    ablated, curve, repeats, chosen, figure = probing_nodes.probe_robustness(
        training, image_scores, partition, probing(repeats=1), "cnn", seed=0
    )
    assert "image_score" in set(ablated["left_out"])
    assert len(curve) == 2 and len(repeats) == 1 and chosen["share"].sum() == pytest.approx(1)
    assert figure["data"]


def test_models_before_and_after_the_operation_stand_side_by_side(cohort, partition, image_scores, fitting):
    predictions = fitting.models.score(predictors_of(cohort, partition), image_scores, partition)
    table = probing_nodes.compare_prediction_times(predictions, outcomes_of(cohort, partition), few_resamples(), seed=0)
    assert list(table["model"]) == ["clinical", "clinical", "hybrid", "hybrid"]
    early = next(model for model in fitting.models.models if model.name == "clinical_pre_operative")
    assert "surgery" not in early.facts
    clinical = table[table["model"] == "clinical"]
    assert clinical["auc_lost"].iloc[1] == pytest.approx(clinical["auc"].iloc[0] - clinical["auc"].iloc[1])


def test_no_second_models_where_nothing_later_is_read():
    early = quick(predictors=("age_years", "sex"))
    assert fit.pre_operative_names("cnn", early) == ()
