"""`python -m gliocast`: the same as `kedro run`, without the rest of Kedro's command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn


def main() -> None:
    """Run a registered pipeline."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from kedro.framework.startup import bootstrap_project
    from kedro.utils import find_kedro_project

    from gliocast.cli import clear_endings, run

    with clear_endings():
        project = bootstrap_project(find_kedro_project(Path.cwd()) or refuse_folder())
    run(obj=project)


def refuse_folder() -> NoReturn:
    """Say that this folder is of no project.

    Raises:
        ConfigurationError: always.
    """
    from gliocast.errors import NOT_APPLICABLE, ConfigurationError, Problem

    expected, remedy = "the project's folder, or one inside it", "Go there (`cd`), and run again."
    raise ConfigurationError(Problem(NOT_APPLICABLE, "this folder", "part of no project", expected, remedy))


if __name__ == "__main__":
    main()
