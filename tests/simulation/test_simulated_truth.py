import json

import numpy as np
import pytest

from gliocast.cohort.simulation.clinical import separation, simulate_clinical
from gliocast.cohort.simulation.truth import patient_ratios, planted_aucs, rank_auc, truth


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
