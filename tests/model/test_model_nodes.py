"""The nodes: train, score, evaluate, show; and nothing of it where no CNN is asked for."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from model_fakes import MemoryCheckpoints, Stacks, a_cohort, a_partition, names, tiny

from gliocast.errors import LeakageError
from gliocast.evidence.parameters import EvidenceParameters
from gliocast.model import saliency
from gliocast.pipelines.cnn_training import create_pipeline, evaluation_nodes, nodes
from gliocast.reporting import figures
from gliocast.types import LONG_TERM, SHORT_TERM, Scores

PATIENTS = names(24)
STACKS, CLASSES = a_cohort(24, contrast=2.0)
PARTITION = a_partition(PATIENTS, test=6)
OUTCOME = pd.Series(np.where(CLASSES == 1, LONG_TERM, SHORT_TERM), index=PATIENTS, dtype="string")
PAPER = {"table3": {"tp": 125, "fp": 15, "fn": 46, "tn": 147, "auc": 0.89}}
EVIDENCE = EvidenceParameters.model_construct(n_bootstrap=200, calibration_bins=5)


def rows(patients):
    return pd.DataFrame(
        {
            "patient_id": pd.array(patients, dtype="string"),
            "outcome": OUTCOME[list(patients)].array,
            "survival_days": [400 if OUTCOME[patient] == LONG_TERM else 100 for patient in patients],
            "event_observed": True,
        }
    )


TRAINING, TESTED = rows(PARTITION.splits[0].training), rows(PARTITION.splits[0].test)
STORE = Stacks(PATIENTS, STACKS)


def train(**changes):
    params = tiny(epochs=2, batch_size=6, **changes)
    hyperparameters = params.hyperparameters.model_dump()
    return nodes.train_cnn(STORE, TRAINING, PARTITION, hyperparameters, params, "cnn", 1, MemoryCheckpoints())


@pytest.fixture(scope="module")
def trained():
    return train()


@pytest.fixture(scope="module")
def test_scores(trained):
    return nodes.score_test_slices(trained[0], STORE, PARTITION, "cnn")


def evaluate(trained, test_scores, image_score="cnn"):
    return evaluation_nodes.evaluate_cnn(
        test_scores, trained[2], trained[3], TESTED, TRAINING, PAPER, EVIDENCE, image_score, 1
    )


def test_results_are_counted_by_patient_and_by_slice(trained, test_scores):
    results, _ = evaluate(trained, test_scores)
    assert results["models"]["cnn"]["patient"]["n"] == 6
    assert results["models"]["cnn"]["slice"]["n"] == 6 * 3
    assert results["out_of_fold"]["patient"]["n"] == 18
    assert results["paper_protocol"].keys() == {"watermark", "in_sample", "test"}
    json.dumps(results, allow_nan=False)


def test_patients_of_different_splits_are_not_ranked_against_each_other():
    """Networks that say the same of all patients of their split are worth one half, however the splits differ."""
    long = [False, False, True, False, True, True]
    scored = pd.DataFrame({"patient_id": names(6), "split": ["a"] * 3 + ["b"] * 3, "slice": -1})
    scored = scored.assign(outcome=np.where(long, LONG_TERM, SHORT_TERM), probability=[0.2] * 3 + [0.8] * 3)
    assert evaluation_nodes.measured(scored.assign(model=scored["split"]), EVIDENCE, 1)["auc"]["value"] == 0.5
    assert evaluation_nodes.roc_curves({"patient": scored})[1] == {"CNN by patient": 0.5}


def test_patients_held_out_by_different_networks_are_not_ranked_against_each_other():
    """Two networks that rank their own patients rightly are worth one, however much their levels differ."""
    scored = pd.DataFrame({"patient_id": names(4), "split": "a", "model": ["a/1", "a/1", "a/2", "a/2"]})
    scored = scored.assign(outcome=[SHORT_TERM, LONG_TERM] * 2, probability=[0.1, 0.2, 0.8, 0.9])
    assert evaluation_nodes.measured(scored, EVIDENCE, 1)["auc"]["value"] == 1


def test_a_curve_whose_splits_test_one_outcome_each_has_no_area():
    pairs = [("a", LONG_TERM, 0.7), ("a", LONG_TERM, 0.4), ("b", SHORT_TERM, 0.6)]
    curves, areas = evaluation_nodes.roc_curves(
        {"patient": pd.DataFrame(pairs, columns=["split", "outcome", "probability"])}
    )
    assert areas == {"CNN by patient": None}
    drawn = json.dumps(figures.roc(curves, areas))
    assert "CNN by patient" in drawn
    assert "nan" not in drawn


def test_table_3_sets_the_papers_slices_beside_our_slices_only(trained, test_scores):
    _, table = evaluate(trained, test_scores)
    by_slice = table[table["level"] == "slice"].set_index("measure")["paper"]
    assert by_slice["auc"] == 0.89
    assert by_slice["accuracy"] == pytest.approx(0.8168, abs=1e-4)
    assert table.loc[table["level"] == "patient", "paper"].isna().all()


def test_scores_by_a_network_that_has_seen_the_patient_are_refused(trained, test_scores):
    leaking = Scores(test_scores.table, {"holdout": PATIENTS})
    with pytest.raises(LeakageError):
        evaluate(trained, leaking)


def test_held_out_scores_by_a_network_that_has_seen_the_patient_are_refused(trained, test_scores):
    models = trained[2].fitted_on
    with pytest.raises(LeakageError, match="a held-out patient"):
        evaluate([*trained[:2], Scores(trained[2].table, dict.fromkeys(models, PATIENTS)), trained[3]], test_scores)


def test_without_the_papers_protocol_there_are_no_papers_scores(test_scores):
    outputs = train(paper_protocol=False)
    assert outputs[3].table.empty
    assert evaluate(outputs, test_scores)[0]["paper_protocol"] == {"skipped": "model.paper_protocol is off"}


def test_figures_are_plain_json(trained, test_scores):
    figures = evaluation_nodes.draw_cnn(test_scores, TESTED, trained[1], "cnn")
    panel = evaluation_nodes.show_predictions(test_scores, TESTED, STORE, tiny(explained_patients=2), "cnn")
    maps = evaluation_nodes.explain_predictions(trained[0], test_scores, TESTED, STORE, PARTITION, tiny(), "cnn")
    for figure in (*figures, panel, maps):
        assert figure["data"]
        json.dumps(figure, allow_nan=False)
    titles = [figure["layout"]["title"]["text"] for figure in figures]
    assert titles[1].startswith("Confusion matrix of the CNN") and titles[1].endswith("at a probability of 0.5")
    assert titles[2].startswith("Predicted probabilities of the CNN")


def test_figures_of_repeats_say_that_they_count_predictions_and_rank_within_splits(trained, test_scores):
    again = test_scores.table.assign(split="again", model="again")
    scores = Scores(pd.concat([test_scores.table, again]), {"holdout": (), "again": ()})
    once, twice = (evaluation_nodes.draw_cnn(said, TESTED, trained[1], "cnn") for said in (test_scores, scores))
    (roc, matrix, bars), (rocs, matrices, more_bars) = (
        [figure["layout"]["title"]["text"] for figure in figures[:3]] for figures in (once, twice)
    )
    assert "6 test patients" in matrix and "predictions" not in matrix + bars and "splits" not in roc
    assert "12 predictions of 6 test patients" in matrices and "12 predictions of 6 test patients" in more_bars
    assert "6 test patients of all splits together; AUC within splits" in rocs
    assert [figures[2]["layout"]["yaxis"]["title"]["text"] for figures in (once, twice)] == ["Patients", "Predictions"]


def test_a_network_without_feature_maps_is_not_explained_and_the_figure_says_so(trained, test_scores, monkeypatch):
    monkeypatch.setattr(saliency, "stages_with_maps", lambda *_: [])
    shown = evaluation_nodes.explain_predictions(trained[0], test_scores, TESTED, STORE, PARTITION, tiny(), "cnn")
    assert not shown["data"]
    assert shown["layout"]["meta"]["reason"].startswith("test_byobnet has no feature maps")


def test_the_panel_shows_no_patients_name(test_scores):
    panel = evaluation_nodes.show_predictions(test_scores, TESTED, STORE, tiny(explained_patients=2), "cnn")
    assert not any(patient in json.dumps(panel["layout"]["annotations"]) for patient in PATIENTS)


def test_examples_are_the_surest_of_each_kind():
    scored = pd.DataFrame(
        {
            "patient_id": list("abcd"),
            "slice": -1,
            "outcome": [LONG_TERM, LONG_TERM, LONG_TERM, SHORT_TERM],
            "probability": [0.6, 0.9, 0.2, 0.7],
        }
    )
    assert set(evaluation_nodes.examples(scored, 1)["patient_id"]) == {"b", "c", "d"}


def test_training_knows_nothing_of_test_outcomes():
    classes = nodes.known_classes(PATIENTS, TRAINING, tiny())
    assert (classes[-6:] == -1).all()
    assert (classes[:-6] == CLASSES[:-6]).all()


@pytest.mark.parametrize("image_score", ["none", "features"])
def test_where_no_cnn_is_asked_for_every_node_says_so(image_score):
    params = tiny()
    outputs = nodes.train_cnn(STORE, TRAINING, PARTITION, {}, params, image_score, 1, MemoryCheckpoints())
    assert outputs[0].reason == f"image_score is {image_score}"
    scores = nodes.score_test_slices(outputs[0], STORE, PARTITION, image_score)
    assert scores.table.empty
    assert evaluate(outputs, scores, image_score)[0] == {"skipped": f"image_score is {image_score}"}
    assert not any(figure["data"] for figure in evaluation_nodes.draw_cnn(scores, TESTED, outputs[1], image_score))
    assert not evaluation_nodes.show_predictions(scores, TESTED, STORE, params, image_score)["data"]
    explained = (outputs[0], scores, TESTED, STORE, PARTITION, params, image_score)
    assert not evaluation_nodes.explain_predictions(*explained)["data"]


def test_the_graph_opens_no_test_outcome_before_scoring():
    fitting = [node for node in create_pipeline().nodes if node.name in ("train_cnn", "score_test_slices")]
    assert len(fitting) == 2
    assert not any("test_outcomes" in node.inputs for node in fitting)
