"""The evidence pages, from predictions of a small cohort to tables and figures."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from gliocast.cohort.parameters import CohortParameters, PartitionParameters
from gliocast.cohort.partitions import partition_patients
from gliocast.cohort.simulation.parameters import PaperParameters, SimulationParameters
from gliocast.cohort.simulation.truth import simulated_patients
from gliocast.errors import LeakageError
from gliocast.evidence.parameters import EvidenceParameters
from gliocast.evidence.survival_models import MODELS
from gliocast.hybrid import evaluate
from gliocast.hybrid.parameters import HybridParameters
from gliocast.pipelines.evidence import nodes, survival_nodes
from gliocast.types import SCORE_COLUMNS, Fold, Partition, Scores, Split
from project_copy import ROOT
from shipped import section

PATIENTS = [f"P{number:03d}" for number in range(120)]
TRAINING, TEST = PATIENTS[:80], PATIENTS[80:]


EVIDENCE = EvidenceParameters(**section("evidence") | {"n_bootstrap": 200})
HYBRID = HybridParameters(**section("hybrid"))
SHIPPED_SEED = 20260101
rng = np.random.default_rng(8)


@pytest.fixture(scope="module")
def cohort():
    """Older patients die sooner; patient P120 is alive with a short follow-up and has no class."""
    age = rng.uniform(45, 85, 121)
    days = np.ceil(rng.exponential(450 * np.exp(-(age - 65) / 15)) + 20).astype(int)
    table = pd.DataFrame(
        {
            "patient_id": [*PATIENTS, "P120"],
            "age_years": age,
            "sex": rng.choice(["F", "M"], 121),
            "who_status": pd.array(rng.integers(0, 3, 121), dtype="Int64"),
            "surgery": rng.choice(["biopsy", "incomplete", "complete"], 121),
            "survival_days": pd.array(days, dtype="Int64"),
            "event_observed": pd.array([True] * 121, dtype="boolean"),
        }
    )
    table["outcome"] = np.where(table["survival_days"] >= 332, "long_term", "short_term")
    table.loc[120, ["survival_days", "event_observed", "outcome"]] = [50, False, None]
    return table


@pytest.fixture(scope="module")
def outcomes(cohort):
    return cohort[cohort["patient_id"].isin(TEST)][["patient_id", "outcome", "survival_days", "event_observed"]]


def scored(cohort, patients, role, model, **more):
    rows = cohort.set_index("patient_id").loc[patients]
    probability = 1 / (1 + np.exp((rows["age_years"].to_numpy() - 65) / 4))
    table = pd.DataFrame({"split": "holdout", "patient_id": patients, "slice": -1, "role": role, "model": model})
    return table.assign(logit=0.0, probability=probability, **more)


@pytest.fixture(scope="module")
def predictions(cohort):
    models = [
        scored(cohort, TEST, "test", f"holdout/{name}", name=name, threshold=0.5).assign(
            predicted=lambda table: table["probability"] >= 0.5
        )
        for name in ("clinical", "majority", "surgery_rule")
    ]
    models[1]["probability"] = 0.5
    models[2]["probability"] = np.nan
    seen = {f"holdout/{name}": tuple(TRAINING) for name in ("clinical", "majority", "surgery_rule")}
    return Scores(pd.concat(models, ignore_index=True), seen)


@pytest.fixture(scope="module")
def training_predictions(cohort):
    parts = [scored(cohort, TRAINING[fold::2], "out_of_fold", f"holdout/clinical/fold{fold}") for fold in range(2)]
    fitted_on = {f"holdout/clinical/fold{fold}": tuple(TRAINING[1 - fold :: 2]) for fold in range(2)}
    return Scores(pd.concat(parts, ignore_index=True), fitted_on)


def test_calibration_is_shown_as_it_is_and_recalibrated(predictions, training_predictions, outcomes, cohort):
    training = cohort[cohort["patient_id"].isin(TRAINING)]
    table, figure = nodes.assess_calibration(predictions, outcomes, EVIDENCE, training_predictions, training, 1)
    assert table["recalibration"].tolist() == ["none", "platt", "isotonic", "beta"]
    assert (table["model"] == "clinical").all()  # neither a rule nor a constant is calibrated
    slopes = table.set_index("recalibration")["calibration_slope"]
    assert abs(slopes["platt"] - 1) < abs(slopes["none"] - 1)
    json.dumps(figure, allow_nan=False)


def test_mutant_that_recalibrates_with_the_test_patients_is_refused(predictions, outcomes, cohort):
    leaking = Scores(scored(cohort, TEST, "out_of_fold", "holdout/clinical/fold0"), {})
    with pytest.raises(LeakageError, match="recalibration"):
        nodes.assess_calibration(predictions, outcomes, EVIDENCE, leaking, outcomes, 1)


def test_subgroups_of_the_test_patients_add_up(predictions, outcomes, cohort):
    predictors = cohort.drop(columns=["outcome", "survival_days", "event_observed"])
    table = nodes.assess_subgroups(predictions, outcomes, EVIDENCE, predictors, 1)
    sums = table.groupby("characteristic")["n"].sum()
    assert sums["all"] == sums["sex"] == sums["age_band_years"] == 40
    bands = table.loc[table["characteristic"] == "age_band_years", "level"].tolist()
    assert bands == ["<60", "60–69", "≥70"]


def test_other_thresholds_are_swept_for_models_with_a_probability(predictions, outcomes):
    table = nodes.sweep_thresholds(predictions, outcomes, EVIDENCE, 1)
    assert table["model"].unique().tolist() == ["clinical"]
    assert table["threshold_days"].tolist() == list(EVIDENCE.sweep_days)
    assert table.set_index("threshold_days").loc[332, "auc"] > 0.6


def test_usefulness_and_predicted_groups_are_drawn(predictions, outcomes):
    for figure in (
        nodes.assess_usefulness(predictions, outcomes),
        survival_nodes.compare_predicted_groups(predictions, outcomes),
    ):
        assert figure["data"]
        json.dumps(figure, allow_nan=False)


def test_models_of_before_the_operation_stand_in_tables_and_crowd_no_figure(predictions, outcomes):
    early = predictions.table[predictions.table["name"] == "clinical"].assign(name="clinical_pre_operative")
    both = Scores(pd.concat([predictions.table, early], ignore_index=True), predictions.fitted_on)
    shown = [trace["name"] for trace in nodes.assess_usefulness(both, outcomes)["data"]]
    assert shown == ["Clinical only", "Call everyone long-term", "Call no one long-term"]
    assert set(evaluate.roc_points(evaluate.drawn(both), outcomes)["model"]) == {"clinical", "surgery_rule"}


def test_a_decision_curve_says_how_many_patients_it_is_drawn_from(predictions, outcomes):
    title = nodes.assess_usefulness(predictions, outcomes)["layout"]["title"]["text"]
    assert title == f"Decision curve, {len(outcomes)} test patients"


def test_predicted_groups_are_tested_by_log_rank_where_one_split_is_tested_alone(predictions, outcomes):
    folds = predictions.table.assign(split=np.where(predictions.table["patient_id"].isin(TEST[:20]), "one", "two"))
    for table, is_tested in ((predictions.table, True), (folds, False)):
        figure = survival_nodes.compare_predicted_groups(Scores(table, predictions.fitted_on), outcomes)
        assert ("log-rank" in figure["layout"]["title"]["text"]) == is_tested


def test_who_was_called_long_term_is_not_shown_as_a_long_term_survivor(predictions, outcomes):
    figure = survival_nodes.compare_predicted_groups(predictions, outcomes)
    names = {trace["name"] for trace in figure["data"] if "name" in trace}
    assert names == {"Called short-term", "Called long-term"}


def test_a_patient_of_several_repeats_is_called_what_most_of_them_say(predictions, outcomes):
    """All are called long-term in two of three repeats, as the models call them in the first alone."""
    mine = predictions.table[predictions.table["name"] == "clinical"]
    long_term = [mine.assign(split=f"repeat{number}", predicted=True) for number in (2, 3)]
    figure = survival_nodes.compare_predicted_groups(
        Scores(pd.concat([mine, *long_term]), predictions.fitted_on), outcomes
    )
    assert {trace["name"] for trace in figure["data"] if "name" in trace} == {"Called long-term"}


def test_calibration_is_drawn_of_what_each_repeat_says(predictions, outcomes, training_predictions, cohort):
    """The second repeat says the contrary of the first: the mean of both would be one half for everyone."""
    mine = predictions.table[predictions.table["name"] == "clinical"]
    contrary = mine.assign(split="again", probability=1 - mine["probability"])
    both = Scores(pd.concat([mine, contrary]), predictions.fitted_on)
    learnt = pd.concat([training_predictions.table, training_predictions.table.assign(split="again")])
    _, figure = nodes.assess_calibration(
        both, outcomes, EVIDENCE, Scores(learnt, training_predictions.fitted_on), cohort[:80], 1
    )
    drawn = next(trace for trace in figure["data"] if trace.get("name") == "Clinical only")
    assert min(drawn["x"]) < 0.2
    assert max(drawn["x"]) > 0.8


FOLD = Fold(tuple(TRAINING[40:]), (), tuple(TRAINING[:40]))
BACK = Fold(tuple(TRAINING[:40]), (), tuple(TRAINING[40:]))


def assessed(
    cohort,
    outcomes,
    *splits,
    scheme="holdout",
    taught=TRAINING,
    image_scores=None,
    unclassed=("P120",),
    threshold_mode="fixed",
):
    training = cohort[cohort["patient_id"].isin(taught)]
    predictors = cohort[cohort["patient_id"].isin(TEST)].drop(columns=["outcome", "survival_days", "event_observed"])
    partition = Partition(scheme, 1, splits, FOLD)
    nobody = Scores(pd.DataFrame({name: [] for name in SCORE_COLUMNS}), {})
    scores, kind = (nobody, "none") if image_scores is None else (image_scores, "cnn")
    parameters = CohortParameters(**section("cohort", "preprocessing") | {"threshold_mode": threshold_mode})
    arguments = (training, predictors, outcomes, scores, partition, parameters, HYBRID, kind, EVIDENCE, 1)
    return survival_nodes.assess_time_to_event(cohort[cohort["patient_id"].isin(unclassed)], *arguments)


@pytest.fixture
def watch_cox(monkeypatch):
    """Makes Cox the only survival model, and tells what it is given before it answers."""

    def watch(told):
        def fitted(*given):
            told(*given)
            return MODELS["cox"](*given)

        monkeypatch.setattr(survival_nodes, "MODELS", {"cox": fitted})

    return watch


@pytest.fixture(scope="module")
def time_to_event(cohort, outcomes):
    return assessed(cohort, outcomes, Split("holdout", tuple(TEST), (FOLD, BACK)))


def test_two_splits_count_each_patient_once_in_every_table(predictions, outcomes, cohort):
    halves = [Split("one", tuple(TEST[:20]), (FOLD, BACK)), Split("two", tuple(TEST[20:]), (FOLD, BACK))]
    of_time, of_classes = assessed(cohort, outcomes, *halves)
    predictors = cohort.drop(columns=["outcome", "survival_days", "event_observed"])
    twice = Scores(pd.concat([predictions.table.assign(split=name) for name in ("one", "two")]), predictions.fitted_on)
    of_groups = nodes.assess_subgroups(twice, outcomes, EVIDENCE, predictors, 1)
    of_thresholds = nodes.sweep_thresholds(twice, outcomes, EVIDENCE, 1)
    assert (of_time["n"] == 40).all()
    assert ((of_time["uno_c_lower"] < of_time["uno_c"]) & (of_time["uno_c"] < of_time["uno_c_upper"])).all()
    assert (of_classes["n"] + of_classes["n_undetermined"] == 40).all()
    assert (of_groups.groupby("characteristic")["n"].sum() == 40).all()
    assert (of_thresholds["n"] + of_thresholds["n_undetermined"] == 40).all()


def test_survival_models_refuse_a_test_patient_whom_they_learn_from(cohort, outcomes):
    with pytest.raises(LeakageError, match=f"{TEST[0]}.*cox"):
        leaking = Split("holdout", tuple(TEST), (Fold((), (), (TEST[0],)), FOLD, BACK))
        assessed(cohort, outcomes, leaking, taught=[*TRAINING, TEST[0]])


def test_all_survival_models_foretell_the_order_of_death(time_to_event):
    table, _ = time_to_event
    assert table["model"].tolist() == list(MODELS)
    assert (table["harrell_c"] > 0.6).all()
    assert (table["n"] == 40).all()
    assert (table["harrell_c_lower"] < table["harrell_c"]).all()


def test_a_patient_without_a_class_has_no_mark_that_tells_who_was_alive(cohort, outcomes, watch_cox):
    """Networks score no such patient; the column that says so would be 1 for patients who were alive when last seen."""
    widths = {}
    watch_cox(lambda features, followup, *_: widths.update({len(followup.days): features.shape[1]}))
    models = [scored(cohort, TRAINING, "out_of_fold", "fold"), scored(cohort, TEST, "test", "ensemble")]
    scores = Scores(pd.concat(models, ignore_index=True), {"fold": ("P999",), "ensemble": tuple(TRAINING)})
    for unclassed in (["P120"], []):
        split = Split("holdout", tuple(TEST), (FOLD, BACK))
        assessed(cohort, outcomes, split, image_scores=scores, unclassed=unclassed)
    assert widths[81] == widths[80]


def test_a_patient_without_a_class_does_not_teach_the_model_that_is_tested_on_their_centre(cohort, outcomes, watch_cox):
    taught = []
    watch_cox(lambda features, followup, *_: taught.append(len(followup.days)))
    centres = [Split(f"centre{name}", tuple(TEST[half::2]), (FOLD, BACK), name) for half, name in enumerate("AB")]
    for centre, expected in (("A", [80, 81]), ("B", [81, 80]), (None, [80, 80])):
        taught.clear()
        at_home = cohort.assign(centre=pd.array([centre] * 121, dtype="string"))
        assessed(at_home, outcomes, *centres, scheme="leave_one_centre_out")
        assert taught == expected


def test_who_is_tested_was_followed_to_the_threshold_or_where_it_is_a_median_to_death(cohort, outcomes, monkeypatch):
    splits = []
    monkeypatch.setattr(survival_nodes, "MODELS", {"cox": MODELS["cox"]})
    monkeypatch.setattr(survival_nodes, "survival_performance", lambda tested, *_: splits.extend(tested) or {})
    for mode in ("fixed", "training_median"):
        assessed(cohort, outcomes, Split("holdout", tuple(TEST), (FOLD, BACK)), threshold_mode=mode)
    assert [split.known_from_days for split in splits] == [332, np.inf]


def test_nobody_but_those_without_a_class_is_taught_from_beside_the_training_patients(cohort, outcomes):
    """All others died: without P120 nobody was lost, so Uno's weights are all one and his C is Harrell's."""
    split = Split("holdout", tuple(TEST), (FOLD, BACK))
    with_p120, without = (assessed(cohort, outcomes, split, unclassed=who)[0] for who in (["P120"], []))
    assert without["uno_c"].tolist() == pytest.approx(without["harrell_c"].tolist())
    assert with_p120["uno_c"].tolist() != pytest.approx(with_p120["harrell_c"].tolist())


def test_curves_reach_the_last_class(cohort, outcomes, watch_cox):
    reached = []
    watch_cox(lambda features, followup, scored_patients, times_days, seed: reached.append(times_days[-1]))
    assessed(cohort, outcomes, Split("holdout", tuple(TEST), (FOLD, BACK)))
    assert reached == [570]  # the first month after the last of the classes, 548 days; the last horizon is 540


def test_three_and_four_classes_are_told_apart_better_than_by_chance(time_to_event):
    _, table = time_to_event
    assert table["thresholds_days"].tolist() == ["183, 548", "183, 365, 548"] * len(MODELS)
    assert (table["weighted_kappa"] > 0).all()


def test_the_majority_of_the_classes_is_that_of_the_training_patients(cohort, outcomes, monkeypatch):
    """All of these die within half a year, and all who are tested live: one class for everyone is never right."""
    monkeypatch.setattr(survival_nodes, "MODELS", {"cox": MODELS["cox"]})
    living = outcomes.assign(survival_days=pd.array([900] * len(outcomes), dtype="Int64"))
    dying = cohort.assign(survival_days=cohort["survival_days"].clip(upper=182))
    _, table = assessed(dying, living, Split("holdout", tuple(TEST), (FOLD, BACK)))
    assert (table["majority_accuracy"] == 0).all()


def test_few_patients_cost_the_network_of_hazards_what_the_page_says():
    """A hundred simulated patients, as `simulation.n_patients: 100` and `image_score: none` have them."""
    reported = PaperParameters.model_validate(section("paper"))
    simulation = SimulationParameters(**section("simulation") | {"n_patients": 100})
    patients, _ = simulated_patients(reported.table1, reported.figure1, simulation, SHIPPED_SEED)
    partition = partition_patients(patients, PartitionParameters(**section("partition", "preprocessing")), SHIPPED_SEED)
    test = patients["patient_id"].isin(partition.splits[0].test)
    nobody = Scores(pd.DataFrame({name: [] for name in SCORE_COLUMNS}), {})
    settings = (CohortParameters(**section("cohort", "preprocessing")), HYBRID, "none", EVIDENCE, SHIPPED_SEED)
    parts = (patients[:0], patients[~test], patients[test], patients[test])
    table, _ = survival_nodes.assess_time_to_event(*parts, nobody, partition, *settings)
    found = table.set_index("model")["integrated_brier"]
    models = ["discrete_time_network", "cox", "discrete_time_hazard", "random_survival_forest"]
    page = (ROOT / "docs/concepts/evidence.md").read_text(encoding="utf-8")
    _, said = page.split(f"{sum(~test)} to learn from, {sum(test)}\nsimulated ones to be tested on, clinical facts:")
    assert [*map(float, re.findall(r"0\.\d+", said)[:4])] == pytest.approx(found[models].tolist(), abs=0.001)
