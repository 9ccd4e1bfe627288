from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

TUTORIAL = Path(__file__).parents[2] / "notebooks" / "tutorial.ipynb"


@pytest.fixture(scope="module")
def executed() -> nbformat.NotebookNode:
    from nbclient import NotebookClient

    notebook = nbformat.read(TUTORIAL, as_version=4)
    NotebookClient(
        notebook, timeout=180, kernel_name="python3", resources={"metadata": {"path": TUTORIAL.parent}}
    ).execute()
    return notebook


def results(notebook: nbformat.NotebookNode) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [output["data"]["text/plain"] for output in outputs if "text/plain" in output.get("data", {})]
    return [re.sub(r"\x1b\[[0-9;]*m", "", text).replace("np.float64", "") for text in texts]


def test_the_tutorial_is_stored_without_outputs() -> None:
    notebook = nbformat.read(TUTORIAL, as_version=4)
    assert all(cell.get("outputs", []) == [] and cell.get("execution_count") is None for cell in notebook.cells)


def test_the_tutorial_shows_the_papers_table_2(executed: nbformat.NotebookNode) -> None:
    rule = next(eval(text) for text in results(executed) if "'sensitivity'" in text)
    assert (rule["tp"], rule["fp"], rule["fn"], rule["tn"]) == (71, 35, 18, 51)


def test_the_tutorial_shows_that_noise_claims_what_it_cannot_keep(executed: nbformat.NotebookNode) -> None:
    shown = eval(results(executed)[-1])
    claimed, true, honest = shown.values()
    assert claimed > 0.8
    assert true < honest < claimed
