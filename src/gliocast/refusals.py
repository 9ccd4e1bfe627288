"""Errors of the user's that come wrapped in Kedro's, or from Kedro itself: all end in one table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gliocast.errors import UNREADABLE, ArtefactError, ConfigurationError, InputError, Problem, TrainingError, listed
from gliocast.persistence.disk import unreadable
from gliocast.raw_data import NEEDED_FOR, kind_of_cause

KEDROS_NAMES = (
    "kedro.framework.",
    "kedro.pipeline.",
    "kedro.config.",
    "kedro.io.catalog_config_resolver",
)  # its modules that look names up

# What may stand in a catalog beside our own datasets: tables in formats that hold no code.
IN_MEMORY = "kedro.io.MemoryDataset"  # as Kedro hands parameters on; it reads no file
TABLES_OF_KEDRO = ("pandas", "kedro_datasets.pandas")
TABLE_DATASETS = (
    "CSVDataset", "ExcelDataset", "FeatherDataset", "JSONDataset", "ParquetDataset", "SQLQueryDataset",
    "SQLTableDataset", "XMLDataset",
)  # fmt: skip


def users_error(error: BaseException) -> InputError | None:
    """The user's error inside what Kedro has wrapped around it, or Kedro's own refusal; None where there is neither."""
    ours = input_error(error) or ended_process(error) or unreadable_raw_entry(error) or closed_folder(error)
    return ours or kedros_refusal(error)


def input_error(error: BaseException | None) -> InputError | None:
    """An error of ours about the user's input, anywhere in the chain of causes.

    Causes are those that `raise … from` names, as Kedro does: what is merely raised while another error is handled is a
    bug, and is not to be hidden behind it.
    """
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__
    return error


def ended_process(error: BaseException) -> InputError | None:
    """A process at work for the run that was killed: by the system, mostly, which does so where the memory is full."""
    from concurrent.futures.process import BrokenProcessPool

    if not isinstance(error, BrokenProcessPool):
        return None
    found, expected = "killed, mostly for want of memory", "memory for all that work at once"
    remedy = "Free some, or let fewer work (model.devices, hybrid.workers, audit.workers), and run again."
    return TrainingError(Problem("–", "a process of the run", found, expected, remedy))


def unreadable_raw_entry(error: BaseException) -> InputError | None:
    """Raw data that a dataset of Kedro's own cannot read; of its error the kind alone: it may quote them."""
    from kedro.io import DatasetError

    name = str(error).partition(":")[0]
    if not isinstance(error, DatasetError) or name not in NEEDED_FOR:
        return None
    expected = "data that the type of its entry can read"
    remedy = "Look at the data, and at the values of the entry in conf/local: `type`, `load_args`, `credentials`."
    return ConfigurationError(
        Problem("–", f"catalog entry {name}", f"unreadable: {kind_of_cause(error)}", expected, remedy)
    )


def closed_folder(error: BaseException) -> InputError | None:
    """A result in a folder that this account may not look into, as one that another account has made."""
    from kedro.io import DatasetError

    said = error.__cause__
    if not isinstance(error, DatasetError) or not isinstance(said, OSError) or said.errno not in UNREADABLE:
        return None
    told = ArtefactError(unreadable(Path(str(said.filename)), said))
    told.say_what_is_kept()
    return told


def kedros_refusal(error: BaseException) -> InputError | None:
    """What Kedro says of a pipeline, node, environment, credential or file of conf/ that it cannot make sense of."""
    from kedro.config import MissingConfigException
    from kedro.pipeline.pipeline import OutputNotUniqueError
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    refusals = (MissingConfigException, OmegaConfBaseException, YAMLError, OutputNotUniqueError)
    unknown_name = isinstance(error, (ValueError, KeyError)) and raised_in(error, KEDROS_NAMES)
    if not unknown_name and not isinstance(error, refusals):
        return None
    expected, remedy = "names that the project knows, and valid YAML", "Correct it; docs/reference lists what there is."
    return ConfigurationError(Problem("–", "the command, or conf/", one_line(error), expected, remedy))


def raised_in(error: BaseException, packages: tuple[str, ...]) -> bool:
    """Whether the innermost line that raised stands in one of these packages."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and str(frame.tb_frame.f_globals.get("__name__")).startswith(packages)


def faulty_entries(names: Iterable[str], catalog: Any) -> list[Problem]:
    """Every catalog entry that cannot be made: an unknown type, an argument too many, a value that it refuses."""
    from kedro.io import DatasetError

    problems: list[Problem] = []
    for name in sorted(names):
        entry = catalog.config_resolver.resolve_pattern(name)
        asked = str(entry.get("type", ""))
        if asked and not is_allowed(asked):
            problems.append(disallowed(name, asked))
            continue
        try:
            catalog.get(name)
        except DatasetError as error:
            ours = input_error(error)
            problems += ours.problems if ours else [*entry_problems(name, entry, error.__cause__ or error)]
    return problems


def is_allowed(dataset_type: str) -> bool:
    """Whether a dataset is ours, or reads a table in a format that holds no code."""
    package, _, name = dataset_type.rpartition(".")
    is_table = package in TABLES_OF_KEDRO and name in TABLE_DATASETS
    return is_table or package == "gliocast.datasets" or dataset_type == IN_MEMORY


def disallowed(name: str, asked: str) -> Problem:
    """The problem of an entry of another type: one of pickle, for one, runs what code a file holds as it is read."""
    expected = "a type of gliocast.datasets, or one of pandas, such as pandas.CSVDataset, whose files hold no code"
    remedy = "Bring the table into such a format; docs/how-to/swap-data.md names them all."
    return Problem("–", f"catalog entry {name}: type", asked, expected, remedy)


def entry_problems(name: str, entry: Mapping[str, Any], error: BaseException) -> Iterator[Problem]:
    """The problems of an entry that Kedro cannot make: all arguments that a dataset of ours does not know, or lacks."""
    page = "how-to/swap-data.md has the arguments" if name in NEEDED_FOR else "reference/catalog.md has every entry"
    where = f"catalog entry {name}"
    known = arguments_of(entry.get("type"))
    unknown = [argument for argument in entry if known and argument not in (*known, "type")]
    meant = {argument: "".join(get_close_matches(argument, known, n=1)) for argument in unknown}
    for argument, near in meant.items():
        remedy = f"{f'Did you mean `{near}`?' if near else 'Remove it.'} docs/{page}."
        yield Problem("–", f"{where}: {argument}", "an unknown argument", f"one of {listed([*known])}", remedy)
    lacking = [argument for argument in known if known[argument] and entry.get(argument) is None]
    absent = [argument for argument in lacking if argument not in meant.values()]
    for argument in absent:
        yield Problem("–", f"{where}: {argument}", "absent", "a value", f"Give it. docs/{page}.")
    if not unknown and not absent:
        remedy = f"Correct it in conf/local/catalog.yml; docs/{page}."
        yield Problem("–", where, one_line(error), "a known type, and its arguments", remedy)


def arguments_of(dataset_type: Any) -> dict[str, bool]:
    """The arguments of a dataset of ours, and whether it needs each; none of another kind, or where there is none."""
    from inspect import signature

    from gliocast import datasets

    package, _, name = str(dataset_type).rpartition(".")
    dataset = getattr(datasets, name, None) if package == datasets.__name__ else None
    taken = signature(dataset).parameters if dataset else {}
    return {name: argument.default is argument.empty for name, argument in taken.items()}


def one_line(error: BaseException) -> str:
    """The message of a foreign error on one line."""
    return " ".join(str(error).split())
