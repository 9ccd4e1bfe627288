"""Write the generated pages of the reference: parameters.md, catalog.md and metrics.schema.json.

Run it after a change of `conf/base` or of a parameter model: `.venv/bin/python docs/reference/generate.py`.
A test fails while a page is behind.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

ROOT = Path(__file__).parents[2]
BASE = ROOT / "conf" / "base"
REFERENCE = Path(__file__).parent
DONE_BY = "<!-- Written by docs/reference/generate.py; do not edit. -->\n"
PARAMETERS = """# Parameters

All of them, with their values in both profiles; long ones are cut, and stand whole in `conf/base`. Change one leaf in
`conf/local/parameters.yml`, or for one run by `--params model.epochs=20`.
A mapping there is laid over ours: it changes entries and adds some, but neither drops nor reorders any; a list takes
the place of ours.
Unknown names and impossible values end the run with exit code 2 and a list of all of them.

"""
CATALOG = """# Catalog

Every stored result: its name, what it is, which step makes it, and where it lies. The first three are the ones that
a site points elsewhere; any other may be moved too, for instance to a database.

"""


def main() -> None:
    """Write all pages."""
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Every generated page by its file name."""
    from gliocast.reporting.metrics import Metrics

    schema = json.dumps(Metrics.model_json_schema(), indent=1) + "\n"
    return {"parameters.md": parameters_page(), "catalog.md": catalog_page(), "metrics.schema.json": schema}


def parameters_page() -> str:
    """One table a section: name, value in each profile, kind of value, meaning."""
    from gliocast.parameters import GliocastParameters

    demo, paper, notes = values("demo"), values("paper"), dict(meanings(GliocastParameters)) | comments()
    kinds = dict(leaf_kinds(GliocastParameters))
    parts = [DONE_BY, PARAMETERS]
    switches = [name for name in demo if not isinstance(demo[name], Mapping)]
    parts.append(section("switches", {name: demo[name] for name in switches}, paper, kinds, notes))
    for name in sorted(set(demo) - set(switches) - {"paper"}):
        parts.append(
            section(name, dict(leaves(demo[name], f"{name}.")), dict(leaves(paper[name], f"{name}.")), kinds, notes)
        )
    parts.append("## paper\n\nWhat the paper reports, shown beside our results: `conf/base/parameters_paper.yml`.\n")
    return "\n".join(parts)


def section(
    title: str, demo: Mapping[str, Any], paper: Mapping[str, Any], kinds: Mapping[str, str], notes: Mapping[str, str]
) -> str:
    """The table of one section."""
    rows = [f"## {title}\n", "| parameter | demo | paper | kind | meaning |", "|---|---|---|---|---|"]
    for name in demo:
        same = demo[name] == paper.get(name)
        cells = (
            f"`{name}`",
            shown(demo[name]),
            "same" if same else shown(paper.get(name)),
            kinds.get(name, ""),
            meaning(name, notes),
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def meaning(name: str, notes: Mapping[str, str]) -> str:
    """What a leaf means; where nothing is said of it, what is said of the section that it stands in."""
    parts = name.split(".")
    above = (".".join(parts[:length]) for length in range(len(parts), 1, -1))
    return next((notes[section] for section in (name, *above) if section in notes), "")


def values(profile: str) -> dict[str, Any]:
    """The parameters of `conf/base` in one profile, less the helpers that start with an underscore."""
    from kedro.config import OmegaConfigLoader

    from gliocast.settings import CONFIG_LOADER_ARGS

    arguments = {**CONFIG_LOADER_ARGS, "default_run_env": "base"}
    loader = OmegaConfigLoader(conf_source=str(ROOT / "conf"), runtime_params={"profile": profile}, **arguments)
    return {name: value for name, value in loader["parameters"].items() if not name.startswith("_")}


def leaves(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Every leaf below a section by its dotted name; lists, and mappings of single words, are leaves."""
    for name, inner in value.items():
        if (
            isinstance(inner, Mapping)
            and inner
            and prefix.count(".") < 3
            and all(isinstance(key, str) for key in inner)
        ):
            yield from leaves(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


def shown(value: Any) -> str:
    """A value as it would be written in YAML, shortened."""
    text = "null" if value is None else json.dumps(value, ensure_ascii=False)
    return f"`{text if len(text) <= 60 else text[:57] + '…'}`"


def leaf_kinds(model: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The kind of value of each leaf of a parameter model, with its bounds."""
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from leaf_kinds(field.annotation, f"{prefix}{name}.")
        else:
            bounds = [limit for part in field.metadata for limit in limits(part)]
            yield f"{prefix}{name}", ", ".join([kind(field.annotation), *bounds])


def meanings(model: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """What the docstring of each parameter model says of its leaves, under `Attributes:`."""
    _, _, listed = inspect.cleandoc(model.__doc__ or "").partition("\nAttributes:\n")
    entries = re.findall(r"^    (\w+): (.+(?:\n {8}.+)*)", listed, flags=re.MULTILINE)
    yield from ((f"{prefix}{name}", re.sub(r"\s+", " ", text).removesuffix(".")) for name, text in entries)
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from meanings(field.annotation, f"{prefix}{name}.")


def kind(annotation: Any) -> str:
    """A type in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "null"
    if origin in (Union, UnionType):
        return " or ".join(map(kind, inner))
    if origin is not None and str(origin).endswith("Literal"):
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin in (tuple, list):
        return f"list of {kind(inner[0])}"
    if origin is dict:
        return f"{kind(inner[0])} → {kind(inner[1])}"
    if origin is not None and inner:
        return kind(inner[0])
    words = {"int": "whole number", "float": "number", "str": "text", "bool": "true or false"}
    return words.get(getattr(annotation, "__name__", ""), "section")


def limits(part: Any) -> Iterator[str]:
    """The bounds of a number."""
    for name, sign in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤")):
        if getattr(part, name, None) is not None:
            yield f"{sign} {getattr(part, name):g}"


def comments() -> dict[str, str]:
    """The comment beside each leaf of `conf/base/parameters*.yml`, by its dotted name."""
    found: dict[str, str] = {}
    for path in sorted(BASE.glob("parameters*.yml")):
        found |= dict(comments_of(path.read_text(encoding="utf-8")))
    return found


def comments_of(text: str) -> Iterator[tuple[str, str]]:
    """Dotted name and comment of every line that has both."""
    stack: list[tuple[int, str]] = []
    for line in text.splitlines():
        if not (match := re.match(r"^( *)([A-Za-z_]\w*):(.*)$", line)):
            continue
        indent, name, rest = len(match[1]), match[2], match[3]
        stack = [level for level in stack if level[0] < indent] + [(indent, name)]
        if comment := re.search(r"(?:^|\s)# ?(.*)$", rest):
            yield ".".join(level[1] for level in stack), comment[1].strip()


def catalog_page() -> str:
    """One table a layer."""
    import yaml

    entries = {}
    for path in sorted(BASE.glob("catalog*.yml")):
        entries |= yaml.safe_load(path.read_text(encoding="utf-8"))
    makers, parts = dict(made_by()), [DONE_BY, CATALOG]
    if unknown := {layer_of(entry) for entry in entries.values()} - set(LAYERS):
        raise ValueError(f"layers that the page would leave out: {unknown}")
    for layer in LAYERS:
        rows = [entry_row(name, entry, makers) for name, entry in entries.items() if layer_of(entry) == layer]
        parts += [f"## {layer}\n", "| entry | dataset | made by | place |", "|---|---|---|---|", *rows, ""]
    return "\n".join(parts)


def layer_of(entry: Mapping[str, Any]) -> str:
    """The layer of an entry in Kedro-Viz; what has none is a record of the runner."""
    return str(entry.get("metadata", {}).get("kedro-viz", {}).get("layer", "records"))


def entry_row(name: str, entry: Mapping[str, Any], makers: Mapping[str, str]) -> str:
    """One entry as a row."""
    return f"| `{name}` | `{entry['type'].rpartition('.')[2]}` | {makers.get(name, '–')} | {place(entry)} |"


LAYERS = (
    "raw",
    "intermediate",
    "primary",
    "feature",
    "model input",
    "network",
    "network output",
    "models",
    "model output",
    "reporting",
    "records",
)


def place(entry: Mapping[str, Any]) -> str:
    """Where an entry lies."""
    return f"`{entry['filepath']}`" if "filepath" in entry else "–"


def made_by() -> Iterator[tuple[str, str]]:
    """The node that makes each entry."""
    from gliocast.pipeline_registry import register_pipelines

    for pipeline in register_pipelines().values():
        for node in pipeline.nodes:
            yield from ((name, f"`{node.name}`") for name in node.outputs)


if __name__ == "__main__":
    main()
