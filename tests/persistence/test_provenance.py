from __future__ import annotations

import getpass
import json
import subprocess
from pathlib import Path

import pytest

from gliocast.datasets import ProvenanceDataset
from gliocast.persistence import provenance
from gliocast.persistence.provenance import describe_run, version_control
from gliocast.types import Parameters


class Section(Parameters):
    count: int


def test_a_run_names_its_parameters_without_the_helpers():
    described = describe_run({"slices": Section(count=9), "_profiles": {}}, {})
    assert described["parameters"] == {"slices": {"count": 9}}


def test_other_parameters_have_another_fingerprint():
    first, second = (describe_run({"slices": Section(count=count)}, {}) for count in (9, 5))
    assert first["parameters_sha256"] != second["parameters_sha256"]


def test_what_another_program_has_made_is_told_anew(tmp_path, monkeypatch):
    stored = ProvenanceDataset(str(tmp_path / "provenance.json"))
    stored.save(describe_run({}, {}))
    assert not stored.is_unsettled()
    monkeypatch.setattr(provenance, "version_of", lambda library: "2")
    assert stored.is_unsettled()
    monkeypatch.undo()
    monkeypatch.setattr(provenance, "SOURCE", tmp_path)
    assert stored.is_unsettled()


def test_a_run_names_no_path_and_no_user():
    written = json.dumps(describe_run({}, {"clinical_table": "abc"}))
    assert str(Path.cwd()) not in written
    assert f'"{getpass.getuser()}"' not in written


def test_sources_in_no_repository_have_no_commit_and_differ_from_none(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "SOURCE", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert version_control() == {"commit": None, "changed": None}


def git(folder, *arguments):
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.example")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_sources_installed_inside_another_repository_are_not_of_its_commit(tmp_path, monkeypatch):
    """A virtual environment in a site's own repository, which git ignores."""
    installed = tmp_path / ".venv" / "gliocast"
    installed.mkdir(parents=True)
    (installed / "__init__.py").touch()
    (tmp_path / ".gitignore").write_text(".venv/\n")
    git(tmp_path, "init")
    git(tmp_path, "add", ".gitignore")
    git(tmp_path, "commit", "-m", "the site's own")
    monkeypatch.setattr(provenance, "SOURCE", installed)
    assert version_control() == {"commit": None, "changed": None}


def test_where_there_is_no_git_nothing_is_said_of_the_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert version_control() == {"commit": None, "changed": None}


@pytest.mark.parametrize(("edited", "changed"), [(False, False), (True, True)])
def test_sources_differ_from_their_commit_where_one_was_edited(tmp_path, monkeypatch, edited, changed):
    (tmp_path / "module.py").write_text("")
    git(tmp_path, "init")
    git(tmp_path, "add", "module.py")
    git(tmp_path, "commit", "-m", "first")
    (tmp_path / "module.py").write_text("edited = True" if edited else "")
    monkeypatch.setattr(provenance, "SOURCE", tmp_path)
    found = version_control()
    assert len(found["commit"]) == 40
    assert found["changed"] is changed
