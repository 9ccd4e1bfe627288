from __future__ import annotations

import pytest

from gliocast.datasets.files import JsonDataset
from gliocast.datasets.slice_stacks import SliceStacksDataset
from gliocast.persistence import code
from gliocast.persistence.code import class_fingerprint, closure, code_fingerprint, libraries_of, module_fingerprint
from gliocast.persistence.fingerprints import sha256_of_file, sha256_of_folder, sha256_of_value

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # NIST FIPS 180-4, the empty message


def test_the_empty_file_has_the_published_fingerprint(tmp_path):
    path = tmp_path / "empty"
    path.touch()
    assert sha256_of_file(path) == EMPTY


def test_the_order_of_keys_does_not_matter():
    assert sha256_of_value({"a": 1, "b": 2}) == sha256_of_value({"b": 2, "a": 1})


def test_another_value_has_another_fingerprint():
    assert sha256_of_value({"a": 1}) != sha256_of_value({"a": 1.5})


@pytest.mark.parametrize("change", ["rename", "content"])
def test_a_folder_changes_with_names_and_contents(tmp_path, change):
    (tmp_path / "one").write_text("1")
    before = sha256_of_folder(tmp_path)
    if change == "rename":
        (tmp_path / "one").rename(tmp_path / "two")
    else:
        (tmp_path / "one").write_text("2")
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


def test_datasets_written_by_other_code_have_other_fingerprints():
    assert class_fingerprint(JsonDataset) != class_fingerprint(SliceStacksDataset)


def test_a_site_s_own_dataset_depends_on_the_one_of_ours_that_it_extends():
    class Own(JsonDataset):
        pass

    assert class_fingerprint(Own) == class_fingerprint(JsonDataset)
