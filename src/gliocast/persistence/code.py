"""The fingerprint of a stage's code: all modules of ours that it imports, near or far, and the libraries they call."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from gliocast.persistence.fingerprints import sha256_of_file, sha256_of_value
from gliocast.persistence.libraries import COMPUTING, module_of, version_of

PACKAGE = "gliocast"
SOURCE = Path(__file__).parents[1]


def code_fingerprint(function: Callable[..., Any]) -> str:
    """SHA-256 over all modules of ours that `function` can reach by imports, and the versions of their libraries."""
    return module_fingerprint(inspected(function).__module__)


def class_fingerprint(kind: type) -> str:
    """The same for a class, such as a dataset's: of its module, and of those of the classes of ours below it."""
    modules = {base.__module__ for base in kind.__mro__}
    return sha256_of_value([module_fingerprint(module) for module in sorted(modules) if is_ours(module)])


def inspected(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself, below `functools.partial`; a decorator leaves it the name of its module."""
    while inner := getattr(function, "func", None):
        function = inner
    return function


@cache
def module_fingerprint(module: str) -> str:
    """SHA-256 over `module`, the modules of ours that it imports, what lies beside them, and their libraries."""
    modules = sorted(closure(module))
    files = sorted({file for name in modules for file in (source_of(name), *beside(name))})
    sources = [[file.relative_to(SOURCE).as_posix(), sha256_of_file(file)] for file in files]
    return sha256_of_value([sources, [[library, version_of(library)] for library in libraries_of(modules)]])


def beside(module: str) -> Iterator[Path]:
    """What lies in a module's folder and is no code, such as the report's style."""
    return (path for path in source_of(module).parent.glob("[!.]*") if path.is_file() and path.suffix != ".py")


def closure(module: str) -> set[str]:
    """`module` and every module of ours reachable from it by imports, also by those inside functions."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(imports_of(name))
    return found


def imports_of(module: str) -> frozenset[str]:
    """The modules of ours that `module` imports."""
    return frozenset(name for name in names_imported_by(module) if is_ours(name))


def libraries_of(modules: Iterable[str]) -> list[str]:
    """The libraries that compute and that one of these modules imports."""
    roots = {name.split(".")[0] for module in modules for name in names_imported_by(module)}
    return [library for library in COMPUTING if module_of(library) in roots]


@cache
def names_imported_by(module: str) -> frozenset[str]:
    """All that `module` may import, ours and others', read from its source."""
    tree = ast.parse(source_of(module).read_text(encoding="utf-8"))
    return frozenset(name for node in ast.walk(tree) for name in imported(node))


def imported(node: ast.AST) -> Iterator[str]:
    """The module names that one import statement may load."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_ours(name: str) -> bool:
    """Whether `name` is a module of this package, and not an object inside one."""
    return name.split(".")[0] == PACKAGE and source_of(name).is_file()


def source_of(module: str) -> Path:
    """The source file of a module of ours."""
    path = SOURCE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
