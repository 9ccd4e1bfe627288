"""The configuration as it is shipped, for tests that are about something else."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from project_copy import ROOT


def section(name: str, file: str | None = None, profile: str = "demo") -> Any:
    """One section of conf/base, whose file is named like it unless told otherwise."""
    shipped = OmegaConf.load(ROOT / "conf" / "base" / f"parameters_{file or name}.yml")
    return OmegaConf.to_container(OmegaConf.merge(shipped, {"profile": profile}), resolve=True)[name]
