"""`python -m gliocast`: the same as `kedro run`, without the rest of Kedro's command line."""

from __future__ import annotations

import os
from pathlib import Path


def main() -> None:
    """Run a registered pipeline."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(Path.cwd())
    from gliocast.cli import run

    run()


if __name__ == "__main__":
    main()
