from __future__ import annotations

import getpass
import json
from pathlib import Path

from gliocast.persistence.provenance import describe_run
from gliocast.types import Parameters


class Section(Parameters):
    count: int


def test_a_run_names_its_parameters_without_the_helpers():
    described = describe_run({"slices": Section(count=9), "_profiles": {}}, {})
    assert described["parameters"] == {"slices": {"count": 9}}


def test_other_parameters_have_another_fingerprint():
    first, second = (describe_run({"slices": Section(count=count)}, {}) for count in (9, 5))
    assert first["parameters_sha256"] != second["parameters_sha256"]


def test_a_run_names_no_path_and_no_user():
    written = json.dumps(describe_run({}, {"clinical_table": "abc"}))
    assert str(Path.cwd()) not in written
    assert f'"{getpass.getuser()}"' not in written
