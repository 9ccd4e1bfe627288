"""The audit: its law, its classifiers against scikit-learn's, and the leak that it must show."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from gliocast.datasets.finished_pieces import PieceFolder
from gliocast.evidence import audit_classifiers as classifiers
from gliocast.evidence.auc import delong
from gliocast.evidence.audit import DESIGNS, Design, Study, _row, audit_chunk, chosen_family, n_chunks
from gliocast.evidence.audit_law import cnn_logits, draw_patients
from gliocast.evidence.audit_summary import printable, summarise
from gliocast.evidence.parameters import AuditParameters
from gliocast.pipelines.audit import nodes
from shipped import section

CONF = Path(__file__).parents[2] / "conf" / "base"
PAPER = section("paper")
TABLE1 = PAPER["table1"]
DECLARED = yaml.safe_load((CONF / "parameters_audit.yml").read_text())["audit"]
SMALL = {
    "n_cohorts": 30,
    "chunk": 15,
    "n_new_patients": 2000,
    "image_signals": (0.5,),
    "workers": 1,
}
QUICK = {"classifiers": {"logistic_regression": (0.1, 1), "naive_bayes": (0.1,)}}
AUDIT = AuditParameters(**DECLARED | SMALL | QUICK)
AGE_SD = AUDIT.age_sd_years
CHOICE = "one_standard_error"


@pytest.fixture(scope="module")
def runs():
    return pd.concat(
        [audit_chunk(TABLE1, AUDIT, CHOICE, 1, chunk) for chunk in range(n_chunks(AUDIT))], ignore_index=True
    )


@pytest.fixture(scope="module")
def batch():
    patients = draw_patients(TABLE1, AGE_SD, (3, 175), np.random.default_rng(2))
    features, _ = classifiers.standardised(patients.clinical, np.ones((3, 175)), patients.clinical)
    training = np.tile(np.arange(175) < 105, (3, 1)).astype(float)
    return features, patients.outcome, training


def test_the_law_has_table_1s_shares_and_mean_ages():
    patients = draw_patients(TABLE1, AGE_SD, (1, 100_000), np.random.default_rng(1))
    long_term, (age, female, who_status, incomplete, complete) = patients.outcome[0], patients.clinical[0].T
    assert long_term.mean() == pytest.approx(89 / 175, abs=0.01)
    assert complete[long_term].mean() == pytest.approx(37 / 89, abs=0.01)
    assert incomplete[~long_term].mean() == pytest.approx(28 / 86, abs=0.01)
    assert female[long_term].mean() == pytest.approx(35 / 89, abs=0.01)
    assert (who_status[~long_term] == 3).mean() == pytest.approx(7 / 86, abs=0.01)
    assert age[long_term].mean() == pytest.approx(65.1, abs=0.7)
    assert (age.min(), age.max()) == pytest.approx((25.5, 88.9), abs=1.5)


@pytest.mark.parametrize("signal", [0.5, 0.65, 0.8])
def test_a_perfect_reader_reaches_the_signal(signal):
    patients = draw_patients(TABLE1, AGE_SD, (1, 50_000), np.random.default_rng(1))
    assert delong(patients.outcome[0], patients.latent(signal)[0])["value"] == pytest.approx(signal, abs=0.01)


def test_surgery_alone_has_the_auc_that_table_1_implies():
    patients = draw_patients(TABLE1, AGE_SD, (1, 100_000), np.random.default_rng(1))
    extent = patients.clinical[0, :, 3] + 2 * patients.clinical[0, :, 4]
    assert delong(patients.outcome[0], extent)["value"] == pytest.approx(0.748, abs=0.005)


def test_a_network_knows_the_outcome_of_the_patients_it_has_seen_alone():
    outcome, seen = np.array([[True, False, True, False]]), np.array([[True, True, False, False]])
    assert cnn_logits(np.zeros((1, 4)), outcome, seen, 4.0).tolist() == [[4.0, -4.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("ours", "setting", "theirs"),
    [
        ("logistic_regression", 0.1, "linear_model.LogisticRegression(C=0.1, tol=1e-8)"),
        ("logistic_regression", 10, "linear_model.LogisticRegression(C=10, tol=1e-8)"),
        ("lda", 0, "discriminant_analysis.LinearDiscriminantAnalysis()"),
        ("naive_bayes", 1e-9, "naive_bayes.GaussianNB()"),
        ("naive_bayes", 0.1, "naive_bayes.GaussianNB(var_smoothing=0.1)"),
        ("decision_tree", 3, "tree.DecisionTreeClassifier(max_depth=3, random_state=0)"),
    ],
)
def test_classifiers_for_many_cohorts_are_scikit_learns_one_by_one(batch, ours, setting, theirs):
    import importlib

    module, call = theirs.split(".", 1)
    features, outcome, training = batch
    answers = classifiers.CLASSIFIERS[ours](features, outcome, training, features, setting)
    for number in range(3):
        oracle = eval(call, vars(importlib.import_module(f"sklearn.{module}")))
        fit = training[number] > 0
        expected = oracle.fit(features[number][fit], outcome[number][fit]).predict_proba(features[number])[:, 1]
        assert answers[number] == pytest.approx(expected, abs=0.003)


def test_nearest_neighbours_are_scikit_learns(batch):
    from sklearn.neighbors import KNeighborsClassifier

    features, outcome, training = batch
    jittered = features + np.random.default_rng(1).normal(0, 0.01, features.shape)  # no two at one distance
    answers = classifiers.nearest_neighbours(jittered, outcome, training, jittered, 7)
    fit = training[0] > 0
    oracle = KNeighborsClassifier(7).fit(jittered[0][fit], outcome[0][fit])
    assert answers[0] == pytest.approx(oracle.predict_proba(jittered[0])[:, 1])


def test_where_fewer_patients_train_than_neighbours_are_asked_for_all_of_them_answer_and_nobody_else():
    features, outcome = np.arange(5.0).reshape(1, 5, 1), np.array([[True, False, False, True, True]])
    training = np.array([[1.0, 1.0, 1.0, 0.0, 0.0]])
    for neighbours in (4, 9):
        answers = classifiers.nearest_neighbours(features, outcome, training, features, neighbours)
        assert answers[0] == pytest.approx([1 / 3] * 5)


def test_patients_without_training_weight_teach_nothing(batch):
    features, outcome, training = batch
    poisoned = np.where(training > 0, outcome, ~outcome)
    for name, setting in (("logistic_regression", 1), ("lda", 0), ("naive_bayes", 0.1), ("nearest_neighbours", 5)):
        classify = classifiers.CLASSIFIERS[name]
        clean, dirty = (classify(features, truth, training, features, setting) for truth in (outcome, poisoned))
        assert clean == pytest.approx(dirty)


def test_within_one_standard_error_the_preferred_family_is_chosen_and_else_the_best():
    preferred, other = np.array([[0.7, 0.8], [0.5, 0.6]]), np.array([[0.7, 0.9], [0.7, 0.9]])
    inner = np.stack([preferred.T, other.T])  # candidates, folds, cohorts: 0.75 and 0.55 beside 0.80 with error 0.10
    winners = np.array([[0, 0], [1, 1]])
    assert chosen_family(inner, winners, "one_standard_error").tolist() == [0, 1]
    assert chosen_family(inner, winners, "best").tolist() == [1, 1]


def test_the_error_that_is_allowed_for_is_that_of_the_best_candidate():
    steady, varied = np.array([[0.72], [0.74]]), np.array([[0.7], [0.9]])  # 0.73 with error 0.01, 0.80 with 0.10
    winners = np.array([[0], [1]])
    assert chosen_family(np.stack([steady, varied]), winners, "one_standard_error").tolist() == [0]
    # 0.73 with error 0.10, and 0.80 with error 0.01
    assert chosen_family(np.stack([varied - 0.07, steady + 0.07]), winners, "one_standard_error").tolist() == [1]


# Six patients whose first four train, in two inner folds that take turns.
TRAINING = np.array([[True, True, True, True, False, False]])
FOLDS = np.array([[0, 1, 0, 1, 0, 1]])


def study(outcome, protocol="honest", **classifying):
    """The choice among stand-ins, each a function of the training weights, for one cohort a row of `outcome`."""
    settings = {"inner_folds": 2, "classifiers": dict.fromkeys(classifying or ["any"], (1.0,))}
    training = TRAINING.repeat(len(outcome), axis=0)
    design = Design(np.zeros_like(training), training, training)
    folds = FOLDS.repeat(len(outcome), axis=0)
    return Study(np.array(outcome), design, folds, protocol, AUDIT.model_copy(update=settings), "best")


def test_each_inner_fold_is_fitted_on_the_other_training_patients_and_on_no_test_patient(monkeypatch):
    fitted_on = []

    def says_long(features, outcome, training, scored, setting):
        fitted_on.append(training.tolist())
        return np.full(scored.shape[:2], 0.5)

    monkeypatch.setitem(classifiers.CLASSIFIERS, "any", says_long)
    one = study([[True, True, True, False, False, False]])
    # fold 0 holds patients 0 and 2, both long-term; fold 1 holds 1, who is, and 3, who is not
    assert one._inner_accuracies(np.zeros((1, 6, 1)), "any", 1.0).tolist() == [[1.0], [0.5]]
    assert fitted_on == [[[0, 1, 0, 1, 0, 0]], [[1, 0, 1, 0, 0, 0]]]


@pytest.mark.parametrize(("protocol", "chosen"), [("honest", 0), ("paper", 2)])
def test_the_honest_protocol_chooses_by_the_inner_folds_and_the_papers_by_the_test_patients(protocol, chosen):
    """Of one family with two settings and another: neither protocol takes a setting that the inner folds reject."""
    outcome = np.array([[True, True, False, False, True, False]])
    one = study(outcome, protocol, first=None, second=None)
    inner = np.array([[[0.9], [0.9]], [[0.6], [0.6]], [[0.8], [0.8]]])
    right = np.where(outcome[0], 0.9, 0.1)
    fitted = np.stack([1 - right, right, right])[:, None]  # on the test patients the inner folds' best is always wrong
    assert one._choice(inner, fitted, np.array(["first", "first", "second"])).tolist() == [chosen]


def test_each_cohort_is_answered_by_the_classifier_that_was_chosen_for_it(monkeypatch):
    for name, answer in (("long", 0.9), ("short", 0.1)):
        monkeypatch.setitem(
            classifiers.CLASSIFIERS,
            name,
            lambda _, __, ___, scored, ____, answer=answer: np.full(scored.shape[:2], answer),
        )
    both = study([[True] * 6, [False] * 6], long=None, short=None)
    answers = both.run(np.zeros((2, 6, 1)), np.zeros((1, 3, 1)))
    assert answers.own.tolist() == [[0.9] * 6, [0.1] * 6]
    assert answers.new.tolist() == [[0.9] * 3, [0.1] * 3]


def test_claims_are_of_the_test_patients_and_the_truth_of_the_new_ones():
    outcome, new_outcome = np.array([True, True, False, False]), np.array([True, False])
    hybrid = np.array([0.9, 0.6, 0.4, 0.6]), np.array([0.2, 0.7])
    clinical = np.array([0.9, 0.8, 0.2, 0.1]), np.array([0.5, 0.4])
    row = _row(outcome, new_outcome, hybrid, clinical)
    assert (row["claimed_accuracy"], row["true_accuracy"]) == (0.75, 0.0)
    # of the pairs (0.9, 0.4), (0.9, 0.6), (0.6, 0.4) are right, and (0.6, 0.6) is half
    assert (row["claimed_auc"], row["true_auc"]) == (0.875, 0.0)
    assert (row["claimed_clinical_accuracy"], row["true_clinical_accuracy"]) == (1.0, 1.0)
    assert (row["claimed_clinical_auc"], row["true_clinical_auc"]) == (1.0, 1.0)
    assert np.isnan(row["claimed_clinical_auc_lower"])  # all pairs right: no interval
    assert row["claimed_auc_lower"] < 0.875 < row["claimed_auc_upper"]
    assert row["mri_adds"] is False


@pytest.mark.parametrize(
    ("protocol", "n_seen", "n_training", "n_scaled_on"), [("honest", 0, 140, 140), ("paper", 105, 105, 175)]
)
def test_the_designs_have_the_papers_shares(protocol, n_seen, n_training, n_scaled_on):
    design = DESIGNS[protocol]((2, 175), AUDIT, np.random.default_rng(1))
    assert design.seen.sum(axis=1).tolist() == [n_seen] * 2
    assert design.training.sum(axis=1).tolist() == [n_training] * 2
    assert design.scaled_on.sum(axis=1).tolist() == [n_scaled_on] * 2


def test_the_honest_scaler_learns_from_the_training_patients_alone():
    design = DESIGNS["honest"]((2, 175), AUDIT, np.random.default_rng(1))
    assert (design.scaled_on == design.training).all()


def test_the_last_piece_holds_the_cohorts_that_are_left_over():
    uneven = AUDIT.model_copy(update={"n_cohorts": 5, "chunk": 2, "n_new_patients": 100})
    assert n_chunks(uneven) == 3
    assert set(audit_chunk(TABLE1, uneven, CHOICE, 1, 2)["cohort"]) == {4}
    assert set(audit_chunk(TABLE1, uneven, CHOICE, 1, 1)["cohort"]) == {2, 3}


def test_new_patients_are_none_of_the_cohorts_own(monkeypatch):
    drawn = []

    def draw(*arguments):
        drawn.append(draw_patients(*arguments))
        return drawn[-1]

    monkeypatch.setattr("gliocast.evidence.audit.draw_patients", draw)
    alone = AUDIT.model_copy(update={"n_cohorts": 1, "chunk": 1, "n_new_patients": AUDIT.n_patients})
    audit_chunk(TABLE1, alone, CHOICE, 1, 0)
    own, new = drawn
    assert not np.array_equal(own.clinical, new.clinical)


def test_features_are_scaled_by_the_patients_fitted_on_and_a_constant_one_is_only_shifted():
    features, fitted_on = np.array([[[0.0, 5.0], [2.0, 5.0], [10.0, 7.0]]]), np.array([[1.0, 1.0, 0.0]])
    own, new = classifiers.standardised(features, fitted_on, np.array([[[3.0, 4.0]]]))
    assert own.tolist() == [[[-1, 0], [1, 0], [9, 2]]]
    assert new.tolist() == [[[2, -1]]]


def rows(runs, memorises, protocol):
    return runs[(runs["memorises"] == memorises) & (runs["protocol"] == protocol)]


def test_the_papers_protocol_claims_what_a_memorising_network_of_noise_does_not_have(runs):
    leaking = rows(runs, True, "paper")
    assert leaking["claimed_accuracy"].mean() > leaking["true_accuracy"].mean() + 0.12
    assert leaking["claimed_auc"].mean() > leaking["true_auc"].mean() + 0.12
    assert leaking["mri_adds"].mean() > 0.5


def test_the_honest_protocol_claims_what_is_true(runs):
    honest = rows(runs, True, "honest")
    bias = honest["claimed_auc"] - honest["true_auc"]
    assert abs(bias.mean()) < 3.5 * bias.sem()
    assert honest["mri_adds"].mean() <= 0.1


def test_no_patient_of_the_honest_protocol_was_seen_and_41_of_the_papers_70_were(runs):
    assert (rows(runs, True, "honest")["n_test_patients_seen"] == 0).all()
    assert rows(runs, True, "paper")["n_test_patients_seen"].mean() == pytest.approx(70 * 105 / 175, abs=2)


def test_memorising_does_not_touch_the_honest_protocol(runs):
    drop = ["memorises"]
    first, second = (rows(runs, kind, "honest").drop(columns=drop).reset_index(drop=True) for kind in (True, False))
    pd.testing.assert_frame_equal(first, second)


def test_mutant_without_memorising_shows_no_gap(runs):
    unmemorised = rows(runs, False, "paper")
    assert unmemorised["claimed_auc"].mean() - unmemorised["true_auc"].mean() < 0.05


def test_audit_json_has_the_contracts_shape(runs):
    results = summarise(runs, 175)
    assert set(results) == {"n_cohorts", "n_patients", "scenarios"}
    assert results["n_cohorts"] == 30
    assert len(results["scenarios"]) == 4
    keys = {"image_signal", "memorises", "protocol", "ci95_coverage", "mri_adds_rate"}
    keys |= {"claimed_accuracy", "true_accuracy", "claimed_auc", "true_auc"}
    assert all(set(scenario) == keys for scenario in results["scenarios"])
    json.dumps(results, allow_nan=False)


def test_coverage_by_hand():
    one = {"image_signal": 0.5, "memorises": True, "protocol": "paper", "mri_adds": True, "n_test_patients_seen": 40}
    claim = {"claimed_{}": 0.9, "claimed_{}_lower": 0.8, "claimed_{}_upper": 0.95}
    hybrid = {key.format(name): value for key, value in claim.items() for name in ("accuracy", "auc")}
    hybrid |= {key.format(f"clinical_{n}"): value for key, value in claim.items() for n in ("accuracy", "auc")}
    hybrid |= {"true_clinical_accuracy": 0.7, "true_clinical_auc": 0.7}
    runs = pd.DataFrame(
        [
            one | hybrid | {"cohort": 0, "true_accuracy": 0.85, "true_auc": 0.7},
            one | hybrid | {"cohort": 1, "true_accuracy": 0.7, "true_auc": 0.7},
        ]
    )
    scenario = summarise(runs, 175)["scenarios"][0]
    assert scenario["ci95_coverage"] == pytest.approx(0.25)  # one of four intervals
    assert scenario["mri_adds_rate"] == 1.0
    assert printable(runs)["bias_auc"].tolist() == pytest.approx([0.2])


def test_the_table_of_three_cohorts_by_hand():
    skew = [0.0, 0.0, 0.3]  # its mean is 0.1 and its median 0
    names = [
        f"{side}_{kind}{of}" for side in ("claimed", "true") for kind in ("", "clinical_") for of in ("accuracy", "auc")
    ]
    runs = pd.DataFrame(dict.fromkeys(names, skew)).assign(
        cohort=[0, 1, 2], image_signal=0.5, memorises=True, protocol="paper", n_test_patients_seen=[40, 41, 45]
    )
    runs = runs.assign(claimed_auc=[0.6, 0.6, 0.9], mri_adds=[True, False, False])
    for claim in ("accuracy", "auc"):
        runs = runs.assign(**{f"claimed_{claim}_lower": 0.0, f"claimed_{claim}_upper": [0.0, 0.0, 0.2]})
    (line,) = printable(runs).to_dict("records")
    assert {name: line[name] for name in names} == dict.fromkeys(names, 0.1) | {"claimed_auc": 0.7}
    assert (line["bias_accuracy"], line["bias_auc"], line["bias_auc_se"]) == (0.0, 0.6, 0.0)
    assert (line["coverage_accuracy"], line["mri_adds_rate"]) == (0.6667, 0.3333)
    assert line["test_patients_seen"] == 42
    scenario = summarise(runs, 175)["scenarios"][0]
    assert (scenario["claimed_auc"], scenario["true_auc"]) == pytest.approx((0.7, 0.1))
    assert scenario["mri_adds_rate"] == pytest.approx(1 / 3)


def test_a_killed_audit_goes_on_and_ends_the_same(tmp_path, runs, monkeypatch):
    chunks = PieceFolder(tmp_path)
    whole = nodes.simulate_cohorts(PAPER, AUDIT, CHOICE, 1, chunks)
    files = sorted(tmp_path.rglob("*.parquet"))
    files[1].unlink()
    monkeypatch.setattr("gliocast.evidence.audit.audit_chunk", refuse_the_first(audit_chunk))
    resumed = nodes.simulate_cohorts(PAPER, AUDIT, CHOICE, 1, chunks)
    pd.testing.assert_frame_equal(whole, resumed)
    pd.testing.assert_frame_equal(whole, runs)


def refuse_the_first(original):
    def audit_again(table1, audit, choice, seed, chunk):
        assert chunk == 1, "a finished piece was done again"
        return original(table1, audit, choice, seed, chunk)

    return audit_again


def test_another_order_of_preference_finds_no_pieces_and_chooses_otherwise(tmp_path, runs):
    chunks, reordered = PieceFolder(tmp_path), dict(reversed(AUDIT.classifiers.items()))
    nodes.simulate_cohorts(PAPER, AUDIT, CHOICE, 1, chunks)
    other = nodes.simulate_cohorts(PAPER, AUDIT.model_copy(update={"classifiers": reordered}), CHOICE, 1, chunks)
    assert not other.equals(runs)


def test_the_audit_chooses_by_the_rule_that_it_is_given_and_finds_no_pieces_of_another(tmp_path, runs):
    chunks = PieceFolder(tmp_path)
    nodes.simulate_cohorts(PAPER, AUDIT, CHOICE, 1, chunks)
    assert not nodes.simulate_cohorts(PAPER, AUDIT, "best", 1, chunks).equals(runs)


def test_a_piece_with_one_flipped_bit_anywhere_is_done_again(tmp_path):
    chunks = PieceFolder(tmp_path)
    chunks.save("key", 3, pd.DataFrame({"auc": [0.71]}))
    (stored,) = tmp_path.rglob("*.parquet")
    content = stored.read_bytes()
    for place in range(0, len(content), 7):
        stored.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert chunks.load("key", 3) is None
    chunks.save("key", 3, pd.DataFrame({"auc": [0.71]}))
    assert list(chunks.load("key", 3)["auc"]) == [0.71]


def test_a_damaged_piece_does_not_hide_the_one_that_was_done_again(tmp_path):
    chunks = PieceFolder(tmp_path)
    chunks.save("key", 3, pd.DataFrame({"auc": [0.72]}))
    next(tmp_path.rglob("*.parquet")).write_bytes(b"torn")
    chunks.save("key", 3, pd.DataFrame({"auc": [0.71]}))
    assert list(chunks.load("key", 3)["auc"]) == [0.71]


def test_other_parameters_find_no_pieces(tmp_path):
    chunks = PieceFolder(tmp_path)
    chunks.save("one" * 10, 0, pd.DataFrame({"a": [1]}))
    assert chunks.load("other" * 10, 0) is None


def test_the_audits_figures_and_table_are_made(runs):
    results, table, *figures = nodes.summarise_audit(runs, AUDIT)
    assert len(table) == len(results["scenarios"])
    assert all(figure["data"] for figure in figures)
    json.dumps(figures, allow_nan=False)
