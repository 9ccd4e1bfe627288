"""Reuse and staleness, on a chain of two nodes: numbers -> total -> doubled."""

from __future__ import annotations

import errno
import json
import logging
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread
from types import MappingProxyType

import pytest
from filelock import FileLock, Timeout
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Node, Pipeline

import gliocast.runner
from closed_paths import close
from gliocast.datasets.checkpoints import CheckpointsDataset
from gliocast.datasets.files import JsonDataset
from gliocast.datasets.secret_key import SecretKeyDataset
from gliocast.datasets.workspace import StageRecordsDataset
from gliocast.errors import ArtefactError, ConfigurationError, InputError, Problem
from gliocast.persistence.stages import StageRecord, StageRecords
from gliocast.refusals import input_error
from gliocast.runner import (
    ReusingRunner,
    configuration,
    dataset_fingerprint,
    folders_written,
    observe,
    reading_and_writing,
)

CALLS: list[str] = []
MEANWHILE: list[Callable[[], object]] = []  # what happens while the second node runs
GAINED: list[int] = []  # what another try adds to the total
UNLUCKY = 13  # a total that the second node refuses


def add(numbers, offset):
    CALLS.append("add")
    return sum([*numbers, *GAINED]) + offset


def double(total):
    CALLS.append("double")
    while MEANWHILE:
        MEANWHILE.pop()()
    if total == UNLUCKY:
        raise ConfigurationError(Problem("–", "total", str(total), "another number", "Choose another."))
    return 2 * total


PIPELINE = Pipeline(
    [
        Node(add, ["numbers", "params:offset"], "total", name="add"),
        Node(double, "total", "doubled", name="double"),
    ]
)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Runs the pipeline in a folder; returns the nodes that ran."""
    (tmp_path / "numbers.json").write_text("[1, 2]")
    codes = {"add": "v1", "double": "v1", "JsonDataset": "v1"}
    monkeypatch.setattr(gliocast.runner, "code_fingerprint", lambda function: codes[function.__name__])
    monkeypatch.setattr(gliocast.runner, "class_fingerprint", lambda kind: codes[kind.__name__])
    monkeypatch.setattr(gliocast.runner, "provide_raw_data", lambda pipeline, catalog: Pipeline([]))

    def run(offset=0, only_missing_outputs=False, folders=MappingProxyType({}), **new_codes):
        codes.update(new_codes)
        CALLS.clear()
        places = {name: tmp_path / folders.get(name, "") for name in ("numbers", "others", "total", "doubled")}
        catalog = DataCatalog(
            {name: JsonDataset(str(place / f"{name}.json")) for name, place in places.items()}
            | {"stage_records": StageRecordsDataset(str(tmp_path / ".stages"))}
            | {"params:offset": MemoryDataset(offset)}
        )
        ReusingRunner().run(PIPELINE, catalog, only_missing_outputs=only_missing_outputs)
        return list(CALLS)

    run.folder = tmp_path
    return run


def before_the_second_stage(monkeypatch, happening):
    """Let something happen once, when a run has left its first stage and not begun its second."""
    lock, waiting = StageRecords.lock, [happening]

    def lock_later(self, stage):
        if stage == "double" and waiting:
            waiting.pop()()
        return lock(self, stage)

    monkeypatch.setattr(StageRecords, "lock", lock_later)


def test_the_first_run_runs_everything(workplace):
    assert workplace() == ["add", "double"]
    assert json.loads((workplace.folder / "doubled.json").read_text()) == 6


def test_the_second_run_reuses_everything(workplace):
    workplace()
    assert workplace() == []


def test_changed_data_run_the_stage_and_its_followers(workplace):
    workplace()
    (workplace.folder / "numbers.json").write_text("[1, 3]")
    assert workplace() == ["add", "double"]
    assert json.loads((workplace.folder / "doubled.json").read_text()) == 8


def test_a_changed_parameter_runs_the_stage_and_its_followers(workplace):
    workplace()
    assert workplace(offset=1) == ["add", "double"]


def test_a_parameter_whose_keys_stand_in_another_order_runs_the_stage():
    """The classifiers of the audit and the variants of a grid stand in the order of preference."""
    before, now = (
        observe(PIPELINE.nodes[0], DataCatalog({"numbers": MemoryDataset([1]), "params:offset": MemoryDataset(offset)}))
        for offset in ({"lda": 1, "svc": 1}, {"svc": 1, "lda": 1})
    )
    assert before.parameters.keys() == now.parameters.keys() == {"params:offset"}
    assert before.parameters != now.parameters


def test_a_run_of_missing_outputs_alone_does_not_call_stale_ones_fresh(workplace):
    workplace()
    workplace(offset=1, only_missing_outputs=True)
    workplace(offset=1)
    assert json.loads((workplace.folder / "doubled.json").read_text()) == 8


def test_changed_code_runs_the_stage_and_its_followers(workplace):
    workplace()
    assert workplace(add="v2") == ["add", "double"]


def test_changed_code_of_reading_and_writing_runs_the_stages_that_use_it(workplace):
    workplace()
    assert workplace(JsonDataset="v2") == ["add", "double"]
    assert workplace() == []


def test_changed_code_does_not_run_what_comes_before(workplace):
    workplace()
    assert workplace(double="v2") == ["double"]


def test_an_absent_result_runs_its_stage(workplace):
    workplace()
    (workplace.folder / "doubled.json").unlink()
    assert workplace() == ["double"]


def test_a_result_edited_by_hand_is_refused(workplace):
    workplace()
    (workplace.folder / "total.json").write_text("4")
    with pytest.raises(ArtefactError, match="total: changed since the stage wrote it"):
        workplace()


def test_what_another_run_is_just_writing_is_no_record(workplace):
    workplace()
    (workplace.folder / ".stages" / ".add-x1y2.json").write_text("{")
    (workplace.folder / "doubled.json").write_text("7")
    with pytest.raises(ArtefactError, match="doubled: changed"):
        workplace()


RECORDS_OF_NO_USE = {
    "cut short": '{"code": "v1", "par',
    "of another version": '{"code": "v1", "parameters": {}, "inputs": {}, "outputs": {}, "versions": {}}',
    "no record": "[]",
}


@pytest.mark.parametrize("record", RECORDS_OF_NO_USE.values(), ids=RECORDS_OF_NO_USE)
def test_a_stage_whose_record_cannot_be_read_runs_again(workplace, record):
    workplace()
    (workplace.folder / ".stages" / "double.json").write_text(record)
    assert workplace() == ["double"]
    assert workplace() == []


@pytest.mark.parametrize("record", RECORDS_OF_NO_USE.values(), ids=RECORDS_OF_NO_USE)
def test_a_record_that_cannot_be_read_vouches_for_nothing(workplace, record):
    workplace()
    (workplace.folder / ".stages" / "another.json").write_text(record)
    (workplace.folder / "doubled.json").write_text("7")
    with pytest.raises(ArtefactError, match="doubled: changed"):
        workplace()


def test_a_folder_in_the_place_of_a_record_is_told(workplace):
    (workplace.folder / ".stages" / "double.json").mkdir(parents=True)
    with pytest.raises(InputError, match=r"double\.json: Is a directory; expected nothing else"):
        workplace()


def test_a_refusal_says_that_nothing_was_run_only_where_that_is_so(workplace):
    (workplace.folder / "numbers.json").write_text(f"[{UNLUCKY}]")
    with pytest.raises(ConfigurationError) as refused:
        workplace()
    assert "finished stages are kept" in refused.value.headline()
    with pytest.raises(ConfigurationError) as refused:
        workplace()
    assert "nothing was run" in refused.value.headline()


def test_a_stage_whose_results_cannot_be_stored_has_run(workplace):
    (workplace.folder / "total.json").mkdir()
    with pytest.raises(DatasetError) as refused:
        workplace()
    assert CALLS == ["add"]
    assert "finished stages are kept" in input_error(refused.value).headline()


def test_a_stage_that_is_worth_another_try_runs_its_followers_only_where_something_came_of_it(workplace, monkeypatch):
    workplace()
    monkeypatch.setattr(JsonDataset, "is_unsettled", lambda self: self.filepath.stem == "total", raising=False)
    assert workplace() == ["add"]
    monkeypatch.setattr(sys.modules[__name__], "GAINED", [4])
    assert workplace() == ["add", "double"]


def test_a_killed_stage_runs_again(workplace, monkeypatch):
    workplace()
    (workplace.folder / "numbers.json").write_text("[1, 3]")
    monkeypatch.setattr(JsonDataset, "save", lambda self, data: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        workplace()
    monkeypatch.undo()
    assert "add" not in {path.stem for path in (workplace.folder / ".stages").glob("*.json")}


def test_results_that_may_not_be_written_end_in_a_sentence(workplace, monkeypatch):
    def refuse(path, **_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(ArtefactError, match=r"\.stages: Permission denied; expected a writable disk"):
        workplace()


def test_folders_that_take_no_result_are_told_at_once_before_anything_is_made_for_them(workplace, monkeypatch):
    for name in ("closed", "shut"):
        (workplace.folder / name).mkdir()
        close(monkeypatch, workplace.folder / name)
    with pytest.raises(ArtefactError, match=r"^2 problems .* nothing was run") as refused:
        workplace(folders={"total": "closed", "doubled": "shut/2026"})
    assert not CALLS
    told = [(problem.where, problem.found) for problem in refused.value.problems]
    assert told == [(f"{workplace.folder.name}/closed", "Permission denied"), ("shut/2026", "Permission denied")]


def test_a_folder_of_results_that_are_reused_may_be_closed(workplace, monkeypatch):
    workplace(folders={"total": "closed"})
    tried = []
    monkeypatch.setattr("gliocast.runner.unwritable_folders", lambda folders: tried.extend(folders) or [])
    assert workplace(folders={"total": "closed"}, double="v2") == ["double"]
    assert tried == [workplace.folder]


def test_a_stage_writes_beside_its_results_into_its_workspaces_and_where_its_key_is_to_lie(tmp_path):
    (tmp_path / "made").write_text("a key")
    entries = {
        "read": JsonDataset("raw/read.json"),
        "checkpoints": CheckpointsDataset("models/checkpoints"),
        "key": SecretKeyDataset("site/key"),
        "made_key": SecretKeyDataset(str(tmp_path / "made")),
        "made": JsonDataset("results/made.json"),
        "noted": MemoryDataset(),
    }
    stage = Node(lambda *_: (), ["read", "checkpoints", "key", "made_key"], ["made", "noted"])
    assert folders_written([stage], DataCatalog(entries)) == {Path("models/checkpoints"), Path("results"), Path("site")}


def test_raw_data_that_may_not_be_read_end_in_a_sentence(workplace, monkeypatch):
    close(monkeypatch, workplace.folder / "numbers.json")
    with pytest.raises(InputError, match=r"numbers\.json: Permission denied; expected a file that this account may"):
        workplace()


def test_a_run_whose_results_another_run_replaces_between_two_stages_ends(workplace, monkeypatch):
    before_the_second_stage(monkeypatch, lambda: workplace(offset=100))
    with pytest.raises(
        ArtefactError, match="total: replaced, by another run or by hand, since this run made or reused it"
    ):
        workplace()
    assert json.loads((workplace.folder / "doubled.json").read_text()) == 206


def test_a_run_whose_results_another_run_replaces_during_a_stage_ends_and_leaves_no_record(workplace):
    MEANWHILE.append(lambda: (workplace.folder / "total.json").write_text("103"))
    with pytest.raises(ArtefactError, match="total: replaced"):
        workplace()
    assert not (workplace.folder / ".stages" / "double.json").exists()


def test_another_run_of_the_same_settings_may_pass_between_two_stages(workplace, monkeypatch):
    before_the_second_stage(monkeypatch, workplace)
    workplace()
    assert json.loads((workplace.folder / "doubled.json").read_text()) == 6


def test_a_run_that_reuses_a_result_which_another_run_then_replaces_ends(workplace, monkeypatch):
    """Else its last results would be the other run's, of another offset, without a word."""
    workplace()
    before_the_second_stage(monkeypatch, lambda: workplace(offset=100))
    with pytest.raises(ArtefactError, match="total: replaced"):
        workplace()


@pytest.fixture
def apart(workplace, monkeypatch):
    """Two stages that do not follow each other; the second reads a file of its own."""
    separate = Pipeline([PIPELINE.nodes[0], Node(double, "others", "doubled", name="double")])
    monkeypatch.setattr(sys.modules[__name__], "PIPELINE", separate)
    (workplace.folder / "others.json").write_text("5")
    assert workplace() == ["add", "double"]
    return workplace


def test_a_stage_that_does_not_follow_what_ran_is_reused(apart):
    (apart.folder / "numbers.json").write_text("[1, 3]")
    assert apart() == ["add"]


def test_what_is_made_while_somebody_changes_its_raw_data_is_stale(apart):
    MEANWHILE.append(lambda: (apart.folder / "others.json").write_text("7"))
    assert apart(double="v2") == ["double"]
    assert apart() == ["double"]
    assert json.loads((apart.folder / "doubled.json").read_text()) == 14


def test_another_way_of_taking_fingerprints_runs_every_stage_once(workplace, monkeypatch):
    workplace()
    monkeypatch.setattr(gliocast.runner, "FINGERPRINTS", gliocast.runner.FINGERPRINTS + 1)
    assert [workplace(), workplace()] == [["add", "double"], []]


@pytest.mark.parametrize("name", ["total", "doubled"])
def test_a_stage_depends_on_the_code_by_which_each_of_its_entries_is_read_or_written(workplace, monkeypatch, name):
    def code_of(kind):
        entries = {"total": MemoryDataset(1), "doubled": MemoryDataset(1), name: kind()}
        return observe(PIPELINE.nodes[1], DataCatalog(entries)).code

    monkeypatch.setattr(gliocast.runner, "class_fingerprint", lambda kind: kind.__name__)
    assert code_of(MemoryDataset) != code_of(type("Other", (MemoryDataset,), {}))


def subtract(first, second):
    return first - second


def subtract_twice(first, second):
    return first - 2 * second


@pytest.mark.parametrize(
    ("function", "inputs", "outputs"),
    [
        (subtract_twice, ["numbers", "others"], ["total", "doubled"]),
        (subtract, ["others", "numbers"], ["total", "doubled"]),
        (subtract, ["numbers", "others"], ["doubled", "total"]),
    ],
    ids=["another function of the module", "its arguments exchanged", "its results exchanged"],
)
def test_a_stage_that_is_joined_to_the_catalog_otherwise_has_other_code(function, inputs, outputs):
    """The graphs stand in modules of their own, which no stage imports."""

    def code_of(*joined):
        entries = {name: MemoryDataset(1) for name in ("numbers", "others", "total", "doubled")}
        return observe(Node(*joined, name="stage"), DataCatalog(entries)).code

    assert code_of(function, inputs, outputs) != code_of(subtract, ["numbers", "others"], ["total", "doubled"])


def test_a_result_whose_catalog_entry_has_changed_is_made_anew(workplace, monkeypatch):
    """It is not the file that was edited; what the entry says may decide how it is written."""
    workplace()
    entry = gliocast.runner.configuration
    monkeypatch.setattr(
        gliocast.runner,
        "configuration",
        lambda dataset: entry(dataset) | {"indent": 4} if dataset.filepath.stem == "doubled" else entry(dataset),
    )
    assert [workplace(), workplace()] == [["double"], []]


def test_a_result_that_another_stage_has_written_since_is_made_anew(workplace):
    workplace()
    (workplace.folder / "doubled.json").write_text("7")
    catalog = DataCatalog({"doubled": JsonDataset(str(workplace.folder / "doubled.json"))})
    written = {"doubled": dataset_fingerprint("doubled", catalog)}
    StageRecords(workplace.folder / ".stages").write("another", StageRecord("v1", {}, {}, written))
    assert workplace() == ["double"]
    assert json.loads((workplace.folder / "doubled.json").read_text()) == 6


@pytest.mark.parametrize(
    ("earlier", "later"), [({}, {"params:offset": "1"}), ({"params:offset": "1"}, {})], ids=["added", "left out"]
)
def test_a_parameter_that_a_stage_begins_or_ceases_to_read_makes_it_stale(earlier, later):
    before, now = (StageRecord("v1", parameters, {}, {}) for parameters in (earlier, later))
    assert before.difference(now) == "parameter params:offset has changed"


def test_an_input_that_is_absent_is_the_same_in_every_run(tmp_path):
    first, second = (DataCatalog({"numbers": JsonDataset(str(tmp_path / "numbers.json"))}) for _ in range(2))
    assert dataset_fingerprint("numbers", first) == dataset_fingerprint("numbers", second)


def test_a_file_below_a_dataset_of_kedro_s_own_is_known_by_its_content(tmp_path):
    from kedro_datasets.pandas import CSVDataset

    path = tmp_path / "table.csv"
    path.write_text("a\n1\n")
    before = dataset_fingerprint("table", DataCatalog({"table": CSVDataset(filepath=str(path))}))
    assert dataset_fingerprint("table", DataCatalog({"table": CSVDataset(filepath=str(path))})) == before
    path.write_text("a\n2\n")
    assert dataset_fingerprint("table", DataCatalog({"table": CSVDataset(filepath=str(path))})) != before


def test_a_dataset_is_known_by_its_content_and_its_entry_wherever_it_lies_and_whoever_opens_it(tmp_path):
    from kedro_datasets.pandas import CSVDataset

    def fingerprint(folder="here", **entry):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "table.csv").write_text("a\n1\n")
        dataset = CSVDataset(filepath=str(tmp_path / folder / "table.csv"), **entry)
        return dataset_fingerprint("table", DataCatalog({"table": dataset}))

    assert fingerprint() == fingerprint("there") == fingerprint(credentials={"auto_mkdir": True})
    assert fingerprint() != fingerprint(load_args={"sep": ";"})
    one, other = (JsonDataset(str(tmp_path / name)) for name in ("one.json", "other.json"))
    assert configuration(one) == configuration(other) == {"type": "gliocast.datasets.files.JsonDataset"}


def test_a_query_that_stands_in_a_file_is_known_by_what_the_database_answers(tmp_path):
    from kedro_datasets.pandas import SQLQueryDataset

    query, database = tmp_path / "query.sql", tmp_path / "site.db"
    query.write_text("select * from patients")

    def fingerprint():
        credentials = {"con": f"sqlite:///{database}"}
        return dataset_fingerprint(
            "table", DataCatalog({"table": SQLQueryDataset(filepath=str(query), credentials=credentials)})
        )

    with closing(sqlite3.connect(database)) as site:
        site.execute("create table patients (age_years int)")
        before = fingerprint()
        assert fingerprint() == before
        site.execute("insert into patients values (60)")
        site.commit()
    assert fingerprint() != before


def test_what_is_neither_a_file_nor_a_table_counts_as_changed_every_time():
    catalog = DataCatalog({"first": MemoryDataset([1]), "second": MemoryDataset([1])})
    assert dataset_fingerprint("first", catalog) != dataset_fingerprint("second", catalog)


def test_the_code_of_reading_and_writing_is_listed_in_one_order(monkeypatch):
    """In the order of a set it would be another in each process, and no stage would ever be reused."""
    monkeypatch.setattr(gliocast.runner, "class_fingerprint", lambda kind: kind.__name__)
    kinds = {letter: type(letter, (MemoryDataset,), {}) for letter in "gfedcba"}
    catalog = DataCatalog({name: kind() for name, kind in kinds.items()})
    assert reading_and_writing([*kinds], catalog) == [*"abcdefg"]


def test_a_stage_that_has_finished_is_not_said_to_have_never_done_so(workplace, caplog):
    workplace()
    with caplog.at_level(logging.INFO):
        workplace(offset=1)
    assert "stage 1/2 add: runs, parameter params:offset has changed" in caplog.messages
    assert "stage 2/2 double: runs, it has no valid result" in caplog.messages


def test_a_second_run_waits_at_a_stage_until_the_first_is_through(tmp_path, caplog):
    records, through = StageRecords(tmp_path / "data" / ".stages"), []

    def second_run():
        with records.lock("add"):
            through.append("second")

    waiting = Thread(target=second_run)
    with caplog.at_level(logging.WARNING), records.lock("add"):
        waiting.start()
        waiting.join(timeout=0.5)
        through.append("first")
    waiting.join()
    assert through == ["first", "second"]
    assert "Another run is working on stage add; waiting for it." in caplog.text


@pytest.mark.parametrize(("tags", "held"), [(None, True), ("concurrent", False)])
def test_one_run_at_a_time_works_on_a_stage_but_for_those_that_several_may_share(workplace, monkeypatch, tags, held):
    shared = Pipeline([PIPELINE.nodes[0], Node(double, "total", "doubled", name="double", tags=tags)])
    monkeypatch.setattr(sys.modules[__name__], "PIPELINE", shared)
    lock, found = FileLock(workplace.folder / ".stages" / "double.lock"), []

    def another_run():
        try:
            with lock.acquire(timeout=0):
                found.append(False)
        except Timeout:
            found.append(True)

    MEANWHILE.append(another_run)
    assert workplace() == ["add", "double"]
    assert found == [held]
