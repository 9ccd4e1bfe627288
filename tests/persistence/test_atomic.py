from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gliocast.datasets.scores import ScoresDataset
from gliocast.persistence import atomic
from gliocast.persistence.atomic import atomic_folder, atomic_write, recover_folder, stored_folder

TWO_DAYS_AGO = time.time() - 2 * 24 * 3600
KILLED_WHILE_WRITING = """
import sys, time
from pathlib import Path
from gliocast.persistence.atomic import atomic_write
with atomic_write(Path(sys.argv[1])) as temporary:
    temporary.write_text("half of the n")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_new_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [found.name for found in tmp_path.iterdir()] == ["results.json"]


def test_a_failed_save_keeps_the_old_file(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["results.json"]


def test_a_kill_while_saving_keeps_the_old_file(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    writer = subprocess.Popen([sys.executable, "-c", KILLED_WHILE_WRITING, str(path)], stdout=subprocess.PIPE)
    writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert path.read_text() == "old"


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path):
    folder = tmp_path / "ensemble"
    folder.mkdir()
    (folder / "removed").write_text("old")
    with atomic_folder(folder) as temporary:
        (temporary / "kept").write_text("new")
    assert [path.name for path in folder.iterdir()] == ["kept"]


def test_a_link_in_the_place_of_a_folder_is_replaced_and_what_it_leads_to_stays(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "old").touch()
    (tmp_path / "ensemble").symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        with atomic_folder(tmp_path / "ensemble") as temporary:
            (temporary / "new").touch()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "ensemble"]
        assert [path.name for path in (tmp_path / "ensemble").iterdir()] == ["new"]
        assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["old"]


def test_a_crash_between_the_two_renames_brings_the_old_folder_back(tmp_path):
    (tmp_path / ".ensemble.old").mkdir()
    recover_folder(tmp_path / "ensemble")
    assert (tmp_path / "ensemble").is_dir()


def test_a_crash_after_the_two_renames_removes_the_old_folder(tmp_path):
    (tmp_path / ".ensemble.old").mkdir()
    (tmp_path / "ensemble").mkdir()
    recover_folder(tmp_path / "ensemble")
    assert not (tmp_path / ".ensemble.old").exists()


def test_after_a_crash_between_the_two_renames_the_old_folder_is_read_where_it_lies(tmp_path):
    (tmp_path / ".ensemble.old").mkdir()
    assert stored_folder(tmp_path / "ensemble") == tmp_path / ".ensemble.old"
    (tmp_path / "ensemble").mkdir()
    assert stored_folder(tmp_path / "ensemble") == tmp_path / "ensemble"


def test_a_run_that_looks_between_the_two_renames_finds_the_old_folder_and_leaves_it_to_the_writer(
    tmp_path, monkeypatch
):
    rename, found = Path.rename, []
    reader = ScoresDataset(str(tmp_path / "scores"))
    (tmp_path / "scores").mkdir()
    before = reader.fingerprint()

    def look_after(path, target):
        rename(path, target)
        if target.name == ".scores.old":
            found.append(reader.exists() and reader.fingerprint() == before)

    monkeypatch.setattr(Path, "rename", look_after)
    with atomic_folder(tmp_path / "scores") as temporary:
        (temporary / "new").touch()
    assert found == [True]
    assert [path.name for path in (tmp_path / "scores").iterdir()] == ["new"]


@pytest.fixture
def flushed(monkeypatch):
    """What is forced onto the disk, in this order, and whether the new results were in their place by then."""
    flush, noted = atomic.flush, []

    def note(path):
        flush(path)
        noted.append((path, (path / "results").exists()))

    monkeypatch.setattr(atomic, "flush", note)
    return noted


def test_a_file_is_on_the_disk_before_it_takes_the_place_of_the_old_one(tmp_path, flushed):
    with atomic_write(tmp_path / "results") as temporary:
        temporary.write_text("new")
    assert flushed == [(temporary, False), (tmp_path, True)]


def test_a_folder_is_on_the_disk_before_it_takes_the_place_of_the_old_one(tmp_path, flushed):
    with atomic_folder(tmp_path / "results") as temporary:
        (temporary / "fold").mkdir()
        (temporary / "fold" / "model").touch()
    written = [temporary / "fold", temporary / "fold" / "model", temporary]
    assert flushed == [*((path, False) for path in written), (tmp_path, True)]


@pytest.mark.parametrize(("mask", "file_mode", "folder_mode"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)])
def test_stored_files_and_folders_are_open_to_whom_the_umask_lets(tmp_path, mask, file_mode, folder_mode):
    before = os.umask(mask)
    try:
        with atomic_write(tmp_path / "results.json"):
            pass
        with atomic_folder(tmp_path / "ensemble") as temporary:
            (temporary / "model").touch(0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "ensemble" / "model").stat().st_mode & 0o777 == file_mode
    assert (tmp_path / "results.json").stat().st_mode & 0o777 == file_mode
    assert (tmp_path / "ensemble").stat().st_mode & 0o777 == folder_mode


@pytest.mark.parametrize(
    ("suffix", "make", "replaced"), [(".parquet", Path.touch, atomic_write), ("", Path.mkdir, atomic_folder)]
)
def test_what_a_killed_writer_left_goes_after_a_day_and_what_another_one_writes_stays(tmp_path, suffix, make, replaced):
    left, written = tmp_path / f".cohort-abcdefgh{suffix}", tmp_path / f".cohort-ijklmnop{suffix}"
    make(left)
    make(written)
    os.utime(left, (TWO_DAYS_AGO, TWO_DAYS_AGO))
    with replaced(tmp_path / f"cohort{suffix}"):
        pass
    assert [path.exists() for path in (left, written)] == [False, True]


def test_a_folder_of_many_files_is_looked_through_once_and_not_at_every_write(tmp_path, monkeypatch):
    glob, looked_for = Path.glob, []

    def noted(folder: Path, pattern: str, **options: object):
        if folder == tmp_path:
            looked_for.append(pattern)
        return glob(folder, pattern, **options)

    monkeypatch.setattr(Path, "glob", noted)
    for patient in ("first", "second", "third"):
        with atomic_write(tmp_path / f"{patient}.json"), atomic_folder(tmp_path / patient):
            pass
    assert looked_for == [".*"]
