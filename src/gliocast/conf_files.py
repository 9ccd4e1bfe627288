"""A site's configuration files as they were typed: what is no YAML, stands twice or has a wrong shape, by its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from glob import has_magic
from pathlib import Path
from typing import Any, get_origin

from gliocast.errors import NOT_APPLICABLE, ConfigurationError, Problem, raise_if_any
from gliocast.parameters import GliocastParameters, is_model

KINDS = ("catalog", "parameters", "globals", "credentials")
SHAPES = {"mapping": "a section", "sequence": "a list", "scalar": "a value"}
A_SECTION, A_LIST = "a section of `name: value` lines", "a list"


def refuse_faulty_files(config_loader: Any) -> None:
    """Refuse files of the run's environment that Kedro could not find, read or merge, before it tries.

    Raises:
        ConfigurationError: all of their problems at once, each with file and line.
    """
    if has_magic(str(config_loader.conf_source)):  # Kedro seeks them by a pattern that begins with it
        found, expected = str(Path(config_loader.conf_source).parent), "a path without *, ? and ["
        remedy = "Rename the folder, or move the project."
        raise ConfigurationError(Problem(NOT_APPLICABLE, "the project's folder", found, expected, remedy))
    paths = files_of_the_run(config_loader, *KINDS)
    raise_if_any([problem for path in paths for problem in file_problems(path)], ConfigurationError)


def files_of_the_run(config_loader: Any, *kinds: str) -> list[Path]:
    """The files of these kinds in the run's own environment."""
    folder = Path(config_loader.conf_source) / (config_loader.env or config_loader.default_run_env)
    return sorted({path for kind in kinds for path in folder.rglob(f"{kind}*.y*ml") if path.is_file()})


def located(problems: Iterable[Problem], config_loader: Any) -> list[Problem]:
    """Problems of merged parameters, each with what has set it: a line of the run's own files, or `--params`."""
    import yaml

    places: dict[str, str] = {}
    for path in files_of_the_run(config_loader, "parameters"):
        places |= set_by(yaml.compose(path.read_bytes(), Loader=yaml.SafeLoader), named(path))
    typed = yaml.representer.SafeRepresenter().represent_data(config_loader.runtime_params or {})
    places |= set_by(typed, "--params")
    return [
        replace(problem, where=f"{places[problem.where]}: {problem.where}") if problem.where in places else problem
        for problem in problems
    ]


def set_by(node: Any, where: str, prefix: str = "") -> dict[str, str]:
    """The dotted name of everything that a file sets, with the line where it does."""
    if node is None or node.id == "scalar":
        return {}
    if node.id == "mapping":
        items = [(key.value, key.start_mark, value) for key, value in node.value]
    else:
        items = [(place, value.start_mark, value) for place, value in enumerate(node.value)]
    places: dict[str, str] = {}
    for name, mark, value in items:
        places |= {f"{prefix}{name}": at(where, mark)} | set_by(value, where, f"{prefix}{name}.")
    return places


def named(path: Path) -> str:
    """A file of the configuration as a reader knows it."""
    return f"conf/{path.parent.name}/{path.name}"


def file_problems(path: Path) -> Iterator[Problem]:
    """All that is wrong with the shape of one file."""
    import yaml

    where = named(path)
    try:
        root = yaml.compose(path.read_bytes().decode("utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        yield Problem(NOT_APPLICABLE, where, f"not utf-8 (byte {error.start})", "text encoded as utf-8", "Save it so.")
    except yaml.MarkedYAMLError as error:
        remedy = "Correct the line, or the one before; blocks are indented by blanks, not by tabs."
        yield Problem(NOT_APPLICABLE, at(where, error.problem_mark), f"{error.problem}", "valid YAML", remedy)
    except yaml.YAMLError as error:
        yield Problem(NOT_APPLICABLE, where, str(error).splitlines()[0], "valid YAML", "Correct the file.")
    else:
        yield from shape_problems(root, where, path.name)


def shape_problems(root: Any, where: str, name: str) -> Iterator[Problem]:
    """What stands twice, and what has another shape than its place asks for."""
    if root is None:
        return
    if root.id != "mapping":
        yield misshapen(root, where, A_SECTION)
        return
    yield from repeated_names(root, where, set())
    if name.startswith("catalog"):
        yield from misshapen_entries(root, where)
    elif name.startswith("parameters"):
        yield from misshapen_parameters(root, where, GliocastParameters, "")


def repeated_names(node: Any, where: str, seen: set[int], told: bool = True) -> Iterator[Problem]:
    """Every name that stands twice in one section, however deep; a word of `cohort.values` by its line alone."""
    if node.id == "scalar" or id(node) in seen:
        return
    seen.add(id(node))
    lines: dict[str, int] = {}
    for key, value in node.value if node.id == "mapping" else [(None, item) for item in node.value]:
        if key is not None and key.id == "scalar" and key.value in lines:
            found, remedy = f"a second time (first in line {lines[key.value]})", "Put both into one."
            place = at(where, key.start_mark, key.value if told else "")
            yield Problem(NOT_APPLICABLE, place, found, "each name once", remedy)
        elif key is not None and key.id == "scalar":
            lines[key.value] = key.start_mark.line + 1
        yield from repeated_names(value, where, seen, told and (key is None or key.value != "values"))


def misshapen_entries(root: Any, where: str) -> Iterator[Problem]:
    """Every entry of a catalog that is no section; names that begin with `_` are a site's own."""
    for key, value in root.value:
        if value.id != "mapping" and not str(key.value).startswith("_"):
            yield misshapen(value, where, "an entry with `type` and `filepath`", key)


def misshapen_parameters(node: Any, where: str, section: Any, prefix: str) -> Iterator[Problem]:
    """Every list where a section is wanted, and the reverse; values are checked when all files are merged."""
    for key, value in node.value:
        field = section.model_fields.get(key.value) if key.id == "scalar" else None
        if field is None or refers(value):
            continue
        wanted = "mapping" if is_model(field.annotation) or get_origin(field.annotation) is dict else "other"
        if wanted == "mapping" and value.id != "mapping":
            yield misshapen(value, where, A_SECTION, key, prefix)
        elif value.id == "mapping" and get_origin(field.annotation) is tuple:
            yield misshapen(value, where, A_LIST, key, prefix)
        elif value.id == "mapping" and is_model(field.annotation):
            yield from misshapen_parameters(value, where, field.annotation, f"{prefix}{key.value}.")


def refers(node: Any) -> bool:
    """Whether a value stands elsewhere: `${…}`."""
    return node.id == "scalar" and str(node.value).startswith("${")


def misshapen(node: Any, where: str, expected: str, key: Any = None, prefix: str = "") -> Problem:
    """The problem of something that has another shape than its place asks for."""
    mark, name = (node.start_mark, "") if key is None else (key.start_mark, f"{prefix}{key.value}")
    found = "nothing" if node.id == "scalar" and not node.value else SHAPES[node.id]
    remedy = "Correct it; docs/reference has every parameter and every entry."
    return Problem(NOT_APPLICABLE, at(where, mark, name), found, expected, remedy)


def at(where: str, mark: Any, name: str = "") -> str:
    """The file with the line, and the name that stands there."""
    line = where if mark is None else f"{where}, line {mark.line + 1}"
    return f"{line}: {name}" if name else line
