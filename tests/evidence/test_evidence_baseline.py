"""The baseline on a cohort built from the paper's Table 1: Table 2 must come out exactly."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from gliocast.evidence.parameters import EvidenceParameters
from gliocast.pipelines.baseline import nodes

CONF = Path(__file__).parents[2] / "conf" / "base"
PAPER = yaml.safe_load((CONF / "parameters_paper.yml").read_text())["paper"]
EVIDENCE = EvidenceParameters(
    **yaml.safe_load((CONF / "parameters_evidence.yml").read_text())["evidence"] | {"n_bootstrap": 300}
)


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


def test_majority_class_is_half(cohort):
    results, *_ = nodes.apply_rules(cohort, PAPER, EVIDENCE, seed=1)
    assert results["majority"]["patient"]["accuracy"]["value"] == pytest.approx(89 / 175)


def test_days_until_last_seen_alive_are_not_called_survival(cohort):
    assert "Survival (days)" in set(nodes.describe_cohort(cohort)["characteristic"])
    cohort.loc[0, "event_observed"] = False
    described = set(nodes.describe_cohort(cohort)["characteristic"])
    assert "Survival, or follow-up where alive (days)" in described
    assert "Survival (days)" not in described


def test_undetermined_patients_stand_in_no_binary_table(cohort):
    cohort.loc[:9, "outcome"] = pd.NA
    results, *_ = nodes.apply_rules(cohort, PAPER, EVIDENCE, seed=1)
    assert results["surgery_rule"]["patient"]["n"] == 165


def test_table_1_gives_the_papers_counts_by_outcome(cohort):
    table = nodes.describe_cohort(cohort).set_index(["characteristic", "level"])
    assert table.loc[("Surgery", "biopsy"), "short_term"].startswith("51 ")
    assert table.loc[("Surgery", "complete"), "long_term"].startswith("37 ")
    assert table.loc[("WHO performance status", "1"), "all"].startswith("95 ")
    assert table.loc[("Sex", "F"), "all"] == "74 (42.3 %)"
    assert table.loc[("Patients", "n")].tolist() == ["175", "86", "89"]


def test_undetermined_and_missing_are_shown_in_table_1(cohort):
    cohort.loc[:1, "outcome"] = pd.NA
    cohort.loc[0, "sex"] = pd.NA
    table = nodes.describe_cohort(cohort).set_index(["characteristic", "level"])
    assert table.loc[("Patients", "n"), "undetermined"] == "2"
    assert table.loc[("Sex", "missing"), "undetermined"] == "1 (50.0 %)"


def test_the_printed_summary_of_the_paper_is_tested_beside_our_own(cohort):
    survival, *_ = nodes.compare_surgeries(cohort, PAPER)
    assert survival["paper"]["tests"]["anova"]["f"] == pytest.approx(15.761, abs=5e-4)
    assert survival["tests"]["anova"]["df"] == [2, 172]
    assert set(survival["tests"]) == {"anova", "welch_anova", "kruskal", "tukey", "logrank"}


def test_patients_alive_count_in_the_logrank_test_but_not_in_the_means(cohort):
    cohort.loc[:4, "event_observed"] = False
    survival, *_ = nodes.compare_surgeries(cohort, PAPER)
    assert survival["left_out"]["alive_left_out_of_anova_and_kruskal"] == 5
    assert sum(row["n"] for row in survival["summary"]) == 170
    assert survival["tests"]["anova"]["df"] == [2, 167]


def test_baseline_results_are_the_contracts_shape_and_valid_json(cohort):
    rules, *_ = nodes.apply_rules(cohort, PAPER, EVIDENCE, seed=1)
    survival, *figures = nodes.compare_surgeries(cohort, PAPER)
    results = nodes.collect_baseline(rules, survival)
    assert set(results) == {"rules", "statistics"}
    assert set(results["statistics"]["anova"]) == {"f", "p", "df", "eta2"}
    json.dumps([results, survival, *figures], allow_nan=False)


def test_a_cohort_with_one_kind_of_surgery_is_described_without_tests(cohort):
    survival, *_ = nodes.compare_surgeries(cohort[cohort["surgery"] == "biopsy"], PAPER)
    assert survival["tests"]["anova"]["p"] is None
    json.dumps(survival, allow_nan=False)
