"""The commands as they are typed: where they run, what they refuse, and what they must not carry away."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from types import SimpleNamespace

from click.testing import CliRunner
from kedro.framework.cli import project as kedro_project

from gliocast.cli import cli


def started(*arguments, folder):
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True)


def test_a_package_of_the_project_holds_nothing_of_a_sites_own(project, monkeypatch):
    project.write("conf/local/pseudonym.key", "a site's secret")
    (project.folder / "dist").mkdir()
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("TAR_OPTIONS", "")
    monkeypatch.setattr(
        kedro_project, "call", lambda command, **_: command[0] == "tar" and subprocess.run(command, check=True)
    )
    named = SimpleNamespace(project_path=project.folder, package_name="gliocast")
    assert CliRunner().invoke(cli, ["package"], obj=named).exit_code == 0
    with tarfile.open(project.folder / "dist/conf-gliocast.tar.gz") as archive:
        names = archive.getnames()
    assert "conf/base/catalog.yml" in names
    assert [name for name in names if name.startswith("conf/local/")] == []
