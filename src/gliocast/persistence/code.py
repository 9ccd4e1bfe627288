"""The fingerprint of a stage's code: its function's module and every module of ours that it imports, near or far."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from gliocast.persistence.fingerprints import sha256_of_file, sha256_of_value

PACKAGE = "gliocast"
SOURCE = Path(__file__).parents[1]


def code_fingerprint(function: Callable[..., Any]) -> str:
    """SHA-256 over the sources of all modules of ours that `function` can reach by imports."""
    return module_fingerprint(inspected(function).__module__)


def inspected(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself, below `functools.partial` and decorators."""
    while inner := getattr(function, "__wrapped__", None) or getattr(function, "func", None):
        function = inner
    return function


@cache
def module_fingerprint(module: str) -> str:
    """SHA-256 over the sources of `module` and of all modules of ours that it imports."""
    return sha256_of_value([[name, sha256_of_file(source_of(name))] for name in sorted(closure(module))])


def closure(module: str) -> set[str]:
    """`module` and every module of ours reachable from it by imports, also by those inside functions."""
    found, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(imports_of(name))
    return found


@cache
def imports_of(module: str) -> frozenset[str]:
    """The modules of ours that `module` imports, read from its source."""
    tree = ast.parse(source_of(module).read_text(encoding="utf-8"))
    return frozenset(name for node in ast.walk(tree) for name in imported(node) if is_ours(name))


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
