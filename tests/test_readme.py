"""What the README and the documentation tell a reader to type exists, and does what they say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gliocast.imaging.source import DEFAULT_LESION_MASKS, DEFAULT_VOLUMES

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = sorted([README, ROOT / "CONTRIBUTING.md", ROOT / "data" / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
KEDRO_COMMANDS = {"run", "viz", "fetch-weights", "package", "registry"}


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in FENCE.findall(page.read_text(encoding="utf-8")) if found == language]


def commands(page: Path) -> Iterator[list[str]]:
    inline = re.findall(r"`((?:\.venv/bin/)?kedro [^`]+|make [^`]+)`", page.read_text(encoding="utf-8"))
    lines = [line for block in blocks(page, "bash") for line in block.splitlines()]
    for line in [*lines, *inline]:
        words = shlex.split(line, comments=True)
        if words:
            yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def registered_pipelines() -> set[str]:
    from gliocast.pipeline_registry import register_pipelines

    return set(register_pipelines())


@pytest.fixture(scope="module")
def pipelines() -> set[str]:
    return registered_pipelines()


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_command_that_a_page_shows_exists(page: Path, pipelines: set[str]) -> None:
    for program, *arguments in commands(page):
        if program == "make":
            assert set(arguments) <= make_targets(), arguments
        if program == "kedro":
            assert arguments[0] in KEDRO_COMMANDS, arguments
        if "--pipeline" in arguments:
            assert arguments[arguments.index("--pipeline") + 1] in {*pipelines, "NAME"}, arguments
        if "--env" in arguments:
            environment = arguments[arguments.index("--env") + 1]
            assert environment == "NAME" or (ROOT / "conf" / environment).is_dir(), arguments


def test_the_readme_shows_the_commands_of_the_contract() -> None:
    shown = {(program, *arguments) for program, *arguments in commands(README)}
    assert {("make", "demo"), ("make", "test"), ("make", "bench")} <= shown
    named = {
        arguments[arguments.index("--pipeline") + 1] for _, *arguments in commands(README) if "--pipeline" in arguments
    }
    assert named == {"preprocessing", "baseline", "tuning", "cnn_training", "hybrid", "audit"}


@pytest.mark.parametrize("block", blocks(README, "python"))
def test_the_python_of_the_readme_runs(block: str) -> None:
    exec(compile(block, "README.md", "exec"), {})


def test_the_readme_has_python_to_run() -> None:
    assert blocks(README, "python")


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    targets = [link.split("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_yaml_block_is_yaml(page: Path) -> None:
    import yaml

    for block in blocks(page, "yaml"):
        assert isinstance(yaml.safe_load(block), dict)


def yaml_of_parameters(page: Path, sections: set[str]) -> Iterator[dict[str, object]]:
    import yaml

    for block in blocks(page, "yaml"):
        found = yaml.safe_load(block)
        if sections & set(found):  # else it shows catalog entries or credentials
            yield found


def test_every_parameter_that_a_page_shows_exists() -> None:
    from gliocast.parameters import GliocastParameters

    fields = GliocastParameters.model_fields
    for page in PAGES:
        for shown in yaml_of_parameters(page, set(fields)):
            assert set(shown) <= set(fields), page_name(page)
            for section, leaves in shown.items():
                known = set(getattr(fields[section].annotation, "model_fields", ()))
                assert not isinstance(leaves, dict) or set(leaves) <= known, page_name(page)


def test_the_generated_pages_are_up_to_date() -> None:
    import importlib.util

    path = ROOT / "docs" / "reference" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate_reference", path)
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    behind = [
        name for name, text in generate.pages().items() if (path.parent / name).read_text(encoding="utf-8") != text
    ]
    assert behind == [], "run .venv/bin/python docs/reference/generate.py"


def test_the_citation_is_well_formed_and_names_the_paper() -> None:
    import yaml

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    paper = yaml.safe_load((ROOT / "conf" / "base" / "parameters_paper.yml").read_text(encoding="utf-8"))["paper"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["preferred-citation"]["title"] in paper["citation"]
    assert citation["preferred-citation"]["authors"][0]["family-names"] == "Moreau"


@pytest.mark.parametrize("page", ["README.md", "CITATION.cff", "pyproject.toml", "src/gliocast/reporting/prose.py"])
def test_no_page_claims_a_prediction_before_surgery_from_its_extent(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert not re.search(r"predict\w* [^.]*before treatment", text, re.IGNORECASE)
    assert "before radiotherapy" in text


def test_the_licence_is_the_apache_licence_to_the_letter() -> None:
    import hashlib

    digest = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "c71d239df91726fc519c6eb72d318ec65820627232b2f796219e87dcf35d0ab4"


def test_the_example_of_ones_own_data_finds_every_kind_of_file_that_the_defaults_find():
    page = ROOT / "docs/get-started/own-data.md"
    entries = [yaml.safe_load(block) for block in blocks(page, "yaml")]
    imaging = next(entry["imaging"] for entry in entries if "imaging" in entry)
    assert tuple(imaging["volumes"]) == DEFAULT_VOLUMES
    assert tuple(imaging["lesion_masks"]) == DEFAULT_LESION_MASKS
