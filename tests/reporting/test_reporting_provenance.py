from __future__ import annotations

import getpass
import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import MemoryDataset
from kedro_viz.models.flowchart.nodes import GraphNode

from gliocast.cohort.parameters import CohortParameters
from gliocast.persistence.fingerprints import sha256_in_order, sha256_of_bytes
from gliocast.persistence.provenance import gpus
from gliocast.pipelines.reporting.nodes import record_provenance
from gliocast.pipelines.reporting.pipeline import create_pipeline
from shipped import section

TABLE = "patient_id,age_years\nP1,61.5\n"


def test_a_table_that_the_simulation_wrote_is_known_by_its_content() -> None:
    ours = {"clinical_sha256": sha256_of_bytes(TABLE.encode())}
    assert record_provenance({}, {}, TABLE, ours)["simulated"] is True
    assert record_provenance({}, {}, TABLE.replace("61.5", "61.6"), ours)["simulated"] is False
    assert record_provenance({}, {}, TABLE, {})["simulated"] is False


def test_the_table_of_image_features_has_a_digest_where_it_was_read():
    features = pd.DataFrame({"patient_id": ["P1"], "volume": ["1.5"]})
    of_file = hashlib.sha256(b"patient_id,volume\nP1,1.5\n").hexdigest()
    told = {
        kind: record_provenance({"image_score": kind}, {}, TABLE, {}, features)["data"] for kind in ("features", "cnn")
    }
    assert told["features"]["image_features"] == of_file
    assert "image_features" not in told["cnn"]


def test_the_report_of_a_run_with_images_is_given_the_table_of_image_features_and_a_baseline_is_not():
    assert "image_features" in create_pipeline(("baseline", "tuning", "cnn_training")).inputs()
    assert "image_features" not in create_pipeline(("baseline",)).inputs()


def test_provenance_names_no_path_and_no_user() -> None:
    written = json.dumps(record_provenance({"seed": 1}, {}, TABLE, {}))
    assert str(Path.cwd()) not in written
    assert str(Path.home()) not in written.replace("/root/", "")
    assert f'"{getpass.getuser()}"' not in written


@pytest.mark.parametrize("place", ["/home/anna.meier/weights", "~anna.meier/weights", r"C:\Users\anna.meier\weights"])
def test_provenance_keeps_of_a_configured_folder_its_name_alone(place: str) -> None:
    given = {
        "model": {"weights_folder": place, "also": [place]},
        "cohort": {"separator": "/", "pattern": r"\d+/\w", "missing": ["~"]},
    }
    shown = record_provenance(given, {}, TABLE, {})["parameters"]
    assert shown["model"] == {"weights_folder": "…/weights", "also": ["…/weights"]}
    assert shown["cohort"] == given["cohort"]


WHY = {"code": "withdrawn", "reason": "consent withdrawn"}


def cohort_with(*rules: dict[str, Any]) -> CohortParameters:
    """The shipped parameters of the cohort, of a table that names its patients by `nip`, with these rules."""
    shipped = section("cohort", "preprocessing")
    columns = shipped["columns"] | {"patient_id": ("patient_id", "nip")}
    return CohortParameters(**shipped | {"columns": columns, "keep": rules})


def test_a_rule_that_names_patients_is_told_by_its_reason_alone() -> None:
    of_patients = {"column": "nip", "none_of": ["K7", "K8"], **WHY}, {"column": "nip", "lacks": "^K9$", **WHY}
    of_women = {"column": "sex", "one_of": ["F"], **WHY}
    given = cohort_with(*of_patients, of_women)
    named, matched, others = record_provenance({"cohort": given}, {}, TABLE, {})["parameters"]["cohort"]["keep"]
    assert (named["none_of"], named["lacks"], named["reason"]) == (["not told"], None, "consent withdrawn")
    assert (matched["none_of"], matched["lacks"]) == (None, "not told")
    assert others["one_of"] == ["F"]


@pytest.mark.parametrize("column", ["nom", "centre"])
def test_a_rule_on_a_column_that_may_hold_names_is_told_by_its_reason_alone(column: str) -> None:
    given = cohort_with(
        {"column": column, "none_of": ["Jean Dupont"], **WHY}, {"column": column, "lacks": "Roe", **WHY}
    )
    told = record_provenance({"cohort": given}, {}, TABLE, {})["parameters"]["cohort"]["keep"]
    assert [(rule["none_of"], rule["lacks"]) for rule in told] == [(["not told"], None), (None, "not told")]


@pytest.mark.parametrize("name", ["params:cohort", "parameters"])
def test_the_graph_in_the_browser_names_nobody_whom_a_rule_leaves_out(name: str) -> None:
    given = cohort_with({"column": "nip", "none_of": ["K7"], **WHY})
    entry = MemoryDataset(given if name == "params:cohort" else {"cohort": given})
    shown = str(GraphNode.create_parameters_node(name, name, None, set(), entry, set()).parameter_value)
    assert "not told" in shown and "consent withdrawn" in shown
    assert "K7" not in shown


def test_no_digest_beside_a_rule_lets_anyone_find_by_trial_whom_it_names() -> None:
    told = [
        record_provenance({"cohort": cohort_with({"column": "nip", "none_of": [who], **WHY})}, {}, TABLE, {})
        for who in ("K7", "K8")
    ]
    assert told[0]["parameters_sha256"] == told[1]["parameters_sha256"]


@pytest.mark.parametrize("column", ["patient_id", "centre"])
def test_words_for_patients_and_centres_are_not_told_and_those_of_a_vocabulary_are(column: str) -> None:
    shipped = section("cohort", "preprocessing")
    values = {column: {"Jean Dupont": "K7"}, "surgery": {"partielle": "incomplete"}}
    told = record_provenance({"cohort": CohortParameters(**shipped | {"values": values})}, {}, TABLE, {})
    assert told["parameters"]["cohort"]["values"] == values | {column: {"not told": "not told"}}


def test_another_patient_in_a_rule_makes_stages_stale() -> None:
    one, other = (cohort_with({"column": "nip", "none_of": [who], **WHY}) for who in ("K7", "K8"))
    assert sha256_in_order(one) != sha256_in_order(other)
    assert sha256_in_order({"cohort": one}) != sha256_in_order({"cohort": other})


def test_cards_are_named_by_their_driver(tmp_path: Path) -> None:
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:01:00.0" / "information").write_text("Model: \t NVIDIA H100\nIRQ: 9\n", encoding="utf-8")
    assert gpus(tmp_path) == ["NVIDIA H100"]
    assert gpus(tmp_path / "absent") == []
