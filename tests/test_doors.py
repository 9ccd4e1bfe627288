"""The doors between the rooms stay shut: who imports whom is read from the sources."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Set
from functools import cache
from pathlib import Path

import pytest

from gliocast.persistence.code import SOURCE, imported, is_ours

HEAVY = {"torch", "timm", "torchvision", "xgboost", "sklearn", "statsmodels", "plotly", "SimpleITK", "skimage", "shap",
         "captum", "sksurv", "optuna", "scipy", "pydicom", "highdicom", "skops"}  # fmt: skip
SHARED = {"errors", "types", "progress", "processes"}
MAY_IMPORT = {
    "cohort": SHARED,
    "imaging": SHARED,
    "evidence": SHARED,
    "model": SHARED | {"persistence"},
    "persistence": SHARED,
    "tuning": SHARED | {"model"},
    "hybrid": SHARED | {"evidence"},
    "reporting": SHARED | {"evidence", "cohort"},
}
WITHOUT_TORCH = ("cohort", "imaging", "evidence")
A_TORCH_MODULE_IS_A_CLASS = {"model/attention.py"}  # and such a file is itself imported where it is used
MODULES = sorted(SOURCE.rglob("*.py"))


def module_name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache  # every door asks for every module's
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def all_imports(path: Path) -> frozenset[str]:
    return frozenset(name for node in ast.walk(parsed(path)) for name in imported(node))


def imports_at_the_top(path: Path) -> set[str]:
    return {name for node in parsed(path).body for name in imported(node)}


def roots(names: Set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def rooms_entered(path: Path) -> set[str]:
    ours = {name.split(".")[1] for name in all_imports(path) if "." in name and is_ours(name)}
    return ours - {room_of(path)}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_room_enters_only_the_rooms_it_may(path):
    room = room_of(path)
    if room in MAY_IMPORT:
        assert rooms_entered(path) <= MAY_IMPORT[room]


@pytest.mark.parametrize("name", ["errors.py", "types.py", "progress.py", "processes.py"])
def test_the_shared_words_import_nothing_of_ours(name):
    assert not rooms_entered(SOURCE / name)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_kedro_stays_in_the_wiring_the_datasets_and_the_graphs(path):
    wiring = path.parent == SOURCE or room_of(path) == "datasets"
    graph = room_of(path) == "pipelines" and path.name in ("pipeline.py", "__init__.py")
    if not (wiring or graph):
        assert not {"kedro", "kedro_datasets"} & roots(all_imports(path))


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_heavy_libraries_are_imported_where_they_are_used(path):
    if module_name(path) not in A_TORCH_MODULE_IS_A_CLASS:
        assert not HEAVY & roots(imports_at_the_top(path))


def test_the_command_line_loads_no_heavy_library():
    script = (
        "import sys; import gliocast.settings, gliocast.cli;"
        "from gliocast.pipeline_registry import register_pipelines; register_pipelines();"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path) in WITHOUT_TORCH], ids=module_name)
def test_the_leaves_know_no_torch(path):
    assert not {"torch", "timm"} & roots(all_imports(path))


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path) == "pipelines"], ids=module_name)
def test_pipelines_meet_at_catalog_names_only(path):
    own = path.relative_to(SOURCE).parts[1]
    entered = {name.split(".")[2] for name in all_imports(path) if name.startswith("gliocast.pipelines.")}
    assert entered <= {own}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_processes_are_asked_for_where_they_are_made_to_end_with_their_run(path):
    assert "joblib" not in roots(all_imports(path)) or module_name(path) == "processes.py"


UNSAFE_CALLS = {"eval", "exec", "compile", "print"}
UNSAFE_NAMES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_nothing_is_loaded_that_could_run_code(path):
    calls = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
    named = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
    dotted = {ast.unparse(call.func) for call in calls}
    keywords = {(key.arg, ast.unparse(key.value)) for call in calls for key in call.keywords}
    assert not named & UNSAFE_CALLS
    assert not roots(all_imports(path)) & UNSAFE_NAMES
    assert not dotted & {"joblib.load", "yaml.load", "pd.read_pickle", "torch.save"}
    assert not keywords & {("allow_pickle", "True"), ("weights_only", "False"), ("shell", "True")}
    assert all(("weights_only", "True") in {(key.arg, ast.unparse(key.value)) for key in call.keywords}
               for call in calls if ast.unparse(call.func) == "torch.load")  # fmt: skip


def test_every_module_is_annotated_for_the_future():
    missing = [
        module_name(path)
        for path in MODULES
        if path.read_text().strip() and "def " in path.read_text() and "from __future__" not in path.read_text()
    ]
    assert not missing
