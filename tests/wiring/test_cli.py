"""The commands as they are typed: where they run, what they refuse, and what they must not carry away."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from kedro.framework.cli import project as kedro_project
from kedro.pipeline import Node, Pipeline

import gliocast.cli
from gliocast.cli import cli, command_line
from gliocast.hooks import ProjectHooks

PROJECT = Path(__file__).parents[2]


def typed(*arguments):
    return CliRunner().invoke(cli, arguments, obj=SimpleNamespace(project_path=PROJECT))


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


@pytest.mark.parametrize("runner", ["NoSuchRunner", "nowhere.Runner", ".Runner"])
def test_all_slips_of_a_command_end_in_one_table(runner):
    ended = typed("run", "--async", "--runner", runner, "--pipeline", "nowhere", "--env", "lokal")
    assert ended.exit_code == gliocast.cli.USERS_INPUT
    assert "4 problems" in ended.output
    assert all(said in ended.output for said in ("--runner", runner, "--pipeline", "nowhere", "--async", "lokal"))


def test_an_environment_is_looked_for_in_the_project_from_a_folder_inside_it(monkeypatch):
    monkeypatch.chdir(PROJECT / "tests")
    assert "a folder of conf/: brats2020" in typed("run", "--env", "lokal").output


def test_an_environment_that_a_variable_names_is_looked_for_like_one_of_the_command(monkeypatch):
    monkeypatch.setenv("KEDRO_ENV", "lokal")
    ended = typed("run", "--async")
    assert ended.exit_code == gliocast.cli.USERS_INPUT
    assert all(said in ended.output for said in ("the variable KEDRO_ENV", "lokal", "a folder of conf/: brats2020"))
    ended = typed("run", "--async", "--env", "local")
    assert "1 problem " in ended.output and "lokal" not in ended.output, "the command goes before the variable"


def test_parameters_that_a_runner_cannot_have_are_slips_of_a_command():
    ended = typed("run", "--runner-params", "is_async=true,workers=2")
    assert ended.exit_code == gliocast.cli.USERS_INPUT
    assert "2 problems" in ended.output
    assert all(said in ended.output for said in ("--runner-params", "'workers'", "--async"))


def test_a_pipeline_that_is_not_there_ends_in_a_table_of_those_that_are(project):
    ended = started("-m", "gliocast", "--pipelines", "baseline,hybird", folder=project.folder)
    assert ended.returncode == gliocast.cli.USERS_INPUT
    assert "hybird" in ended.stderr
    assert "audit, baseline, cnn_training, hybrid, preprocessing, simulation, tuning" in ended.stderr


@pytest.mark.parametrize("value", ["{", "[a", '"a'])
def test_a_value_that_is_no_yaml_ends_in_a_sentence(value):
    ended = typed("run", "--params", f"seed={value}")
    assert ended.exit_code == gliocast.cli.USERS_INPUT
    assert "A value of --params cannot be read" in ended.output


def test_a_run_without_a_report_says_where_its_result_lies(project):
    ended = project.run("audit", audit__n_cohorts=2, audit__n_patients=60, audit__n_new_patients=1000)
    assert ended.returncode == 0, ended.stderr
    assert f"Claimed and true: {project.path('08_reporting/table_audit.csv')}" in ended.stdout


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (["slice_montage", "hyperparameters"], "Hyperparameters: hyperparameters.json\n"),
        (["slice_montage"], "Slices: slice_montage.json\n"),
        (["cohort"], ""),
    ],
)
def test_what_a_run_was_for_is_what_it_names_at_its_end(made, said, capsys):
    catalog = {name: SimpleNamespace(filepath=f"{name}.json") for name in made}
    ProjectHooks().after_pipeline_run(Pipeline([Node(lambda: None, None, made, name="stage")]), catalog)
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("command", [["-m", "gliocast"], ["-m", "kedro", "run"]], ids=["gliocast", "kedro"])
def test_a_run_from_a_folder_inside_the_project_is_one_from_its_top(project, command):
    inside = project.folder / "notebooks"
    inside.mkdir()
    (inside / "weights").touch()  # and none at the top
    told = "--params=model.weights=weights,model.backbone=test_byobnet"
    ended = started(*command, "--pipeline", "cnn_training", told, folder=inside)
    assert ended.returncode == gliocast.cli.USERS_INPUT
    assert "weights, absent" in ended.stderr
    assert "Kedro project" not in ended.stdout, "conf/logging.yml keeps Kedro's own messages back"


def test_weights_are_fetched_into_the_project_from_a_folder_inside_it(tmp_path, monkeypatch):
    monkeypatch.setattr("gliocast.model.weights.fetch_weights", lambda backbone, folder, sha256: folder)
    ended = CliRunner().invoke(cli, ["fetch-weights"], obj=SimpleNamespace(project_path=tmp_path))
    assert ended.output == f"Fetched and verified: {tmp_path / 'data/06_models/pretrained'}\n"


def test_gliocast_as_a_module_says_where_there_is_no_project(tmp_path):
    ended = started("-m", "gliocast", folder=tmp_path)
    assert ended.returncode == gliocast.cli.USERS_INPUT
    assert "part of no project" in ended.stderr and "Traceback" not in ended.stderr
    assert "tar -xzf conf-gliocast.tar.gz" in ended.stderr, "what the wheel needs besides"


@pytest.mark.parametrize("options", [["--help"], ["--pipeline", "baseline", "--help"]])
def test_gliocast_as_a_module_shows_its_options_where_there_is_no_project_too(tmp_path, options):
    ended = started("-m", "gliocast", *options, folder=tmp_path)
    assert (ended.returncode, "Usage: python -m gliocast" in ended.stdout) == (0, True), ended.stderr
    assert "--pipeline" in ended.stdout


def test_the_installed_wheel_runs_where_its_configuration_is_unpacked(tmp_path):
    conf = PROJECT / "conf"
    shutil.copytree(conf / "base", tmp_path / "conf/base")
    (tmp_path / "conf/local").mkdir()  # empty, as `kedro package` packs it
    ended = started("-m", "gliocast", "--pipeline", "baseline", folder=tmp_path)
    assert (ended.returncode, (tmp_path / "data/08_reporting/report.html").is_file()) == (0, True), ended.stderr


@pytest.mark.parametrize(
    ("script", "python", "said"),
    [
        ("/found/kedro", "/found/python", "kedro"),
        (".venv/bin/kedro", "/work/.venv/bin/python", ".venv/bin/kedro"),
        ("/src/gliocast/__main__.py", "/found/python", "python -m gliocast"),
        ("/src/gliocast/__main__.py", "/work/.venv/bin/python", "/work/.venv/bin/python -m gliocast"),
    ],
)
def test_the_command_that_resumes_is_one_that_can_be_typed(monkeypatch, script, python, said):
    monkeypatch.setattr(sys, "argv", [script, "--seed", "1"])
    monkeypatch.setattr(sys, "executable", python)
    monkeypatch.setattr("shutil.which", lambda name: f"/found/{name}")
    assert command_line() == f"{said} --seed 1"
