from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from gliocast.datasets.study import StudyDataset
from gliocast.datasets.workspace import StageRecordsDataset
from gliocast.errors import ArtefactError, ConfigurationError
from gliocast.hooks import refuse_unusable_study
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


def a_start(folder: Path, url: str | None = None, trials: int = 3, image_score: str = "cnn") -> None:
    """What a run that is to search looks at before it begins."""
    tuning = configured("demo").model_copy(update={"trials": trials})
    known = {"params:tuning": MemoryDataset(tuning), "params:image_score": MemoryDataset(image_score)}
    study = StudyDataset(str(folder / "study.log"), **({"credentials": {"url": url}} if url else {}))
    catalog = DataCatalog({**known, "tuning_study": study, "stage_records": StageRecordsDataset(str(folder / "none"))})
    search = Node(lambda given: given, "tuning_study", "hyperparameters", name="search")
    refuse_unusable_study(Pipeline([search]), catalog)


def test_a_database_that_does_not_answer_is_told_before_slices_are_made_for_the_search(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/absent/study.db?timeout=1"
    with pytest.raises(ConfigurationError, match=r"tuning_study: url: .*OperationalError.* a database that answers"):
        a_start(tmp_path, url)
    a_start(tmp_path, url, trials=0)
    a_start(tmp_path, url, image_score="none")


def test_a_damaged_journal_is_told_before_slices_are_made_for_the_search(tmp_path: Path):
    (tmp_path / "study.log").write_text("no entry\n" * 2)
    with pytest.raises(ArtefactError, match="line 1 of its journal"):
        a_start(tmp_path)


def test_a_look_makes_no_journal(tmp_path: Path):
    a_start(tmp_path)
    assert not [*tmp_path.iterdir()]


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
