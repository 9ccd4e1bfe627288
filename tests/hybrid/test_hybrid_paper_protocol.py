"""The paper's protocol beside the honest one: what it claims, and whom it had seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hybrid_examples import (
    a_cohort,
    a_partition,
    few_resamples,
    image_scores_of,
    outcomes_of,
    paper_scores_of,
    predictors_of,
    quick,
    training_of,
)

from gliocast.errors import ConfigurationError, LeakageError, TrainingError
from gliocast.evidence.guard import WATERMARK
from gliocast.hybrid import evaluate
from gliocast.hybrid.image_scores import no_scores
from gliocast.hybrid.leakage_gap import MEASURES, _difference, gap_table, seen_table
from gliocast.hybrid.paper_protocol import follow_paper, second_split
from gliocast.pipelines.hybrid.evaluation_nodes import compare_protocols, evaluate_models, follow_paper_protocol
from gliocast.reporting.figures.theme import name_of
from gliocast.types import Scores

EVIDENCE = few_resamples()
TABLE4 = {"table4": {"tp": 27, "fp": 2, "fn": 5, "tn": 36, "auc": 0.90}}


def test_the_second_split_takes_two_fifths_of_everyone_whoever_trained_the_network():
    tested = second_split(175, 0.4, seed=0)
    assert tested.sum() == 70
    assert not np.array_equal(tested, second_split(175, 0.4, seed=1))


def test_the_second_split_tests_one_patient_at_least():
    assert second_split(20, 0.01, seed=0).sum() == 1


def test_on_average_the_paper_tests_as_many_of_its_training_patients_as_chance_gives():
    trained = np.arange(175) < 104
    seen = [(second_split(175, 0.4, seed) & trained).sum() for seed in range(200)]
    assert np.mean(seen) == pytest.approx(70 * 104 / 175, abs=0.7)  # 41.6


@pytest.fixture(scope="module")
def study():
    """A network of noise that memorised its patients, and an honest network of noise."""
    cohort = a_cohort(150, seed=3)
    partition = a_partition(cohort, n_test=45)
    return cohort, partition, image_scores_of(cohort, partition, strength=0.0), paper_scores_of(cohort, partition)


@pytest.fixture(scope="module")
def both(study):
    from gliocast.hybrid.fit import fit_models

    cohort, partition, honest, paper = study
    training, predictors, outcomes = (part(cohort, partition) for part in (training_of, predictors_of, outcomes_of))
    fitting = fit_models(training, honest, partition, quick(), "cnn", seed=0)
    predictions = fitting.models.score(predictors, honest, partition)
    followed = follow_paper_protocol(
        training, predictors, outcomes, paper, pd.DataFrame(), partition, quick(), "cnn", "honest", seed=0
    )
    return predictions, *followed, outcomes, training


def test_a_memorising_network_of_noise_claims_what_it_cannot_hold(both):
    gap, table, seen, _ = compare_protocols(*both, EVIDENCE, seed=0)
    claimed, found = (gap["models"]["hybrid"]["auc"][protocol]["value"] for protocol in ("paper", "honest"))
    assert claimed > found + 0.05
    low, high = gap["models"]["hybrid"]["auc"]["difference"]["ci95"]
    assert low < claimed - found < high
    assert set(table["metric"]) == {"accuracy", "sensitivity", "specificity", "auc"}
    assert seen.set_index("stage")["n_seen"]["scaling"] == 60


def test_the_comparison_of_both_protocols_bears_the_watermark_in_all_four_outputs(both):
    gap, table, seen, figure = compare_protocols(*both, EVIDENCE, seed=0)
    assert gap["watermark"] == WATERMARK
    assert (table["watermark"] == WATERMARK).all() and (seen["watermark"] == WATERMARK).all()
    assert WATERMARK in str(figure["layout"])


def test_the_figure_of_the_gap_names_the_model_that_it_shows(both):
    honest, paper, *others = both
    clinical = [Scores(part.table[part.table["name"] == "clinical"], part.fitted_on) for part in (honest, paper)]
    for scores, model in (((honest, paper), "hybrid"), (clinical, "clinical")):
        *_, figure = compare_protocols(*scores, *others, EVIDENCE, seed=0)
        assert f"the {model} model" in figure["layout"]["title"]["text"]


def test_the_count_of_seen_patients_is_that_of_the_overlap(study, both):
    _, partition, _, _ = study
    predictions, record = both[1], both[2]
    tested = set(predictions.table["patient_id"])
    assert record["seen"]["image_model_training"] == len(tested & set(partition.paper.fit))
    assert 0 < record["seen"]["image_model_training"] < record["n_test_patients"]


def test_the_papers_majority_is_counted_among_the_patients_that_it_does_not_test(study, both):
    cohort, majority = study[0], both[1].table.query("name == 'majority'")
    taught = cohort[~cohort["patient_id"].isin(majority["patient_id"])]
    assert len(taught) == 90
    assert majority["probability"].unique().tolist() == [(taught["outcome"] == "long_term").mean()]


def test_the_guard_refuses_the_papers_predictions_as_a_result(both):
    predictions = both[1]
    claimed = type(predictions)(predictions.table.assign(role="test"), predictions.fitted_on)
    with pytest.raises(LeakageError):
        evaluate.evaluate(claimed, both[4], EVIDENCE, seed=0)


def test_under_the_papers_protocol_every_result_bears_the_watermark(both):
    predictions, paper, _, outcomes, training = both
    results, table, curves, matrix = evaluate_models(
        predictions, paper, outcomes, training, "paper", EVIDENCE, TABLE4, seed=0
    )
    # the network had seen some, the scaler and the choice of a classifier all
    assert results["protocol"] == {"n_test_patients": 60, "n_test_patients_seen_in_training": 60}
    assert "comparison only" in results["watermark"]
    assert table["watermark"].str.contains("comparison only").all()
    assert matrix["layout"]["title"]["text"].startswith("Confusion matrix of the hybrid model")
    assert "comparison only" in str(curves["layout"]) and "comparison only" in str(matrix["layout"])


def test_the_legend_gives_the_area_under_every_curve_that_is_drawn(both):
    predictions, paper, _, outcomes, training = both
    results, _, curves, _ = evaluate_models(predictions, paper, outcomes, training, "honest", EVIDENCE, TABLE4, seed=0)
    legend = {trace["name"] for trace in curves["data"] if trace["name"] != "Chance"}
    areas = {model: levels["patient"]["auc"]["value"] for model, levels in results["models"].items()}
    del areas["majority"]  # the line of chance
    assert legend == {f"{name_of(model)}, AUC {area:.2f}" for model, area in areas.items()}
    assert "45 test patients" in curves["layout"]["title"]["text"]


def test_under_the_honest_protocol_nobody_was_seen(both):
    predictions, paper, _, outcomes, training = both
    results, table, _, _ = evaluate_models(predictions, paper, outcomes, training, "honest", EVIDENCE, TABLE4, seed=0)
    assert results["protocol"] == {"n_test_patients": 45, "n_test_patients_seen_in_training": 0}
    assert results["watermark"] is None
    assert table.iloc[-1]["accuracy"] == pytest.approx(0.9)  # the paper's row
    assert {found["patient"]["n"] for found in results["models"].values()} == {45}


def test_without_the_papers_network_the_gap_says_why_it_is_missing(study):
    cohort, partition, _, _ = study
    parts = (training_of(cohort, partition), predictors_of(cohort, partition), outcomes_of(cohort, partition))
    scores, record = follow_paper_protocol(
        *parts, no_scores(), pd.DataFrame(), partition, quick(), "cnn", "honest", seed=0
    )
    assert scores.table.empty
    assert "model.paper_protocol" in record["skipped"]
    with pytest.raises(ConfigurationError, match=r"model\.paper_protocol"):
        follow_paper_protocol(*parts, no_scores(), pd.DataFrame(), partition, quick(), "cnn", "paper", seed=0)


def test_a_draw_of_the_paper_with_too_few_of_an_outcome_ends_no_honest_run(study):
    cohort, partition, _, _ = study
    parts = [part(cohort, partition) for part in (training_of, predictors_of, outcomes_of)]
    nearly_all_tested = quick(paper_protocol={"test_fraction": 0.98})  # 3 of 150 patients teach: one of an outcome
    given = (*parts, no_scores(), pd.DataFrame(), partition, nearly_all_tested, "none")
    scores, record = follow_paper_protocol(*given, "honest", seed=3)
    assert scores.table.empty
    assert "(1 long-term and 2 short-term training patients)" in record["skipped"]
    gap, *_ = compare_protocols(no_scores(), scores, record, parts[2], parts[0], EVIDENCE, 0)
    assert gap == record
    with pytest.raises(TrainingError, match="2 or more of each"):
        follow_paper_protocol(*given, "paper", seed=3)


def test_the_scaler_of_the_paper_has_seen_its_test_patients(study):
    cohort, partition, _, paper = study
    predictions, _ = follow_paper(cohort, paper, partition, quick(), "cnn", seed=0)
    assert set(predictions.table["patient_id"]) <= set(predictions.fitted_on["paper/clinical"])


def test_without_images_the_paper_has_seen_its_test_patients_all_the_same(study):
    cohort, partition, _, _ = study
    training, predictors, outcomes = (part(cohort, partition) for part in (training_of, predictors_of, outcomes_of))
    parts = (training, predictors, outcomes, no_scores(), pd.DataFrame(), partition, quick(), "none", "paper")
    scores, _ = follow_paper_protocol(*parts, seed=0)
    results, *_ = evaluate_models(no_scores(), scores, outcomes, training, "paper", EVIDENCE, TABLE4, seed=0)
    assert results["protocol"] == {"n_test_patients": 60, "n_test_patients_seen_in_training": 60}


def test_curves_of_several_splits_say_that_their_areas_are_those_within_splits(both):
    predictions, paper, _, outcomes, training = both
    table = predictions.table
    both_splits = Scores(
        pd.concat([table, table.assign(split="again", model=table["model"].str.replace("holdout", "again"))]),
        predictions.fitted_on | {name.replace("holdout", "again"): who for name, who in predictions.fitted_on.items()},
    )
    arguments = (paper, outcomes, training, "honest", EVIDENCE, TABLE4, 0)
    once, again = (evaluate_models(scored, *arguments)[2:] for scored in (predictions, both_splits))
    assert ["within splits" in curves["layout"]["title"]["text"] for curves, _ in (once, again)] == [False, True]
    said = [matrix["layout"]["title"]["text"].partition(", ")[2] for _, matrix in (once, again)]
    assert said == ["45 test patients", "90 predictions of 45 test patients"]


def answered(probability, long_term, patients, splits=None):
    """One model's answers to patients whose outcomes are known, called from one half on."""
    probability = np.array(probability)
    return pd.DataFrame(
        {
            "patient_id": patients,
            "split": splits or ["s"] * len(patients),
            "probability": probability,
            "predicted": probability >= 0.5,
            "long_term": long_term,
        }
    )


@pytest.mark.parametrize(
    ("measure", "difference"),
    [("accuracy", 1 - 2 / 4), ("sensitivity", 1 - 1 / 2), ("specificity", 1 - 1 / 2), ("auc", 1 - 3 / 4)],
)
def test_the_gap_is_the_papers_number_less_the_honest_one(measure, difference):
    outcome = [True, True, False, False]
    paper = answered([0.9, 0.8, 0.1, 0.2], outcome, ["P1", "P2", "P3", "P4"])
    honest = answered([0.9, 0.3, 0.6, 0.2], outcome, ["P1", "P2", "P3", "P4"])
    assert _difference(paper, honest, MEASURES[measure], 200, 0)["value"] == pytest.approx(difference)
    assert _difference(honest, paper, MEASURES[measure], 200, 0)["value"] == pytest.approx(-difference)


def test_a_gap_of_nothing_has_an_interval_of_nothing_where_both_test_the_same_patients():
    """Each resample draws a patient for both protocols or for neither, whatever order they stand in."""
    generator = np.random.default_rng(1)
    outcome, probability = np.arange(40) % 2 == 0, generator.random(40)
    one = answered(probability, outcome, [f"P{number:02d}" for number in range(40)])
    other = one.iloc[::-1].reset_index(drop=True)
    found = _difference(one, other, MEASURES["accuracy"], 200, 0)
    assert found == {"value": 0, "ci95": None, "reason": "the same in every bootstrap resample"}


def test_areas_of_a_gap_are_those_within_splits():
    outcome = [True, False, True, False]
    within = answered([0.9, 0.8, 0.2, 0.1], outcome, ["P1", "P2", "P3", "P4"], ["a", "a", "b", "b"])
    worthless = answered([0.5] * 4, outcome, ["P1", "P2", "P3", "P4"], ["a", "a", "b", "b"])
    assert _difference(within, worthless, MEASURES["auc"], 200, 0)["value"] == 0.5


def test_the_gap_stands_in_the_table_as_in_the_record(both):
    gap, table, seen, _ = compare_protocols(*both, EVIDENCE, seed=0)
    for row in table.to_dict("records"):
        found = gap["models"][row["model"]][row["metric"]]
        for part in ("honest", "paper", "difference"):
            assert row[part] == found[part]["value"]
        assert found["difference"]["value"] == pytest.approx(found["paper"]["value"] - found["honest"]["value"])
        assert (row["n_honest"], row["n_paper"]) == (45, 60)  # test patients of each
    assert seen.set_index("stage")["n_seen"].to_dict() == gap["seen"]
    assert set(seen["n_test_patients"]) == {60}
    pd.testing.assert_frame_equal(table, gap_table(gap))
    pd.testing.assert_frame_equal(seen, seen_table(gap))
