from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial, wraps
from importlib.util import find_spec

import pytest

from gliocast.datasets.files import JsonDataset
from gliocast.datasets.slice_stacks import SliceStacksDataset
from gliocast.persistence import code
from gliocast.persistence.code import (
    class_fingerprint,
    closure,
    code_fingerprint,
    imports_of,
    libraries_of,
    module_fingerprint,
)
from gliocast.persistence.fingerprints import (
    CHUNK_BYTES,
    sha256_in_order,
    sha256_of_bytes,
    sha256_of_file,
    sha256_of_folder,
    sha256_of_value,
)
from gliocast.persistence.libraries import COMPUTING, module_of, version_of

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # NIST FIPS 180-4, the empty message


def test_the_empty_file_has_the_published_fingerprint(tmp_path):
    path = tmp_path / "empty"
    path.touch()
    assert sha256_of_file(path) == EMPTY


def test_every_byte_of_a_large_file_counts(tmp_path):
    (tmp_path / "large").write_bytes(bytes(CHUNK_BYTES) + b"1")
    assert sha256_of_file(tmp_path / "large") == sha256_of_bytes(bytes(CHUNK_BYTES) + b"1")


def test_the_order_of_keys_does_not_matter():
    assert sha256_of_value({"a": 1, "b": 2}) == sha256_of_value({"b": 2, "a": 1})


def test_the_order_of_keys_counts_where_it_is_asked_for():
    assert sha256_in_order({"a": 1, "b": 2}) != sha256_in_order({"b": 2, "a": 1})
    assert sha256_in_order([Member("a")]) == sha256_in_order([Member("a")])


@pytest.mark.parametrize("fingerprint", [sha256_of_value, sha256_in_order])
def test_another_value_has_another_fingerprint(fingerprint):
    assert fingerprint({"a": 1}) != fingerprint({"a": 1.5})


@pytest.mark.parametrize("folder", ["", "room"])
@pytest.mark.parametrize("change", ["rename", "content", "move"])
def test_a_folder_changes_with_names_and_contents(tmp_path, folder, change):
    (tmp_path / "room").mkdir()
    (tmp_path / "other room").mkdir()
    file = tmp_path / folder / "one"
    file.write_text("1")
    before = sha256_of_folder(tmp_path)
    if change == "content":
        file.write_text("2")
    else:
        file.rename(file.with_name("two") if change == "rename" else tmp_path / "other room" / "one")
    assert sha256_of_folder(tmp_path) != before


def test_the_code_of_a_stage_includes_the_rooms_it_reaches():
    assert {"gliocast.persistence.code", "gliocast.persistence.fingerprints"} <= closure("gliocast.persistence.code")


def test_the_code_of_a_stage_leaves_out_the_rooms_it_does_not_reach():
    assert "gliocast.runner" not in closure("gliocast.persistence.code")


def test_a_stage_has_the_fingerprint_of_its_module():
    assert code_fingerprint(sha256_of_file) == code_fingerprint(sha256_of_folder)


@pytest.fixture
def versions(monkeypatch):
    """The versions of libraries that are installed, to be changed."""
    installed = {}
    monkeypatch.setattr(code, "version_of", lambda library: installed.get(library, "1.0"))
    monkeypatch.setattr(code, "module_fingerprint", module_fingerprint.__wrapped__)  # nothing is remembered
    return installed


def test_the_libraries_of_a_stage_are_those_that_its_modules_import():
    assert libraries_of(["gliocast.imaging.stack"]) == ["numpy"]


@pytest.mark.parametrize(("library", "changes"), [("numpy", True), ("xgboost", False)])
def test_another_version_of_a_library_changes_the_code_of_the_stages_that_call_it(versions, library, changes):
    before = code.module_fingerprint("gliocast.imaging.stack")
    versions[library] = "2.0"
    assert (code.module_fingerprint("gliocast.imaging.stack") != before) is changes


def test_another_plotly_is_in_the_report_so_that_it_is_made_anew(versions):
    """The page holds plotly.js, which has no network to come from."""
    before = code.module_fingerprint("gliocast.reporting.page")
    versions["plotly"] = "2.0"
    assert code.module_fingerprint("gliocast.reporting.page") != before


def test_what_python_compiles_is_no_content_of_a_folder(tmp_path):
    (tmp_path / "room.py").write_text("WALLS = 4")
    before = sha256_of_folder(tmp_path)
    compileall.compile_dir(tmp_path, quiet=2)
    assert len(list(tmp_path.rglob("*.pyc"))) == 1
    assert sha256_of_folder(tmp_path) == before


@pytest.mark.parametrize("name", ["page.css", "page.html"])
def test_what_lies_beside_a_module_counts_with_it(tmp_path, monkeypatch, name):
    """The report is made of its style and its template as of its code."""
    copied = shutil.copytree(code.SOURCE, tmp_path / "gliocast", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "SOURCE", copied)
    before = [module_fingerprint.__wrapped__(f"gliocast.{room}") for room in ("reporting.page", "imaging.stack")]
    (copied / "reporting" / name).write_text("another")
    after = [module_fingerprint.__wrapped__(f"gliocast.{room}") for room in ("reporting.page", "imaging.stack")]
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, False]


def test_datasets_written_by_other_code_have_other_fingerprints():
    assert class_fingerprint(JsonDataset) != class_fingerprint(SliceStacksDataset)


def test_a_site_s_own_dataset_depends_on_the_one_of_ours_that_it_extends():
    class Own(JsonDataset):
        pass

    assert class_fingerprint(Own) == class_fingerprint(JsonDataset)


@dataclass(frozen=True)
class Member:
    name: str


def test_another_field_of_a_dataclass_has_another_fingerprint_and_equal_ones_the_same():
    assert sha256_of_value([Member("a")]) == sha256_of_value([Member("a")])
    assert sha256_of_value([Member("a")]) != sha256_of_value([Member("b")])


def test_a_set_has_the_fingerprint_of_its_values_in_order():
    assert sha256_of_value(set("gfedcba")) == sha256_of_value(list("abcdefg"))


def test_the_order_in_which_a_disk_lists_a_folder_does_not_matter(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    forwards, listed = sha256_of_folder(tmp_path), sorted(tmp_path.rglob("*"))
    for order in (listed, listed[::-1]):
        monkeypatch.setattr("pathlib.Path.rglob", lambda *_, order=order: iter(order))
        assert sha256_of_folder(tmp_path) == forwards


def test_a_module_that_is_imported_from_its_room_counts_among_the_imports():
    """`from gliocast.evidence import metrics`: a change of the metrics makes what was counted with them stale."""
    assert "gliocast.evidence.metrics" in imports_of("gliocast.hybrid.nested")


def test_what_is_imported_inside_a_function_counts_among_the_imports():
    """`torch` is imported there alone: another version of it makes what it computed stale."""
    assert "gliocast.model.weights" in imports_of("gliocast.hooks")


def test_every_library_that_computes_is_known_by_the_name_it_is_imported_by():
    installed = [library for library in COMPUTING if version_of(library)]
    assert [library for library in installed if find_spec(module_of(library)) is None] == []


def test_a_function_below_decorators_and_partial_has_the_fingerprint_of_its_own_module():
    @wraps(sha256_of_file)
    def decorated(path):
        return sha256_of_file(path)

    for function in (decorated, partial(sha256_of_file), partial(decorated)):
        assert code_fingerprint(function) == code_fingerprint(sha256_of_file)


def test_the_fingerprint_of_code_is_the_same_in_every_process():
    """Sets of words have another order in each process; in that order every stage would run anew each time."""
    program = "from gliocast.persistence.code import module_fingerprint as of; print(of('gliocast.imaging.stack'))"
    found = [
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert found[0] == found[1]
