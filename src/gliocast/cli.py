"""The commands that gliocast adds to Kedro's: `kedro run` with reuse and clear endings, and `kedro fetch-weights`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli import project as kedro_project

from gliocast.errors import NOT_APPLICABLE, ConfigurationError, InputError, Problem, listed, raise_if_any
from gliocast.refusals import users_error

RUNNER = "gliocast.runner.ReusingRunner"
# The options that ask for a part of a pipeline, and what Kedro calls them there.
PARTS = {name: name for name in ("tags", "from_nodes", "to_nodes", "node_names", "from_inputs", "to_outputs")}
PARTS["namespaces"] = "node_namespaces"
PRETRAINED = "data/06_models/pretrained"
_kedro_run: Any = kedro_project.run.callback
USERS_INPUT, INTERRUPTED = 2, 130  # an error of ours ends with 1, as Python does
UNBROKEN = 1000


@click.group(name="gliocast")
def cli() -> None:
    """The commands of gliocast."""


class RunCommand(click.Command):
    """Kedro's command, which reads values as YAML and lets YAML's own complaints through."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Read the command line."""
        from yaml import MarkedYAMLError

        try:
            return super().make_context(*arguments, **options)
        except MarkedYAMLError as error:
            raise click.UsageError(f"A value of --params cannot be read ({error.problem}). Put it in quotes.") from None


@cli.command(cls=RunCommand, params=kedro_project.run.params)
@click.pass_obj
def run(project: Any, /, **options: Any) -> None:
    """Run a pipeline; finished stages whose data, parameters and code are unchanged are reused."""
    if pipeline := options.pop("pipeline"):
        options["pipelines"] = [pipeline, *options["pipelines"]]
    options["runner"] = options["runner"] or RUNNER
    with clear_endings():
        work_in(project.project_path)
        raise_if_any([*command_problems(options)], ConfigurationError)
        _kedro_run(pipeline=None, **(with_what_comes_before(options) if options["runner"] == RUNNER else options))


@cli.command()
@click.pass_context
def package(context: click.Context) -> None:
    """Package the project as a wheel and an archive of its configuration, without anything from conf/local."""
    # Kedro leaves out the YAML files of conf/local alone; the key for pseudonyms lies there too. GNU tar reads this.
    os.environ["TAR_OPTIONS"] = "--exclude=conf/local/*"
    context.invoke(kedro_project.package)


@cli.command("fetch-weights")
@click.option("--backbone", default="resnet51q", show_default=True, help="Name of the timm model.")
@click.option("--folder", default=None, help=f"Where to put the file; else {PRETRAINED} of the project.")
@click.option("--sha256", default=None, help="The digest that the published file must have; else the one recorded.")
@click.pass_obj
def fetch_weights(project: Any, backbone: str, folder: str | None, sha256: str | None) -> None:
    """Fetch pretrained weights once, for sites without a network; verified by SHA-256."""
    from gliocast.model.weights import fetch_weights as fetch

    with clear_endings():
        place = Path(folder) if folder else project.project_path / PRETRAINED
        click.echo(f"Fetched and verified: {fetch(backbone, place, sha256)}")


def work_in(project: Path) -> None:
    """Go to the project's folder: conf/ names places as seen from there, and Kedro seeks conf/logging.yml here."""
    import yaml
    from kedro.framework.project import LOGGING

    if Path.cwd() == project:
        return
    os.chdir(project)
    configured = Path("conf/logging.yml")
    if configured.is_file() and "KEDRO_LOGGING_CONFIG" not in os.environ:
        LOGGING.configure(yaml.safe_load(configured.read_text(encoding="utf-8")))


@contextmanager
def clear_endings() -> Iterator[None]:
    """End with the exit code of the contract: 2 and one table for the user's input, 130 and how to resume, 1 for us."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # how batch systems and containers say Ctrl-C
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"Interrupted. Finished stages and checkpoints are kept; resume with: {command_line()}", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if (wrong := users_error(error)) is None:
            raise
        click.echo(problem_table(wrong), err=True)
        sys.exit(USERS_INPUT)
    finally:
        signal.signal(signal.SIGTERM, before)


def command_problems(options: Mapping[str, Any]) -> Iterator[Problem]:
    """Pipelines, an environment, a runner or its parameters that do not exist, and --async: it ends a run early."""
    from inspect import signature

    from kedro.framework.project import pipelines
    from kedro.utils import load_obj

    runner, given = options["runner"], options["runner_params"]
    try:
        signature(load_obj(runner, "kedro.runner")).bind(**given)
    except (ImportError, AttributeError, ValueError):
        expected = "SequentialRunner, ThreadRunner, ParallelRunner, or a runner by its full name"
        remedy = "Correct it; without it, finished stages are reused."
        yield Problem(NOT_APPLICABLE, "--runner", runner, expected, remedy)
    except TypeError as error:
        yield Problem(NOT_APPLICABLE, "--runner-params", str(error), "what the runner takes", "Correct it.")
    for name in (name for name in options["pipelines"] if name not in pipelines):
        known = listed(sorted(set(pipelines) - {"__default__"}))
        remedy = "Correct it; docs/reference/commands.md says what there is."
        yield Problem(NOT_APPLICABLE, "--pipeline", name, known, remedy)
    conf = Path(options["conf_source"] or "conf")
    env, where = options["env"] or os.environ.get("KEDRO_ENV"), "--env" if options["env"] else "the variable KEDRO_ENV"
    if env and conf.is_dir() and not (conf / env).is_dir():
        known = listed(sorted(folder.name for folder in conf.glob("*/") if folder.name != "base"))
        yield Problem(NOT_APPLICABLE, where, env, f"a folder of conf/: {known}", "Correct it, or make it.")
    if options["is_async"] or given.get("is_async"):
        expected, remedy = "a run without it: stages are saved patient by patient", "Leave it out."
        yield Problem(NOT_APPLICABLE, "--async", "given", expected, remedy)


def with_what_comes_before(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a run of a part of its pipelines, widened by what the part is made from: stale, it runs."""
    from kedro.framework.project import pipelines
    from kedro.pipeline import Pipeline

    asked_for = {argument: options[name] for name, argument in PARTS.items() if options[name]}
    if not asked_for:
        return dict(options)
    part = sum((pipelines[name] for name in options["pipelines"] or ["__default__"]), Pipeline([])).filter(**asked_for)
    return {**options, **dict.fromkeys(PARTS, ()), "to_nodes": [node.name for node in part.nodes]}


def problem_table(error: InputError) -> str:
    """All problems as one table: who, where, found, expected, what to do."""
    from io import StringIO

    from rich.console import Console
    from rich.table import Table

    table = Table(title=error.headline(), title_justify="left")
    for header in ("patient", "where", "found", "expected", "do this"):
        table.add_column(header, overflow="fold")
    for problem in error.problems:
        table.add_row(problem.patient, problem.where, problem.found, problem.expected, problem.remedy)
    text = StringIO()
    width = None if sys.stderr.isatty() else UNBROKEN  # in a log file a path must be found as a whole
    Console(file=text, width=width, markup=False).print(table)
    return text.getvalue()


def command_line() -> str:
    """The command that the user typed; the program by its name only where that is enough to find it."""
    import shlex
    import shutil

    is_module = Path(sys.argv[0]).name == "__main__.py"
    program = sys.executable if is_module else sys.argv[0]
    name = Path(program).name
    typed = name if shutil.which(name) == program else program
    return shlex.join([typed, *(["-m", "gliocast"] if is_module else []), *sys.argv[1:]])
