import json
from math import log
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from gliocast.cohort.simulation.clinical import separation, simulate_clinical
from gliocast.cohort.simulation.truth import (
    best_auc,
    log_ratio,
    patient_ratios,
    planted_aucs,
    predictor_evidence,
    rank_auc,
    ratio_distribution,
    sample_results,
    truth,
)
from gliocast.types import LONG_TERM, SHORT_TERM


def test_single_predictors_have_the_aucs_that_table_1_implies(table1):
    planted = planted_aucs(table1, image_auc=0.8)
    assert planted["surgery"] == pytest.approx(0.748, abs=0.0005)
    assert planted["who_status"] == pytest.approx(0.679, abs=0.0005)
    assert planted["sex"] == pytest.approx(0.530, abs=0.0005)


def test_best_possible_aucs_agree_with_sixty_thousand_patients(table1):
    planted = planted_aucs(table1, image_auc=0.8)
    cohort, scores = simulate_clinical(table1, 60_000, seed=1, image_auc=0.8)
    long_term = (cohort["outcome"] == "long_term").to_numpy(dtype=bool)
    clinical = patient_ratios(table1, cohort)
    assert rank_auc(clinical, long_term) == pytest.approx(planted["clinical"], abs=0.004)
    assert rank_auc(scores, long_term) == pytest.approx(0.8, abs=0.005)
    together = clinical + separation(0.8) * scores
    assert rank_auc(together, long_term) == pytest.approx(planted["clinical_and_image"], abs=0.003)


def test_without_image_signal_the_image_adds_nothing(table1):
    planted = planted_aucs(table1, image_auc=0.5)
    assert planted["clinical_and_image"] == planted["clinical"]


def test_a_faint_image_signal_joins_the_clinical_one_without_a_jump(table1):
    none, faint = planted_aucs(table1, 0.5), planted_aucs(table1, 0.501)
    assert faint["clinical_and_image"] == pytest.approx(none["clinical_and_image"], abs=1e-4)


def test_truth_says_that_it_is_simulated_and_survives_json(table1, figure1, a_simulation):
    record = truth(table1, figure1, a_simulation(n_patients=175), seed=5)
    assert record["simulated"] is True
    assert record["sample"]["surgery_rule_accuracy"] == pytest.approx(122 / 175)  # Table 2: (71 + 51) / 175
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_rank_auc_counts_ties_half():
    # pairs (long, short): (1, 0) won, (1, 1) tied, (2, 0) and (2, 1) won: 3.5 of 4
    assert rank_auc(np.array([1.0, 2.0, 0.0, 1.0]), np.array([True, True, False, False])) == 0.875


# A sign that three of four long-term survivors bear and one of four others: its log-likelihood ratio is ± log 3.
SIGN = np.array([0.75, 0.25]), np.array([0.25, 0.75])


def test_the_ratio_of_two_signs_is_the_sum_of_theirs():
    both = ratio_distribution([SIGN, SIGN])
    assert both.ratio == pytest.approx([-2 * log(3), 0, 2 * log(3)], abs=0.0025)  # half a bin
    assert both.long_term == pytest.approx([1 / 16, 6 / 16, 9 / 16])
    assert both.short_term == pytest.approx([9 / 16, 6 / 16, 1 / 16])


def test_the_best_auc_of_a_sign_alone_and_beside_an_image_by_hand():
    one = ratio_distribution([SIGN])
    assert best_auc(one, 0.5) == pytest.approx(0.75 * 0.75 + (0.75 * 0.25 + 0.25 * 0.75) / 2)
    # The image's own ratio differs between the two by N(d², 2 d²); the sign's by 2 log 3, 0 twice, and -2 log 3.
    distance, normal = separation(0.8), NormalDist()
    wins = {gap: normal.cdf((gap + distance**2) / (distance * 2**0.5)) for gap in (2 * log(3), 0, -2 * log(3))}
    expected = 9 / 16 * wins[2 * log(3)] + 6 / 16 * wins[0] + 1 / 16 * wins[-2 * log(3)]
    assert wins[0] == pytest.approx(0.8)
    assert best_auc(one, 0.8) == pytest.approx(expected, abs=1e-3)


def test_a_state_that_one_class_never_has_stands_at_the_limit_and_one_that_none_has_at_zero():
    found = log_ratio(np.array([0.5, 0.0, 0.0]), np.array([0.0, 0.5, 0.0]))
    assert found == pytest.approx([25, -25, 0], abs=0.7)  # the limit less log 2


def test_the_shares_of_every_predictor_add_up_to_one(table1):
    for name, (long_term, short_term) in predictor_evidence(table1).items():
        assert (long_term.sum(), short_term.sum()) == pytest.approx((1, 1)), name


def test_the_ratio_of_a_patient_is_the_sum_over_age_sex_surgery_and_status(table1):
    long, short = table1.classes["long_term"], table1.classes["short_term"]
    patient = {"age_years": 70.0, "sex": "F", "surgery": "complete", "who_status": 1}
    others = [patient, patient | {"sex": "M"}, patient | {"surgery": "biopsy"}, patient | {"who_status": 0}]
    first, *rest = patient_ratios(table1, pd.DataFrame(others))

    def ratio(column, level):
        return log(getattr(long, column)[level] / long.n) - log(getattr(short, column)[level] / short.n)

    assert first - rest[0] == pytest.approx(ratio("sex", "F") - ratio("sex", "M"))
    assert first - rest[1] == pytest.approx(ratio("surgery", "complete") - ratio("surgery", "biopsy"))
    assert first - rest[2] == pytest.approx(ratio("who_status", 1) - ratio("who_status", 0))


def test_the_youngest_and_the_oldest_patient_have_the_ratio_of_the_first_and_last_ages(table1):
    ages = [table1.all.age_years.min, table1.all.age_years.max]
    same = {"sex": "F", "surgery": "complete", "who_status": 1}
    young, old = patient_ratios(table1, pd.DataFrame([{"age_years": age, **same} for age in ages]))
    of_age = log_ratio(*predictor_evidence(table1)["age_years"])
    assert young - old == pytest.approx(of_age[0] - of_age[-1])


def test_the_sample_s_results_are_those_of_its_own_patients(table1):
    rows = [
        ("complete", "long_term"),
        ("complete", "short_term"),
        ("biopsy", "short_term"),
        ("incomplete", "long_term"),
    ]
    cohort = pd.DataFrame(rows, columns=["surgery", "outcome"]).assign(age_years=70.0, sex="F", who_status=1)
    found = sample_results(table1, 0.8, cohort, np.array([1.0, -1.0, 0.5, 0.2]))
    assert found["surgery_rule_accuracy"] == 0.75
    assert found["image"] == 0.75  # of the pairs with 1.0 both are right, of those with 0.2 one
    # ranked by surgery: complete, incomplete, biopsy; the pairs are tied, right, wrong, right
    assert found["clinical"] == 0.625


def test_a_score_of_the_image_weighs_as_much_as_it_tells(table1, monkeypatch):
    """At an AUC of 0.9 a score of 1 is a ratio of 1.8, more than that of the other patient; at 0.5 it is none."""
    monkeypatch.setattr("gliocast.cohort.simulation.truth.patient_ratios", lambda *_: np.array([0.0, 1.0]))
    cohort = pd.DataFrame({"outcome": [LONG_TERM, SHORT_TERM], "surgery": ["complete", "biopsy"]})
    both = [
        sample_results(table1, image_auc, cohort, np.array([1.0, 0.0]))["clinical_and_image"]
        for image_auc in (0.9, 0.5)
    ]
    assert both == [1.0, 0.0]
