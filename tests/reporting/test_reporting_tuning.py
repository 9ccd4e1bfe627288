"""What tuning has found, in the report."""

from __future__ import annotations

import re

from report_samples import a_flow, a_provenance, only_the_baseline, the_paper

from gliocast.reporting.page import build_report

FACTS = {"learning_rate": 1e-3, "source": "tuned", "study_name": "gliocast-1", "repairs": []}


def shown(hyperparameters: dict[str, object]) -> str:
    exhibits = {"hyperparameters": hyperparameters}
    return build_report(only_the_baseline(), a_flow(), a_provenance(), exhibits, the_paper())


def test_hyperparameters_of_several_splits_are_a_table_with_one_row_a_split() -> None:
    splits = {"repeat1_fold1": {**FACTS, "split": "repeat1_fold1"}, "repeat1_fold2": {**FACTS, "learning_rate": 2e-4}}
    page = shown({"source": "tuned", "splits": splits})
    (table,) = re.findall(r'aria-label="Hyperparameters in use">(.*?)</table>', page, flags=re.DOTALL)
    assert re.findall(r'<th scope="col"[^>]*>([^<]*)<', table) == ["Split", "Learning rate"]
    assert re.findall(r'<th scope="row">([^<]*)<', table) == ["repeat1 fold1", "repeat1 fold2"]
    assert re.findall(r'<td class="number">([^<]*)<', table) == ["0.001", "0.0002"]


def test_the_value_of_the_best_trial_is_said_to_be_no_result() -> None:
    page = shown({**FACTS, "measure": "auc", "best_value": 1.0})
    assert "<dt>Best value</dt><dd>1</dd>" in page
    assert "no result: the patients who judge a trial have chosen its epoch" in page


def test_hyperparameters_of_one_split_are_facts() -> None:
    page = shown(FACTS)
    assert "<dt>Learning rate</dt><dd>0.001</dd>" in page
    assert "gliocast-1" not in page
