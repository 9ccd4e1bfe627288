"""What several rooms' tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from project_copy import DATA_ROOT, Project, copy_of_the_project

# A busy machine is no fault: neither an example nor the drawing of all of them is timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh copy of the project, as after a clone."""
    return copy_of_the_project(tmp_path)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of the real, openly licensed data; the test skips where it is absent."""
    if not DATA_ROOT.is_dir():
        pytest.skip(f"no real data at {DATA_ROOT}; set GLIOCAST_DATA")
    return DATA_ROOT
