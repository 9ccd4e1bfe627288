"""What every dataset promises: what was saved is loaded, a failed save changes nothing, a path stays secret."""

from __future__ import annotations

import errno

import pandas as pd
import pytest
from kedro.io import DatasetError

from gliocast.datasets import JsonDataset, PaperScoresDataset, ScoresDataset, TableDataset, TextDataset
from gliocast.datasets.files import FigureDataset
from gliocast.datasets.finished_pieces import PieceFolder
from gliocast.datasets.openings import Openings
from gliocast.errors import ArtefactError
from gliocast.refusals import input_error
from gliocast.types import SCORE_COLUMNS, Scores

TABLE = pd.DataFrame({"surgery": ["biopsy", "complete"], "n": [69, 44]})
SCORES = Scores(
    pd.DataFrame([["holdout", "P1", -1, "test", "fold1", 0.5, 0.62]], columns=list(SCORE_COLUMNS)),
    {"fold1": ("P2", "P3")},
)
CASES = {
    "json": (JsonDataset, "metrics.json", {"n": 175}, {"n": 70}),
    "figure": (FigureDataset, "figure.json", {"data": [], "layout": {}}, {"data": [{}], "layout": {}}),
    "text": (TextDataset, "report.html", "<p>é</p>", "<p>2</p>"),
    "csv": (TableDataset, "table.csv", TABLE, TABLE.head(1)),
    "nothing as csv": (TableDataset, "table.csv", pd.DataFrame(), TABLE),
    "parquet": (TableDataset, "table.parquet", TABLE, TABLE.head(1)),
    "scores": (ScoresDataset, "scores", SCORES, Scores(SCORES.table, {})),
    "paper scores": (PaperScoresDataset, "scores", SCORES, Scores(SCORES.table, {})),
}


@pytest.fixture(params=CASES, ids=str)
def case(request, tmp_path):
    make, name, value, another = CASES[request.param]
    return make(str(tmp_path / "data" / name)), value, another


def same(one, other):
    if isinstance(one, Scores):
        return one.table.equals(other.table) and one.fitted_on == other.fitted_on
    return one.equals(other) if isinstance(one, pd.DataFrame) else one == other


def test_what_was_saved_is_loaded(case):
    dataset, value, _ = case
    dataset.save(value)
    assert same(dataset.load(), value)


def test_another_value_has_another_fingerprint(case):
    dataset, value, another = case
    dataset.save(value)
    before = dataset.fingerprint()
    dataset.save(another)
    assert dataset.fingerprint() != before


def test_the_same_value_has_the_same_fingerprint(case):
    dataset, value, _ = case
    dataset.save(value)
    before = dataset.fingerprint()
    dataset.save(value)
    assert dataset.fingerprint() == before


def test_a_failed_save_changes_nothing(case, monkeypatch):
    dataset, value, another = case
    dataset.save(value)
    monkeypatch.setattr(type(dataset), "write", lambda self, path, value: 1 / 0)
    with pytest.raises(Exception, match="division by zero"):
        dataset.save(another)
    monkeypatch.undo()
    assert same(dataset.load(), value)
    assert [path.name for path in dataset.filepath.parent.iterdir()] == [dataset.filepath.name]


def test_a_full_disk_is_told_in_our_words_and_leaves_the_old_value(case, monkeypatch):
    dataset, value, another = case

    def full(*_):
        raise OSError(28, "No space left on device")

    dataset.save(value)
    monkeypatch.setattr(dataset, "write", full)
    with pytest.raises(DatasetError) as raised:
        dataset.save(another)
    told = str(input_error(raised.value))
    assert "No space left on device; expected a writable disk" in told
    assert str(dataset.filepath.parent) not in told
    assert same(dataset.load(), value)


def test_an_error_of_ours_is_not_told_as_one_of_the_disk(case, monkeypatch):
    dataset, value, _ = case

    def faulty(*_):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(dataset, "write", faulty)
    with pytest.raises(DatasetError) as raised:
        dataset.save(value)
    assert input_error(raised.value) is None


def test_something_else_in_the_place_of_a_result_is_told_and_left_alone(case):
    dataset, value, _ = case
    dataset.save(value)
    is_folder = dataset.filepath.is_dir()
    dataset.filepath.rename(dataset.filepath.with_name("away"))
    dataset.filepath.touch() if is_folder else dataset.filepath.mkdir()
    with pytest.raises(DatasetError) as raised:
        dataset.save(value)
    assert "Move away what stands there" in str(input_error(raised.value))
    assert {path.name for path in dataset.filepath.parent.iterdir()} == {"away", dataset.filepath.name}


KEPT_BY_A_HANDLE = {
    "a finished piece": lambda folder: PieceFolder(folder).save("key", 0, TABLE),
    "an opening": lambda folder: Openings(folder).add("partition", "predictions"),
}


@pytest.mark.parametrize("keep", KEPT_BY_A_HANDLE.values(), ids=KEPT_BY_A_HANDLE)
def test_a_full_disk_is_told_in_our_words_by_handles_too(tmp_path, monkeypatch, keep):
    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full)
    with pytest.raises(ArtefactError, match="No space left on device; expected a writable disk") as told:
        keep(tmp_path)
    assert "finished stages are kept" in told.value.headline()


def test_a_value_never_saved_does_not_exist(case):
    dataset, _, _ = case
    assert not dataset.exists()
    with pytest.raises(Exception, match="a stored result"):
        dataset.load()


def test_a_dataset_tells_no_path_of_the_machine(case, tmp_path):
    dataset, _, _ = case
    assert str(tmp_path) not in str(dataset)


def test_only_reports_have_a_preview(tmp_path):
    assert not hasattr(TableDataset(str(tmp_path / "03_primary" / "cohort.parquet")), "preview")
    assert hasattr(TableDataset(str(tmp_path / "08_reporting" / "table1.csv")), "preview")


def test_a_spreadsheet_runs_no_formula(tmp_path):
    dataset = TableDataset(str(tmp_path / "table.csv"))
    dataset.save(pd.DataFrame({"centre": ["=HYPERLINK(1)", "Caen"], "delta": [-0.5, 1.0]}))
    assert (tmp_path / "table.csv").read_text().splitlines() == ["centre,delta", "'=HYPERLINK(1),-0.5", "Caen,1.0"]
