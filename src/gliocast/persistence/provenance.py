"""Where a result comes from: versions, code, parameters, hardware; no path and no user of the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from gliocast.persistence.code import SOURCE
from gliocast.persistence.fingerprints import sha256_of_folder, sha256_of_value
from gliocast.persistence.libraries import COMPUTING, version_of

LIBRARIES = ("gliocast", "kedro", *COMPUTING)


def describe_run(parameters: Mapping[str, Any], fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """All that somebody else needs to repeat a run.

    Args:
        parameters: the whole tree of parameters in force.
        fingerprints: SHA-256 of the data that the run was made from, by catalog name.

    Returns:
        A dictionary of plain types.
    """
    program, told = program_now(), without_places(plain(parameters))
    return {
        "schema_version": 1,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": version_control() | {"sha256": program["sources"]},
        "parameters": told,
        "parameters_sha256": sha256_of_value(told),  # of all, names of patients could be found by trial
        "data": dict(fingerprints),
        "versions": program["versions"],
        "hardware": hardware(),
    }


def program_now() -> dict[str, Any]:
    """What computes now: SHA-256 of our sources, and the versions of the libraries."""
    versions = {"python": platform.python_version()} | {name: version_of(name) for name in LIBRARIES}
    return {"sources": sha256_of_folder(SOURCE), "versions": versions}


def is_of_this_program(described: Mapping[str, Any]) -> bool:
    """Whether what computes now is what a described run was made with."""
    return program_now() == {"sources": described["code"]["sha256"], "versions": described["versions"]}


def version_control() -> dict[str, Any]:
    """The commit, and whether the sources differ from it; None for what git cannot tell, or does not keep."""
    if not git("ls-files", "--", str(SOURCE)):  # installed inside somebody's own repository, or in none
        return {"commit": None, "changed": None}
    commit, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--", str(SOURCE))
    return {"commit": commit, "changed": None if commit is None or changes is None else changes != ""}


def hardware() -> dict[str, Any]:
    """Processor, cores and accelerators, without the seconds that importing torch would cost."""
    return {"processor": platform.machine(), "cores": os.cpu_count(), "gpus": gpus()}


def gpus(driver: Path = Path("/proc/driver/nvidia/gpus")) -> list[str]:
    """The names of the NVIDIA cards, as their driver gives them; empty where there is none."""
    told = (path.read_text(encoding="utf-8") for path in sorted(driver.glob("*/information")))
    lines = (line for text in told for line in text.splitlines())
    return [line.removeprefix("Model:").strip() for line in lines if line.startswith("Model:")]


def git(*arguments: str) -> str | None:
    """What git says of the sources; None where they are in no repository."""
    command = ["git", "-C", str(SOURCE), *arguments]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip()


def without_places(value: Any) -> Any:
    """Plain values, absolute paths cut to their last part: where a machine keeps a folder names its user."""
    if isinstance(value, Mapping):
        return {name: without_places(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_places(part) for part in value]
    if not isinstance(value, str):
        return value
    kind = PureWindowsPath if PureWindowsPath(value).is_absolute() else PurePosixPath
    parts = kind(value).parts
    is_place = len(parts) > 1 and (kind(value).is_absolute() or parts[0].startswith("~"))
    return f"…/{parts[-1]}" if is_place else value


def plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as plain values, without the helpers that start with an underscore."""
    import json

    from pydantic_core import to_json

    values: dict[str, Any] = json.loads(to_json(dict(parameters)))
    return {name: value for name, value in values.items() if not name.startswith("_")}
