"""The configuration as it is shipped, for tests that are about something else."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from project_copy import ROOT


def section(name: str, file: str | None = None, profile: str = "demo") -> Any:
    """One section of conf/base, whose file is named like it unless told otherwise."""
    return deepcopy(sections(file or name, profile)[name])


@cache  # reading takes longer than many of the tests that ask
def sections(file: str, profile: str) -> Any:
    """All sections of one file, as they are kept: nobody changes them."""
    shipped = OmegaConf.load(ROOT / "conf" / "base" / f"parameters_{file}.yml")
    return OmegaConf.to_container(OmegaConf.merge(shipped, {"profile": profile}), resolve=True)
