from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml
from report_samples import a_performance

from gliocast.cohort.parameters import CohortParameters
from gliocast.cohort.table import read_cohort
from gliocast.pipelines.reporting import create_pipeline
from gliocast.pipelines.reporting.nodes import compile_metrics, describe_flow
from gliocast.reporting.exhibits import EXHIBITS
from gliocast.types import Fold, Partition, Scores, Split
from shipped import section

BASE = Path(__file__).parents[2] / "conf" / "base"
REPORTS = {
    "baseline": ("baseline",),
    "cnn_training": ("baseline", "tuning", "cnn_training"),
    "hybrid": ("baseline", "tuning", "cnn_training", "hybrid"),
}


def catalog_names() -> set[str]:
    return {name for path in BASE.glob("catalog*.yml") for name in yaml.safe_load(path.read_text(encoding="utf-8"))}


def entries(sections: tuple[str, ...]) -> set[str]:
    return {name for name in create_pipeline(sections).all_inputs() if not name.startswith("param")}


@pytest.mark.parametrize("name", REPORTS)
def test_everything_that_a_report_reads_is_in_the_catalog(name: str) -> None:
    assert entries(REPORTS[name]) <= catalog_names()


@pytest.mark.parametrize("name", REPORTS)
def test_everything_that_a_report_reads_is_made_by_its_own_pipeline(name: str) -> None:
    from gliocast.pipeline_registry import register_pipelines

    registered = register_pipelines()[name]
    raw = {"clinical_table", "image_features", "simulation_record", "audit_record"}
    assert entries(REPORTS[name]) <= registered.all_outputs() | raw


def test_the_baseline_report_needs_no_images() -> None:
    assert {"partition", "slice_manifest", "cnn_results", "image_features"}.isdisjoint(entries(REPORTS["baseline"]))


@pytest.mark.parametrize("name", REPORTS)
def test_every_run_with_a_report_makes_all_results_that_stand_beside_it(name: str) -> None:
    from gliocast.pipeline_registry import register_pipelines

    made = register_pipelines()[name].all_outputs()
    assert {"metrics", "patient_flow", "provenance", "report"} <= made


def test_a_baseline_replaces_nothing_that_a_longer_run_goes_on_from() -> None:
    from gliocast.pipeline_registry import register_pipelines

    registered = register_pipelines()
    baseline, longer = registered["baseline"], registered["hybrid"]
    shared = {node.name for node in baseline.nodes} & {node.name for node in longer.nodes}
    replaced = {name for node in baseline.nodes if node.name not in shared for name in node.outputs}
    rewritten = {node.name for node in longer.nodes if replaced & set(node.outputs)}
    assert {node.name for node in longer.from_nodes(*rewritten).nodes} == {*rewritten, "write_report"}


def test_the_patient_flow_of_the_clinical_table_adds_up() -> None:
    parameters = CohortParameters(**section("cohort", "preprocessing"))
    text = "patient_id,age_years,sex,who_status,surgery,survival_days,event_observed\n" + "".join(
        f"P{number},65,M,1,biopsy,{survival}\n" for number, survival in enumerate(["400,1", "100,1", "100,0", ",1"])
    )
    reading = read_cohort(text, parameters, "exclude")
    told = describe_flow(reading.cohort, reading.exclusions, reading.notes, parameters)
    assert [stage["n"] for stage in told["stages"]] == [4, 3, 2]
    assert (told["n_long_term"], told["n_short_term"], told["n_undetermined"], told["n_excluded"]) == (1, 1, 1, 1)


def test_in_the_papers_protocol_the_cnns_test_patients_are_those_of_its_own_network_whatever_the_scheme() -> None:
    fold = Fold(("P1",), ("P2",), ("P3",))
    splits = (Split("first", ("P4",), (fold,)), Split("second", ("P3",), (fold,)))
    partition = Partition("nested_cv", 1, splits, Fold(("P1",), ("P2",), ("P4",)))
    study_cohort = pd.DataFrame({"patient_id": ["P1", "P2", "P3", "P4"], "outcome": ["long_term", "short_term"] * 2})
    one = a_performance() | {"n": 1, "tp": 1, "fp": 0, "fn": 0, "tn": 0}
    metrics = compile_metrics(
        study_cohort,
        pd.DataFrame({"stage": []}),
        CohortParameters(**section("cohort", "preprocessing")),
        "paper",
        1,
        rule_results={},
        surgery_survival={"tests": {}},
        study_cohort=study_cohort,
        exclusions=pd.DataFrame({"stage": []}),
        partition=partition,
        cnn_test_scores=Scores(pd.DataFrame({"model": [], "patient_id": [], "role": []})),
        cnn_results={"models": {}, "paper_protocol": {"test": {"patient": one}}},
    )
    assert metrics["models"]["cnn"]["patient"]["n"] == metrics["protocol"]["n_test_patients"] == 1


def test_no_exhibit_lies_among_patient_level_results() -> None:
    paths = {}
    for path in BASE.glob("catalog*.yml"):
        paths |= {
            name: entry.get("filepath", "") for name, entry in yaml.safe_load(path.read_text(encoding="utf-8")).items()
        }
    outside = [exhibit.name for exhibit in EXHIBITS if not paths[exhibit.name].startswith("data/08_reporting/")]
    assert outside == ["hyperparameters"]
