"""What the operating system says of a folder that takes no file."""

from __future__ import annotations

import errno
from pathlib import Path

from gliocast.persistence.disk import unwritable_folders


def test_a_folder_to_be_made_is_tried_where_it_will_lie_and_nothing_is_left_there(tmp_path):
    assert not [*unwritable_folders([tmp_path / "models" / "checkpoints"])]
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_lies_in_one_that_may_not_be_looked_into_is_told(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", refuse)
    told = [*unwritable_folders([tmp_path / "models"])]
    assert [(problem.where, problem.found) for problem in told] == [(f"{tmp_path.name}/models", "Permission denied")]
