"""The baseline on a cohort built from the paper's Table 1: Table 2 must come out exactly."""

import json

import numpy as np
import pandas as pd
import pytest

from gliocast.evidence.describe import study_table, table1
from gliocast.evidence.metrics import CELLS
from gliocast.evidence.parameters import EvidenceParameters
from gliocast.evidence.rules import majority_rule
from gliocast.evidence.surgery import RULE_MEASURES, summary
from gliocast.pipelines.baseline import nodes
from shipped import section

PAPER = section("paper")
EVIDENCE = EvidenceParameters(**section("evidence") | {"n_bootstrap": 300})


@pytest.fixture
def cohort():
    """175 patients with Table 1's counts by outcome; ages and days are of no account."""
    parts = []
    for outcome, days in (("short_term", 100), ("long_term", 400)):
        counts = PAPER["table1"][outcome]
        names = ("sex", "surgery", "who_status")
        columns = {name: np.repeat(list(counts[name]), list(counts[name].values())) for name in names}
        survival = {"survival_days": days + np.arange(counts["n"]), "age_years": 67.7}
        parts.append(pd.DataFrame(columns | survival | {"outcome": outcome}))
    everyone = pd.concat(parts, ignore_index=True).assign(event_observed=True)
    everyone.insert(0, "patient_id", [f"P{number:03d}" for number in range(len(everyone))])
    dtypes = {"sex": "string", "surgery": "string", "outcome": "string"}
    return everyone.astype(dtypes | {"who_status": "Int64", "survival_days": "Int64", "event_observed": "boolean"})


def test_table_2_comes_out_exactly(cohort):
    results, table, _ = nodes.apply_rules(cohort, PAPER, EVIDENCE, seed=1)
    ours = results["surgery_rule"]["patient"]
    assert {name: ours[name] for name in ("tp", "fp", "fn", "tn")} == PAPER["table2"]
    assert ours["accuracy"]["value"] == pytest.approx(122 / 175)
    assert table["value"].tolist() == pytest.approx(table["paper"].tolist())
    assert table["measure"].tolist() == [*CELLS, *RULE_MEASURES]
    shown = table.set_index("measure").loc["sensitivity", ["value", "lower", "upper"]]
    assert shown.tolist() == pytest.approx([71 / 89, *ours["sensitivity"]["ci95"]])


def test_a_draw_of_the_classes_goes_to_long_term_survival():
    assert majority_rule(np.array([True, False])).tolist() == [True, True]
    assert majority_rule(np.array([True, False, False])).tolist() == [False, False, False]


def test_a_cohort_of_biopsies_alone_has_a_table_2_without_the_measures_that_it_cannot_have(cohort):
    _, table, _ = nodes.apply_rules(cohort[cohort["surgery"] == "biopsy"], PAPER, EVIDENCE, seed=1)
    assert table.set_index("measure").loc["ppv", ["value", "lower", "upper"]].isna().all()  # nobody is called long-term


def test_majority_class_is_half(cohort):
    results, *_ = nodes.apply_rules(cohort, PAPER, EVIDENCE, seed=1)
    assert results["majority"]["patient"]["accuracy"]["value"] == pytest.approx(89 / 175)


def test_days_until_last_seen_alive_are_not_called_survival(cohort):
    assert "Survival (days)" in set(table1(cohort)["characteristic"])
    cohort.loc[0, "event_observed"] = False
    described = set(table1(cohort)["characteristic"])
    assert "Survival, or follow-up where alive (days)" in described
    assert "Survival (days)" not in described


def test_undetermined_patients_stand_in_no_binary_table(cohort):
    cohort.loc[:9, "outcome"] = pd.NA
    results, *_ = nodes.apply_rules(cohort, PAPER, EVIDENCE, seed=1)
    assert results["surgery_rule"]["patient"]["n"] == 165


def test_table_1_gives_the_papers_counts_by_outcome(cohort):
    table = table1(cohort).set_index(["characteristic", "level"])
    assert table.loc[("Surgery", "biopsy"), "short_term"].startswith("51 ")
    assert table.loc[("Surgery", "complete"), "long_term"].startswith("37 ")
    assert table.loc[("WHO performance status", "1"), "all"].startswith("95 ")
    assert table.loc[("Sex", "F"), "all"] == "74 (42.3 %)"
    assert table.loc[("Patients", "n")].tolist() == ["175", "86", "89"]


def test_undetermined_and_missing_are_shown_in_table_1(cohort):
    cohort.loc[:1, "outcome"] = pd.NA
    cohort.loc[0, "sex"] = pd.NA
    table = table1(cohort).set_index(["characteristic", "level"])
    assert table.loc[("Patients", "n"), "undetermined"] == "2"
    assert table.loc[("Sex", "missing"), "undetermined"] == "1 (50.0 %)"


def test_a_text_that_one_patient_alone_has_stands_in_no_table(cohort):
    words = ["wildtype"] * 172 + ["mutant"] + ["R132H, see report of Anna Meier", "see report 4711"]
    cohort["idh"] = pd.Series(words, dtype="string")
    training, tested = cohort[:-1], cohort[-1:]
    for table in (table1(cohort), study_table(training, tested)):
        levels = table[table["characteristic"] == "IDH"].set_index("level")["all"]
        assert levels.to_dict() == {"wildtype": "172 (98.3 %)", "others, of one patient each": "3 (1.7 %)"}


def test_a_single_patient_of_a_column_has_a_value_and_no_spread(cohort):
    alone = cohort.head(1).assign(age_years=67.7)
    table = table1(alone).set_index(["characteristic", "level"])
    assert table.loc[("Age (years)", "mean ± SD"), "all"] == "67.7"


def test_the_printed_summary_of_the_paper_is_tested_beside_our_own(cohort):
    survival, *_ = nodes.compare_surgeries(cohort, PAPER)
    assert survival["paper"]["tests"]["anova"]["f"] == pytest.approx(15.761, abs=5e-4)
    assert survival["tests"]["anova"]["df"] == [2, 172]
    assert set(survival["tests"]) == {"anova", "welch_anova", "kruskal", "tukey", "logrank"}


def test_survival_by_surgery_by_hand():
    surgery, days = ["biopsy", "biopsy", "biopsy", "complete", None], [100, 200, 360, 400, 500]
    died = pd.array([True, True, pd.NA, True, True], dtype="boolean")  # the third is not known to have died
    cohort = pd.DataFrame({"surgery": surgery, "survival_days": days, "event_observed": died})
    by_surgery = summary(cohort).set_index("surgery")
    expected = [2, 150.0, np.sqrt(2 * 50**2), 200.0]  # a third is alive after day 200
    assert by_surgery.loc["biopsy"].tolist() == pytest.approx(expected)
    assert by_surgery.loc["complete", ["n", "mean_days", "median_days"]].tolist() == [1, 400.0, 400.0]
    assert pd.isna(by_surgery.loc["complete", "sd_days"])


def test_a_patient_alive_of_unknown_surgery_is_counted_where_the_surgery_is_unknown_alone(cohort):
    cohort.loc[:4, "event_observed"] = False
    cohort.loc[0, "surgery"] = pd.NA
    survival, *_ = nodes.compare_surgeries(cohort, PAPER)
    assert survival["left_out"]["surgery_unknown"] == 1
    assert survival["left_out"]["alive_left_out_of_anova_and_kruskal"] == 4


def test_patients_alive_count_in_the_logrank_test_but_not_in_the_means(cohort):
    cohort.loc[:4, "event_observed"] = False
    survival, *_ = nodes.compare_surgeries(cohort, PAPER)
    assert survival["left_out"]["alive_left_out_of_anova_and_kruskal"] == 5
    assert sum(row["n"] for row in survival["summary"]) == 170
    assert survival["tests"]["anova"]["df"] == [2, 167]


def test_the_only_one_of_a_surgery_who_died_is_counted_where_the_tests_leave_them_out(cohort):
    cohort.loc[(cohort["surgery"] == "complete").to_numpy().nonzero()[0][1:], "event_observed"] = False
    survival, *_ = nodes.compare_surgeries(cohort, PAPER)
    assert survival["tests"]["anova"]["df"][0] == 1
    assert survival["left_out"]["alone_left_out_of_anova_and_tukey"] == 1


def test_baseline_results_are_the_contracts_shape_and_valid_json(cohort):
    rules, *_ = nodes.apply_rules(cohort, PAPER, EVIDENCE, seed=1)
    survival, *figures = nodes.compare_surgeries(cohort, PAPER)
    assert set(survival["tests"]["anova"]) == {"f", "p", "df", "eta2"}
    json.dumps([rules, survival, *figures], allow_nan=False)


def test_a_cohort_with_one_kind_of_surgery_is_described_without_tests(cohort):
    survival, *_ = nodes.compare_surgeries(cohort[cohort["surgery"] == "biopsy"], PAPER)
    assert survival["tests"]["anova"]["p"] is None
    json.dumps(survival, allow_nan=False)


def test_a_median_that_is_not_reached_and_a_spread_of_one_are_none_in_the_record():
    """Biopsies: one of two died on day 100. Complete resections: one of three died on day 400, so most are alive."""
    patients = pd.DataFrame(
        {
            "survival_days": [100, 500, 400, 700, 800],
            "event_observed": [True, False, True, False, False],
            "surgery": ["biopsy", "biopsy", "complete", "complete", "complete"],
        }
    )
    survival, bars, _ = nodes.compare_surgeries(patients, PAPER)
    json.dumps(survival, allow_nan=False)
    biopsy, complete = survival["summary"]
    assert (biopsy["median_days"], biopsy["sd_days"]) == (100.0, None)
    assert (complete["mean_days"], complete["median_days"]) == (400.0, None)
    assert "Complete resection: 400 days" in bars["layout"]["meta"]["alt"]


def test_training_and_test_patients_stand_side_by_side():
    patients = pd.DataFrame(
        {
            "patient_id": ["P1", "P2", "P3", "P4", "P5"],
            "sex": ["F", "F", "M", "M", "F"],
            "outcome": ["long_term", "short_term", "short_term", "long_term", "long_term"],
        }
    )
    table = study_table(patients[:3], patients[3:]).set_index("level")
    assert table.loc["n", ["all", "training", "test"]].tolist() == ["5", "3", "2"]
    assert table.loc["long_term", ["all", "training", "test"]].tolist() == ["3 (60.0 %)", "1 (33.3 %)", "2 (100.0 %)"]
    assert table.loc["F", ["training", "test"]].tolist() == ["2 (66.7 %)", "1 (50.0 %)"]


def test_over_several_splits_everyone_is_both_and_counted_once():
    patients = pd.DataFrame({"patient_id": ["P1", "P2"], "sex": ["F", "M"], "outcome": ["long_term", "short_term"]})
    table = study_table(patients, patients)
    assert table.columns.tolist() == ["characteristic", "level", "all"]
    assert table["all"].tolist() == ["2", "1 (50.0 %)", "1 (50.0 %)", "1 (50.0 %)", "1 (50.0 %)"]
