"""A copy of the project to run in, and where the real data are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SMALL_VOLUMES = {"simulation__geometry__size_px": 64, "simulation__geometry__slices": 24,
                 "simulation__geometry__spacing_mm": 4.0, "simulation__geometry__slice_spacing_mm": 6.5}  # fmt: skip
DATA_ROOT = Path(os.environ.get("GLIOCAST_DATA", ROOT / "../shared/data")).resolve()


@dataclass(frozen=True)
class Project:
    """A copy of the project: its own configuration and data, the same sources."""

    folder: Path

    def kedro(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a Kedro command in the project, as a user would."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("kedro")), *arguments],
            cwd=self.folder,
            env={**os.environ, "GLIOCAST_DATA": str(DATA_ROOT), **environment},
            capture_output=True,
            text=True,
        )

    def run(self, pipeline: str, **parameters: object) -> subprocess.CompletedProcess[str]:
        """Run a registered pipeline with these parameters (double underscores stand for dots)."""
        said = ",".join(f"{name.replace('__', '.')}={value}" for name, value in parameters.items())
        return self.kedro("run", "--pipeline", pipeline, *(["--params", said] if said else []))

    def path(self, name: str) -> Path:
        """A path below the project's data folder."""
        return self.folder / "data" / name

    def write(self, name: str, text: str) -> None:
        """Write a file of the project, such as conf/local/catalog.yml."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def copy_of_the_project(folder: Path) -> Project:
    """The project's configuration and sources in a new folder."""
    shutil.copytree(ROOT / "conf", folder / "conf", ignore=lambda where, _: ["local"] if where.endswith("conf") else [])
    (folder / "conf" / "local").mkdir()
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (folder / "data").mkdir()
    return Project(folder)
