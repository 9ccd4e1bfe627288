from __future__ import annotations

import errno
import os

import pytest

from closed_paths import close
from gliocast.datasets.secret_key import SecretKeyDataset
from gliocast.errors import ConfigurationError
from gliocast.refusals import users_error


@pytest.fixture
def path(tmp_path):
    return tmp_path / "local" / "pseudonym.key"


def test_a_key_is_made_once_and_leaves_nothing_beside_it(path):
    key = SecretKeyDataset(str(path)).load()
    assert len(key) == 64
    assert SecretKeyDataset(str(path)).load() == key
    assert [found.name for found in path.parent.iterdir()] == ["pseudonym.key"]


@pytest.mark.parametrize("key", ["", "secret"])
def test_a_key_that_anybody_could_find_is_refused(path, key):
    path.parent.mkdir()
    path.write_text(key)
    with pytest.raises(Exception, match="characters; expected at least 32") as refused:
        SecretKeyDataset(str(path)).load()
    assert isinstance(users_error(refused.value), ConfigurationError)
    assert path.read_text() == key


def test_a_run_killed_while_it_makes_the_key_leaves_none(path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("gliocast.datasets.secret_key.secrets.token_hex", killed)
    with pytest.raises(KeyboardInterrupt):
        SecretKeyDataset(str(path)).load()
    assert not path.exists()


def test_of_two_runs_that_make_a_key_at_once_the_first_one_s_stays(path, monkeypatch):
    link, first = os.link, "1" * 64

    def link_later(temporary, target):
        path.write_text(first)
        link(temporary, target)

    monkeypatch.setattr(os, "link", link_later)
    assert SecretKeyDataset(str(path)).load() == first


def test_a_key_is_made_where_the_disk_knows_no_links(path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert len(SecretKeyDataset(str(path)).load()) == 64


def test_a_key_that_another_account_keeps_closed_or_a_folder_in_its_place_is_told(path, monkeypatch):
    path.mkdir(parents=True)
    with pytest.raises(Exception, match="Is a directory; expected nothing else in its place"):
        SecretKeyDataset(str(path)).load()
    path.rmdir()
    SecretKeyDataset(str(path)).load()
    close(monkeypatch, path)
    with pytest.raises(Exception, match="Permission denied; expected a file that this account may read"):
        SecretKeyDataset(str(path)).load()
