"""Does gliocast start as fast as Kedro itself, and how long until a user sees the first results?

The peer is the smallest Kedro project there can be: one node that does nothing. Both take turns, each command in a
process of its own, as a user starts it; medians without the first turn, which compiles. The baseline starts each time
from the raw data alone.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from project_copy import copy_of_the_project

KEDRO = str(Path(sys.executable).with_name("kedro"))
ROUNDS = 5
START_RATIO, BASELINE_S = 1.2, 4.0  # targets

PYPROJECT = """
[tool.kedro]
package_name = "empty"
project_name = "empty"
kedro_init_version = "{version}"
"""
REGISTRY = """
from kedro.pipeline import node, pipeline


def nothing():
    return 0


def register_pipelines():
    return {"__default__": pipeline([node(nothing, None, "nothing")])}
"""


def main() -> int:
    """Print one JSON line a figure."""
    with TemporaryDirectory() as folder:
        empty, ours = empty_project(Path(folder) / "empty"), copy_of_the_project(Path(folder) / "ours").folder
        compare_starts(empty, ours)
        timed(ours, "run", "--pipeline", "baseline")  # simulates the raw data
        baseline = [baseline_seconds(ours) for _ in range(3)]
        figure = {"first_run_s": round(statistics.median(baseline), 2), "target_s": BASELINE_S}
        print(json.dumps({"benchmark": "command line", "command": "run --pipeline baseline"} | figure), flush=True)
    return 0


def compare_starts(empty: Path, ours: Path) -> None:
    """`kedro registry list` in both projects, and the empty project's only run."""
    commands = {
        "registry list, empty project": (empty, "registry", "list"),
        "registry list, gliocast": (ours, "registry", "list"),
        "run, empty project": (empty, "run"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(ROUNDS + 1):
        for name, (project, *arguments) in commands.items():
            taken = timed(project, *arguments)
            if turn:
                seconds[name].append(taken)
    median = {name: statistics.median(taken) for name, taken in seconds.items()}
    for name, taken in median.items():
        print(json.dumps({"benchmark": "command line", "command": name, "seconds": round(taken, 2)}), flush=True)
    ratio = median["registry list, gliocast"] / median["registry list, empty project"]
    print(json.dumps({"benchmark": "command line", "ratio": round(ratio, 2), "target_ratio": START_RATIO}), flush=True)


def baseline_seconds(project: Path) -> float:
    """`kedro run --pipeline baseline` on raw data that are there, as a hospital's are; nothing of an earlier run."""
    for folder in (project / "data").iterdir():
        if folder.name not in ("01_raw", ".stages"):
            shutil.rmtree(folder)
    for stage in (project / "data" / ".stages").glob("*.json"):
        if stage.stem not in ("describe_truth", "simulate_patients", "tabulate_patients"):
            stage.unlink()
    return timed(project, "run", "--pipeline", "baseline")


def timed(project: Path, *arguments: str) -> float:
    """Seconds of one Kedro command; a failing command ends the benchmark."""
    begun = time.perf_counter()
    environment = {**os.environ, "DO_NOT_TRACK": "1"}
    subprocess.run([KEDRO, *arguments], cwd=project, env=environment, check=True, capture_output=True)
    return time.perf_counter() - begun


def empty_project(folder: Path) -> Path:
    """The smallest project that Kedro runs."""
    from importlib.metadata import version

    package = folder / "src" / "empty"
    package.mkdir(parents=True)
    for environment in ("base", "local"):
        (folder / "conf" / environment).mkdir(parents=True)
        (folder / "conf" / environment / "catalog.yml").touch()
    (folder / "pyproject.toml").write_text(PYPROJECT.format(version=version("kedro")), encoding="utf-8")
    (folder / ".telemetry").write_text("consent: false\n", encoding="utf-8")
    for name, text in {"__init__": "", "settings": "", "pipeline_registry": REGISTRY}.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


if __name__ == "__main__":
    sys.exit(main())
