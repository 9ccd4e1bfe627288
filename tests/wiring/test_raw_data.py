"""Whose raw data a run reads: a site's own, or those of a simulation where there are none."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from kedro.pipeline import Node, Pipeline

from gliocast.cohort.simulation.fingerprint import sha256_of_text
from gliocast.errors import ConfigurationError
from gliocast.raw_data import needed_entries, place, provide_raw_data


def made(*inputs: object) -> int:
    """What a stage does is of no matter here."""
    return len(inputs)


STUDY = Pipeline([Node(made, ["clinical_table"], "n_patients"), Node(made, ["imaging"], "n_images")])
SIMULATION = Pipeline(
    [
        Node(made, None, "simulation_truth", name="describe_truth"),
        Node(made, None, ["simulated_clinical_table", "simulated_imaging"], name="simulate_patients"),
    ]
)


class Entry(SimpleNamespace):
    """A dataset that can tell whether it is there."""

    def _exists(self) -> bool:
        return bool(self.filepath.exists())


class Catalog(dict):
    """Places of entries below a folder, as Kedro's catalog tells them; `loads` are what some of them hold."""

    def __init__(self, folder: Path, image_score: str, done: bool, **places: str) -> None:
        ours = {"clinical_table": "clinical.csv", "imaging": "imaging"}
        simulated = {f"simulated_{name}": where for name, where in ours.items()}
        entries = {"simulation_truth": "simulation.json", **ours, **simulated, **places}
        super().__init__({name: Entry(filepath=folder / where) for name, where in entries.items()})
        records = SimpleNamespace(read=lambda stage: "a record" if done else None)
        self["stage_records"] = SimpleNamespace(load=lambda: records)
        self.image_score = image_score

    def load(self, name: str) -> str:
        assert name == "params:image_score"
        return self.image_score

    def exists(self, name: str) -> bool:
        return bool(self[name]._exists())


@pytest.fixture
def provided(tmp_path, monkeypatch):
    """Asks for the raw data of the study, given where they lie and which image score reads them."""
    monkeypatch.setattr("kedro.framework.project.pipelines", {"simulation": SIMULATION, "hybrid": STUDY})
    monkeypatch.chdir(tmp_path)
    return lambda score="cnn", done=False, **places: provide_raw_data(STUDY, Catalog(tmp_path, score, done, **places))


def test_a_cohort_is_simulated_where_nobody_has_put_data(provided):
    assert provided() == SIMULATION


def test_a_pipeline_that_reads_no_raw_data_is_given_none(tmp_path):
    audit = Pipeline([Node(made, "params:audit", "audit_runs")])
    assert provide_raw_data(audit, Catalog(tmp_path, "cnn", False)).nodes == []


@pytest.mark.parametrize(
    ("score", "needed"),
    [
        ("cnn", ["clinical_table", "imaging"]),
        ("features", ["clinical_table", "image_features"]),
        ("none", ["clinical_table"]),
    ],
)
def test_only_what_the_image_score_is_made_of_is_needed(tmp_path, score, needed):
    reads = Pipeline([*STUDY.nodes, Node(made, ["image_features"], "n_features"), Node(made, ["other"], "n_others")])
    assert needed_entries(reads, Catalog(tmp_path, score, False)) == needed


def test_data_of_a_site_are_read_and_nothing_is_simulated(provided, tmp_path):
    (tmp_path / "clinical.csv").write_text("patient_id\nP1\n")
    (tmp_path / "imaging").mkdir()
    assert provided().nodes == []


def test_half_of_a_sites_data_is_an_error_that_names_the_other(provided, tmp_path):
    (tmp_path / "clinical.csv").write_text("patient_id\nP1\n")
    with pytest.raises(ConfigurationError) as refused:
        provided()
    assert [problem.where for problem in refused.value.problems] == ["catalog entry imaging"]
    assert refused.value.problems[0].found == "absent: imaging"


def test_absent_data_of_another_place_are_never_simulated_and_all_told(provided):
    with pytest.raises(ConfigurationError) as refused:
        provided(clinical_table="site/patients.csv", imaging="site/mri")
    assert [problem.found for problem in refused.value.problems] == ["absent: site/patients.csv", "absent: site/mri"]


def test_one_entry_of_another_place_is_enough_for_that(provided):
    with pytest.raises(ConfigurationError, match="site/mri"):
        provided(imaging="site/mri")


@pytest.mark.parametrize(("name", "is_refused"), [("clinical_tabel", True), ("imagin", True), ("pictures", False)])
def test_an_entry_that_nothing_reads_is_refused_where_its_name_is_nearly_a_raw_one(provided, name, is_refused):
    if not is_refused:
        assert provided(**{name: "site.csv"}) == SIMULATION
        return
    with pytest.raises(ConfigurationError, match=name):
        provided(**{name: "site.csv"})


@pytest.mark.parametrize(("present", "done", "is_refused"), [
    ("imaging", True, True), ("imaging", False, False), (None, True, False)
])  # fmt: skip
def test_a_part_that_was_taken_from_a_finished_simulation_is_refused_and_a_killed_one_goes_on(
    provided, tmp_path, present, done, is_refused
):
    if present:
        (tmp_path / present / "P1").mkdir(parents=True)
        (tmp_path / present / "P1/simulation.json").write_text('{"simulated": true}')
    if not is_refused:
        assert provided(done=done) == SIMULATION
        return
    with pytest.raises(ConfigurationError, match=r"absent: clinical\.csv"):
        provided(done=done)


def test_a_whole_simulated_cohort_is_the_simulations_still(provided, tmp_path):
    (tmp_path / "clinical.csv").write_text("patient_id\n")
    (tmp_path / "imaging").mkdir()
    truth = {"simulated": True, "clinical_sha256": sha256_of_text("patient_id\n"), "patients": []}
    (tmp_path / "simulation.json").write_text(json.dumps(truth))
    assert provided(done=True) == SIMULATION


def test_image_features_are_never_simulated(tmp_path):
    reads = Pipeline([Node(made, "image_features", "n_features")])
    with pytest.raises(ConfigurationError, match=r"absent: .*features\.csv"):
        provide_raw_data(reads, Catalog(tmp_path, "features", False, image_features="features.csv"))


def test_a_simulation_is_not_finished_while_one_of_its_stages_has_no_record(provided, tmp_path, monkeypatch):
    (tmp_path / "imaging").mkdir()
    begun = SimpleNamespace(read=lambda stage: "a record" if stage == "describe_truth" else None)
    catalog = Catalog(tmp_path, "cnn", True)
    catalog["stage_records"] = SimpleNamespace(load=lambda: begun)
    assert provide_raw_data(STUDY, catalog) == SIMULATION


def test_a_place_is_written_as_its_user_wrote_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place(SimpleNamespace(filepath=tmp_path / "data/x.csv")) == "data/x.csv"
    assert place(SimpleNamespace(_filepath="/elsewhere/x.csv")) == "/elsewhere/x.csv"
