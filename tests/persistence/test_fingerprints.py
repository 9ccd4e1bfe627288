from __future__ import annotations

import pytest

from gliocast.persistence.code import closure, code_fingerprint
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
