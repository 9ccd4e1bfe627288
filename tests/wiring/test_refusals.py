from __future__ import annotations

import errno
import inspect
import signal
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Node, Pipeline
from kedro.pipeline.pipeline import OutputNotUniqueError

from gliocast.datasets.files import JsonDataset
from gliocast.datasets.imaging import ImagingDataset
from gliocast.errors import ArtefactError, ConfigurationError, Problem, TrainingError
from gliocast.processes import in_processes
from gliocast.refusals import TABLE_DATASETS, faulty_entries, input_error, users_error

WRONG = ConfigurationError(Problem("–", "seed", "-1", "0 or more", "Correct it."))


def test_an_error_that_kedro_wraps_is_the_user_s():
    with pytest.raises(DatasetError) as wrapped:
        raise DatasetError("Failed while saving") from WRONG
    assert input_error(wrapped.value) is WRONG


def test_a_bug_of_ours_while_a_wrong_input_is_told_is_no_user_s_error():
    with pytest.raises(KeyError) as bug:
        try:
            raise WRONG
        except ConfigurationError:
            {}["a bug of ours"]
    assert users_error(bug.value) is None


def test_a_result_in_a_folder_that_may_not_be_looked_into_is_told(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(DatasetError) as wrapped:
        JsonDataset(str(tmp_path / "models" / "found.json")).exists()
    told = users_error(wrapped.value)
    assert isinstance(told, ArtefactError)
    assert "models/found.json: Permission denied; expected a file that this account may read" in str(told)


def test_a_process_that_the_system_has_killed_is_told_as_full_memory_and_no_bug_of_ours():
    with pytest.raises(BrokenProcessPool) as ended:
        list(in_processes(2, signal.raise_signal, [signal.SIGKILL, signal.SIGKILL]))
    told = users_error(ended.value)
    assert isinstance(told, TrainingError)
    assert "model.devices" in str(told)


def test_pipelines_that_make_the_same_result_are_no_bug_of_ours():
    make = [Node(lambda: 1, [], "metrics", name=name) for name in ("one", "other")]
    with pytest.raises(OutputNotUniqueError) as refused:
        Pipeline(make[:1]) + Pipeline(make[1:])
    assert "metrics" in str(users_error(refused.value))


def entry_problems(name, **entry):
    return faulty_entries([name], DataCatalog.from_config({name: entry}))


@pytest.mark.parametrize(
    "asked",
    ["pickle.PickleDataset", "kedro_datasets.pickle.PickleDataset", "pandas.HDFDataset", "pandas.GenericDataset"],
)
@pytest.mark.parametrize("name", ["clinical_table", "metrics"])
def test_a_type_by_which_a_file_may_run_code_is_refused_before_it_is_made(name, asked):
    (problem,) = entry_problems(name, type=asked, filepath="a.pkl")
    assert (problem.where, problem.found) == (f"catalog entry {name}: type", asked)
    assert "whose files hold no code" in problem.expected


def test_the_page_for_whoever_brings_another_table_names_the_types_that_are_taken():
    page = (Path(__file__).parents[2] / "docs/how-to/swap-data.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in TABLE_DATASETS)


@pytest.mark.parametrize("package", ["pandas", "kedro_datasets.pandas"])
def test_tables_in_formats_without_code_are_taken(package):
    assert entry_problems("clinical_table", type=f"{package}.CSVDataset", filepath="a.csv") == []


def test_a_slip_in_the_entry_of_the_images_is_told_with_the_page_that_has_its_arguments():
    (problem,) = entry_problems("imaging", type="gliocast.datasets.ImagingDataset", filepath="mri", volume=["t1.nii"])
    assert "volume" in problem.where and "docs/how-to/swap-data.md" in problem.remedy
    page = (Path(__file__).parents[2] / "docs/how-to/swap-data.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in set(inspect.signature(ImagingDataset).parameters) - {"metadata"})


def test_every_argument_that_an_entry_of_ours_does_not_know_is_told_in_our_words():
    path, rows = entry_problems("cohort", type="gliocast.datasets.TableDataset", path="b.csv", rows=3)
    told = "an unknown argument", "one of filepath, metadata"
    assert (path.where, path.found, path.expected) == ("catalog entry cohort: path", *told)
    assert path.remedy.startswith("Did you mean `filepath`? ")
    assert (rows.where, rows.found, rows.expected) == ("catalog entry cohort: rows", *told)
    assert rows.remedy.startswith("Remove it. ")


@pytest.mark.parametrize("given", [{}, {"filepath": None}])
def test_an_argument_that_an_entry_of_ours_lacks_is_told_in_our_words(given):
    rows, path = entry_problems("clinical_table", type="gliocast.datasets.ClinicalTableDataset", rows=3, **given)
    assert rows.where == "catalog entry clinical_table: rows"
    assert (path.where, path.found) == ("catalog entry clinical_table: filepath", "absent")
    assert path.expected == "a value" and "docs/how-to/swap-data.md" in path.remedy


@pytest.mark.parametrize("entry", [{"type": "gliocast.datasets.Tabel"}, {"type": "pandas.CSVDataset", "rows": 3}])
def test_any_other_slip_in_an_entry_is_told_in_the_words_of_whoever_found_it(entry):
    (problem,) = entry_problems("cohort", **entry)
    assert (problem.where, problem.expected) == ("catalog entry cohort", "a known type, and its arguments")
