"""Predictions held against outcomes."""

from __future__ import annotations

import pandas as pd
import pytest
from hybrid_examples import few_resamples

from gliocast.errors import InputError, LeakageError, PartitionError
from gliocast.hybrid import evaluate as hybrid_evaluate
from gliocast.hybrid.evaluate import evaluate, prediction_times
from gliocast.types import PATIENT_LEVEL, Scores

EVIDENCE = few_resamples()
PATIENTS = [f"P{number}" for number in range(8)]
OUTCOMES = pd.DataFrame({"patient_id": PATIENTS, "outcome": ["long_term", "short_term"] * 4})


def rows(name: str, probability: list[float | None], split: str = "holdout") -> pd.DataFrame:
    table = pd.DataFrame({"patient_id": PATIENTS, "probability": pd.array(probability, dtype="float64")})
    return table.assign(
        split=split,
        slice=PATIENT_LEVEL,
        role="test",
        model=f"{split}/{name}",
        logit=0.0,
        name=name,
        predicted=table["probability"].fillna(1.0) >= 0.5,
        threshold=0.5,
        image_score_missing=False,
    )


def predictions(*tables: pd.DataFrame, fitted_on: tuple[str, ...] = ("T1", "T2")) -> Scores:
    table = pd.concat(tables, ignore_index=True)
    return Scores(table, dict.fromkeys(table["model"].unique(), fitted_on))


GOOD = [0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.4, 0.6]  # three of four right in each class
FLAT = [0.5] * 8


def test_counts_are_those_that_a_person_counts():
    found = evaluate(predictions(rows("clinical", GOOD)), OUTCOMES, EVIDENCE, seed=0)["models"]["clinical"]["patient"]
    assert {cell: found[cell] for cell in ("n", "tp", "fp", "fn", "tn")} == {"n": 8, "tp": 3, "fp": 1, "fn": 1, "tn": 3}
    assert found["auc"]["value"] == pytest.approx(15 / 16)
    assert found["accuracy"]["value"] == 0.75


@pytest.mark.parametrize("wrong", [None, -0.1, 1.1])
def test_one_score_that_is_no_probability_does_not_turn_a_model_into_a_rule(wrong):
    with pytest.raises(InputError) as refusal:
        evaluate(predictions(rows("clinical", [wrong, *GOOD[1:]])), OUTCOMES, EVIDENCE, seed=0)
    assert [(problem.patient, problem.where) for problem in refusal.value.problems] == [
        (PATIENTS[0], "score of holdout/clinical")
    ]


def test_the_calibration_error_has_as_many_bins_as_are_configured():
    two = EVIDENCE.model_copy(update={"calibration_bins": 2})
    scores = predictions(rows("clinical", GOOD))
    of_ten, of_two = (
        evaluate(scores, OUTCOMES, parameters, seed=0)["models"]["clinical"]["patient"]["ece"]["value"]
        for parameters in (EVIDENCE, two)
    )
    assert of_ten == pytest.approx(2 * (0.1 + 0.2 + 0.3 + 0.6) / 8)  # everyone in a bin alone
    assert of_two == pytest.approx(0)  # 0.1 + 0.2 + 0.3 + 0.4: one is expected and one lives; above 0.5 three and three


def test_the_order_of_the_predictions_does_not_matter():
    clinical, backwards = rows("clinical", GOOD), rows("majority", FLAT).iloc[::-1]
    ordered = evaluate(predictions(clinical, rows("majority", FLAT)), OUTCOMES, EVIDENCE, seed=0)
    assert evaluate(predictions(clinical, backwards), OUTCOMES, EVIDENCE, seed=0) == ordered


def test_pairs_are_compared_where_both_models_exist():
    tables = (rows("clinical", GOOD), rows("majority", FLAT), rows("surgery_rule", [None] * 8))
    compared = evaluate(predictions(*tables), OUTCOMES, EVIDENCE, seed=0)["comparisons"]
    assert set(compared) == {
        "clinical_vs_surgery_rule",
        "clinical_vs_majority",
        "surgery_rule_vs_majority",
    }
    assert compared["clinical_vs_majority"]["delta_auc"]["value"] == pytest.approx(15 / 16 - 1 / 2)
    assert compared["clinical_vs_majority"]["delta_accuracy"]["value"] == pytest.approx(6 / 8 - 4 / 8)
    assert compared["clinical_vs_majority"]["mcnemar"]["only_a"] == 3


def test_every_pair_but_the_studys_question_is_one_of_several(monkeypatch):
    better = [0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.35]
    tables = (
        rows("hybrid", better),
        rows("clinical", [0.2, 0.1, 0.8, 0.7, 0.3, 0.6, 0.4, 0.5]),
        rows("majority", FLAT),
    )
    monkeypatch.setattr(
        hybrid_evaluate, "compare_paired", lambda _outcome, _a, _b, question, *_: clearly_better(question)
    )
    monkeypatch.setattr(hybrid_evaluate, "holm", lambda p_values: dict.fromkeys(p_values, 0.2))
    compared = evaluate(predictions(*tables), OUTCOMES, EVIDENCE, seed=0)["comparisons"]
    verdicts = {pair: found["verdict"] for pair, found in compared.items()}
    assert verdicts["hybrid_vs_clinical"] == "MRI adds"
    others = [sentence for pair, sentence in verdicts.items() if pair != "hybrid_vs_clinical"]
    assert all("one of 3 comparisons" in sentence for sentence in others)
    assert {found["p_value_holm"] for found in compared.values()} == {0.2}


def test_pairs_without_a_p_are_not_among_the_comparisons_that_are_counted(monkeypatch):
    """Two models that say the same of everyone: Holm's p takes the other pairs alone, and the sentence says so."""
    better = [0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.35]
    tables = (rows("clinical", better), rows("surgery_rule", FLAT), rows("majority", FLAT))
    monkeypatch.setattr(hybrid_evaluate, "compare_paired", lambda _outcome, a, b, question, *_: alike_or_better(a, b))
    compared = evaluate(predictions(*tables), OUTCOMES, EVIDENCE, seed=0)["comparisons"]
    assert compared["clinical_vs_majority"]["p_value_holm"] == pytest.approx(2 * 0.04)
    assert "one of 2 comparisons" in compared["clinical_vs_majority"]["verdict"]


def alike_or_better(a, b):
    found = {"delta_auc": {"value": 0.1, "ci95": (0.01, 0.2)}, "verdict": "better"}
    return found | {"p_value": None if (a == b).all() else 0.04}


def clearly_better(question):
    return {"delta_auc": {"value": 0.1, "ci95": (0.01, 0.2)}, "p_value": 0.04, "verdict": question.yes}


def test_a_rule_without_probability_has_no_brier_score_but_a_reason():
    found = evaluate(predictions(rows("surgery_rule", [None] * 8)), OUTCOMES, EVIDENCE, seed=0)["models"]
    assert found["surgery_rule"]["patient"]["brier"]["value"] is None
    assert found["surgery_rule"]["patient"]["brier"]["reason"]


def test_a_rule_without_probability_has_no_difference_of_brier_scores_but_a_reason():
    found = evaluate(predictions(rows("clinical", GOOD), rows("surgery_rule", [None] * 8)), OUTCOMES, EVIDENCE, seed=0)
    difference = found["comparisons"]["clinical_vs_surgery_rule"]["delta_brier"]
    assert difference["value"] is None and difference["ci95"] is None
    assert difference["reason"] == found["models"]["surgery_rule"]["patient"]["brier"]["reason"]


def test_a_model_that_has_seen_a_test_patient_is_refused():
    with pytest.raises(LeakageError, match="P3"):
        evaluate(predictions(rows("clinical", GOOD), fitted_on=("P3",)), OUTCOMES, EVIDENCE, seed=0)


def test_models_asked_about_different_patients_are_not_compared():
    with pytest.raises(PartitionError, match="7 predictions"):
        tables = (rows("clinical", GOOD), rows("majority", FLAT).iloc[1:])
        evaluate(predictions(*tables), OUTCOMES, EVIDENCE, seed=0)


def test_repeats_are_pooled_and_intervals_drawn_over_patients():
    tables = (rows("clinical", GOOD, "repeat0"), rows("clinical", GOOD, "repeat1"))
    found = evaluate(predictions(*tables), OUTCOMES, EVIDENCE, seed=0)["models"]["clinical"]["patient"]
    once = evaluate(predictions(tables[0]), OUTCOMES, EVIDENCE, seed=0)["models"]["clinical"]["patient"]
    assert found["n"] == 16
    width, width_once = (ends["ci95"][1] - ends["ci95"][0] for ends in (found["accuracy"], once["accuracy"]))
    assert width > 0.8 * width_once  # the same patients twice are no more evidence


def test_what_is_lost_before_the_operation_has_an_interval_that_repeats_do_not_narrow():
    late, early = (rows(name, GOOD) for name in ("clinical", "clinical_pre_operative"))
    early["probability"] = [0.6, 0.1, 0.8, 0.7, 0.2, 0.3, 0.4, 0.5]
    twice, three = (
        [table.assign(split=f"repeat{number}") for table in (late, early) for number in range(n)] for n in (2, 3)
    )
    once, repeated, thrice = (
        prediction_times(predictions(*tables), OUTCOMES, EVIDENCE, seed=0).iloc[1]
        for tables in ((late, early), twice, three)
    )
    assert once["auc_lost"] == repeated["auc_lost"] == pytest.approx(15 / 16 - 10 / 16)
    widths = [row["auc_lost_upper"] - row["auc_lost_lower"] for row in (once, repeated)]
    assert widths[1] > 0.8 * widths[0]
    assert repeated["p"] == pytest.approx(thrice["p"])
