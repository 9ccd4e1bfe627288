from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gliocast.datasets.study import StudyDataset
from gliocast.tuning.parameters import TuningParameters
from shipped import section


def configured(profile: str) -> TuningParameters:
    return TuningParameters.model_validate(section("tuning", profile=profile))


def test_the_paper_profile_searches_what_the_paper_searched():
    paper = configured("paper")
    ranges = paper.ranges
    assert paper.trials == 50
    assert (ranges.learning_rate.low, ranges.learning_rate.high, ranges.learning_rate.log) == (1e-7, 1e-2, True)
    assert (ranges.weight_decay.low, ranges.weight_decay.high, ranges.weight_decay.log) == (1e-6, 1e-2, True)
    assert (ranges.dropout.low, ranges.dropout.high, ranges.dropout.log) == (0.1, 0.5, False)


def test_the_demo_profile_is_short():
    demo = configured("demo")
    assert 0 < demo.trials <= 4
    assert demo.try_configured


def test_the_journal_is_a_handle_that_touches_no_disk(tmp_path: Path):
    storage = StudyDataset(str(tmp_path / "folder" / "study.log")).load()
    assert not (tmp_path / "folder").exists()
    assert str(storage) == "study.log"


@pytest.mark.parametrize("show", [repr, str, lambda dataset: repr(dataset.load()), lambda dataset: str(dataset.load())])
def test_a_database_shows_neither_password_nor_host(show: Any):
    url = "postgresql+psycopg://someone:s3cret@db.hospital.example/tuning"
    shown = show(StudyDataset("study.log", credentials={"url": url}))
    assert "database tuning" in shown
    assert not any(secret in shown for secret in ("s3cret", "someone", "hospital"))
