"""A site's own configuration files: a slip in them is told with its file and its line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader

from gliocast.conf_files import located, refuse_faulty_files
from gliocast.datasets.clinical_table import ClinicalTableDataset
from gliocast.datasets.imaging import ImagingDataset, refuse_single_values
from gliocast.errors import ConfigurationError, Problem

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture
def problems_in(tmp_path):
    """The problems of files of conf/local."""

    def told(**files: str | bytes) -> list[Problem]:
        (tmp_path / "local").mkdir(exist_ok=True)
        for name, content in files.items():
            text = content.encode() if isinstance(content, str) else content
            (tmp_path / "local" / f"{name}.yml").write_bytes(text)
        loader = OmegaConfigLoader(str(tmp_path), base_env="base", default_run_env="local")
        with pytest.raises(ConfigurationError) as error:
            refuse_faulty_files(loader)
        return list(error.value.problems)

    return told


@pytest.mark.parametrize(
    ("text", "where", "found", "expected"),
    [
        ("- a\n", "line 1", "a list", "a section of `name: value` lines"),
        ("hello\n", "line 1", "a value", "a section of `name: value` lines"),
        ('seed: 1\ncohort:\n  - separator: ";"\n', "line 2: cohort", "a list", "a section of `name: value` lines"),
        ("cohort:\n  columns: [a]\n", "line 2: cohort.columns", "a list", "a section of `name: value` lines"),
        ("slices:\n", "line 1: slices", "nothing", "a section of `name: value` lines"),
        ("cohort:\n  keep: {column: a}\n", "line 2: cohort.keep", "a section", "a list"),
        ("cohort: {}\nseed: 1\ncohort: {}\n", "line 3: cohort", "a second time (first in line 1)", "each name once"),
        (
            "cohort: {values: {patient_id: {Jean Dupont: A,\n Jean Dupont: B}}}\n",
            "line 2",  # and not whom it names
            "a second time (first in line 1)",
            "each name once",
        ),
        ("cohort:\n\tdecimal: x\n", "line 2", "found character '\\t' that cannot start any token", "valid YAML"),
    ],
)
def test_a_slip_in_the_parameters_is_told_with_its_line(problems_in, text, where, found, expected):
    (problem,) = problems_in(parameters=text)
    assert problem.where == f"conf/local/parameters.yml, {where}"
    assert (problem.found, problem.expected) == (found, expected)


@pytest.fixture
def places_in(tmp_path):
    """Where problems of parameters are said to lie, after a file of conf/local and the command's own parameters."""

    def told(text: str, params: dict[str, Any], *names: str) -> list[str]:
        (tmp_path / "local").mkdir()
        (tmp_path / "local" / "parameters.yml").write_text(text, encoding="utf-8")
        loader = OmegaConfigLoader(str(tmp_path), base_env="base", default_run_env="local", runtime_params=params)
        problems = [Problem("–", name, "found", "expected", "remedy") for name in names]
        return [problem.where for problem in located(problems, loader)]

    return told


def test_a_value_is_told_with_the_line_that_sets_it(places_in):
    text = "seed: 1\nmodel:\n  epochs: 0\nhybrid:\n  predictors:\n  - sex\n  - shoe size\n"
    names = ("model.epochs", "hybrid.predictors.1", "hybrid.choice")
    assert places_in(text, {}, *names) == [
        "conf/local/parameters.yml, line 3: model.epochs",
        "conf/local/parameters.yml, line 7: hybrid.predictors.1",
        "hybrid.choice",
    ]


def test_a_value_of_the_command_is_told_as_such_and_goes_before_that_of_a_file(places_in):
    assert places_in("seed: 1\nmodel:\n  epochs: 9\n", {"model": {"epochs": 0}}, "model.epochs", "seed") == [
        "--params: model.epochs",
        "conf/local/parameters.yml, line 1: seed",
    ]


def test_a_path_in_place_of_an_entry_is_told_with_its_line(problems_in):
    (problem,) = problems_in(catalog="_root: /data\nclinical_table: /data/patients.csv\n")
    assert problem.where == "conf/local/catalog.yml, line 2: clinical_table"
    assert problem.expected == "an entry with `type` and `filepath`"


def test_all_slips_in_all_files_are_told_at_once(problems_in):
    latin = "cohort: {separator: é}\n".encode("latin-1")
    told = problems_in(catalog="imaging: [a]\nimaging: {type: b}\n", parameters=latin, globals="profile\n")
    assert [(problem.where, problem.found) for problem in told] == [
        ("conf/local/catalog.yml, line 2: imaging", "a second time (first in line 1)"),
        ("conf/local/catalog.yml, line 1: imaging", "a list"),
        ("conf/local/globals.yml, line 1", "a value"),
        ("conf/local/parameters.yml", "not utf-8 (byte 20)"),
    ]


@pytest.mark.parametrize("env", sorted(path.name for path in CONF.iterdir() if path.is_dir()))
def test_the_shipped_files_have_no_slip(env):
    refuse_faulty_files(SimpleNamespace(conf_source=str(CONF), env=env, default_run_env="local"))


def test_an_encoding_that_does_not_exist_is_told():
    with pytest.raises(ConfigurationError, match=r"clinical_table: encoding: cp-1252x; expected an encoding"):
        ClinicalTableDataset("a.csv", encoding="cp-1252x")


@pytest.mark.parametrize(
    ("argument", "remedy"),
    [
        ({"volumes": "<patient_id>/t1gd.nii"}, 'Write `volumes: ["<patient_id>/t1gd.nii"]`.'),
        ({"lesion_labels": 4}, "Write `lesion_labels: [4]`."),
        ({"spacing_mm": 1.0}, "Give three numbers, one an axis."),
    ],
)
def test_a_single_value_in_place_of_a_list_is_told(argument, remedy):
    with pytest.raises(ConfigurationError) as error:
        refuse_single_values(argument | {"lesion_masks": None})
    assert (error.value.problems[0].expected, error.value.problems[0].remedy) == ("a list", remedy)


def test_patterns_that_are_none_are_told_all_at_once_with_their_entry_before_any_stage():
    with pytest.raises(ConfigurationError) as error:
        ImagingDataset("mri", volumes=["<patient>/t1.nii", "<patient_id>/t1.nii"], lesion_masks=["/mri/<patient_id>"])
    assert [(problem.where, problem.found) for problem in error.value.problems] == [
        ("catalog entry imaging: volumes", "'<patient>/t1.nii'"),
        ("catalog entry imaging: lesion_masks", "'/mri/<patient_id>'"),
    ]


@pytest.mark.parametrize(
    "spacing_mm", [[1, 1], [1, 1, 1, 1], [1, 1, -2], [0, 1, 1], ["1,5", 1, 1], [1, 1, float("nan")]]
)
def test_distances_of_voxels_that_are_not_three_above_zero_are_told(spacing_mm):
    with pytest.raises(ConfigurationError, match=r"spacing_mm: \[.*\]; expected three numbers above 0. Give three"):
        ImagingDataset("mri", spacing_mm=spacing_mm)


@pytest.mark.parametrize("name", ["glioma [2026]", "study*", "which?"])
def test_a_folder_whose_name_kedro_takes_for_a_pattern_is_told(name):
    loader = SimpleNamespace(conf_source=f"/home/anna/{name}/conf", env=None, default_run_env="local")
    with pytest.raises(ConfigurationError, match=r"the project's folder: .*; expected a path without \*, \? and \["):
        refuse_faulty_files(loader)
