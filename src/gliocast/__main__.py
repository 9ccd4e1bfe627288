"""`python -m gliocast`: the same as `kedro run`, without the rest of Kedro's command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace


def main() -> None:
    """Run a registered pipeline."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from kedro.framework.startup import bootstrap_project
    from kedro.utils import find_kedro_project

    from gliocast.cli import clear_endings, run

    if "--help" in sys.argv[1:]:
        run(["--help"])  # ends here, and needs no project
    with clear_endings():
        folder = find_kedro_project(Path.cwd())
        project = bootstrap_project(folder) if folder else project_of_the_wheel(Path.cwd())
    run(obj=project)


def project_of_the_wheel(folder: Path) -> SimpleNamespace:
    """A folder with the unpacked configuration is all that the installed wheel needs of a project.

    Raises:
        ConfigurationError: there is none.
    """
    from kedro.framework.project import configure_project

    from gliocast.errors import NOT_APPLICABLE, ConfigurationError, Problem

    if not (folder / "conf" / "base").is_dir():
        expected = "the project's folder, or one inside it; of the installed wheel alone, a folder with its `conf`"
        remedy = (
            "Go there (`cd`), and run again. For the wheel, unpack the archive that `kedro package` writes beside it: "
            "`tar -xzf conf-gliocast.tar.gz`."
        )
        raise ConfigurationError(Problem(NOT_APPLICABLE, "this folder", "part of no project", expected, remedy))
    configure_project("gliocast")
    return SimpleNamespace(project_path=folder)


if __name__ == "__main__":
    main()
