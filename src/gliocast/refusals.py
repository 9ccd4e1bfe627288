"""Errors of the user's that come wrapped in Kedro's, or from Kedro itself: all end in one table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gliocast.errors import ConfigurationError, InputError, Problem
from gliocast.raw_data import NEEDED_FOR, kind_of_cause

KEDROS_NAMES = (
    "kedro.framework.",
    "kedro.pipeline.",
    "kedro.config.",
    "kedro.io.catalog_config_resolver",
)  # its modules that look names up


def users_error(error: BaseException) -> InputError | None:
    """The user's error inside what Kedro has wrapped around it, or Kedro's own refusal; None where there is neither."""
    return input_error(error) or unreadable_raw_entry(error) or kedros_refusal(error)


def input_error(error: BaseException | None) -> InputError | None:
    """An error of ours about the user's input, anywhere in the chain of causes.

    Causes are those that `raise … from` names, as Kedro does: what is merely raised while another error is handled is a
    bug, and is not to be hidden behind it.
    """
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__
    return error


def unreadable_raw_entry(error: BaseException) -> InputError | None:
    """A raw file that a dataset of Kedro's own cannot read; of its error the kind alone: it may quote the file."""
    from kedro.io import DatasetError

    name = str(error).partition(":")[0]
    if not isinstance(error, DatasetError) or name not in NEEDED_FOR or "Failed while loading" not in str(error):
        return None
    expected = "a file that the type of its entry can read"
    remedy = "Look at the file, and at `type` and `load_args` of the entry in conf/local/catalog.yml."
    return ConfigurationError(
        Problem("–", f"catalog entry {name}", f"unreadable: {kind_of_cause(error)}", expected, remedy)
    )


def kedros_refusal(error: BaseException) -> InputError | None:
    """What Kedro says of a pipeline, node, environment, credential or file of conf/ that it cannot make sense of."""
    from kedro.config import MissingConfigException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    unknown_name = isinstance(error, (ValueError, KeyError)) and raised_in(error, KEDROS_NAMES)
    if not unknown_name and not isinstance(error, (MissingConfigException, OmegaConfBaseException, YAMLError)):
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
        try:
            catalog.get(name)
        except DatasetError as error:
            ours = input_error(error)
            problems += ours.problems if ours else [faulty_entry(name, error.__cause__ or error)]
    return problems


def faulty_entry(name: str, error: BaseException) -> Problem:
    """The problem of an entry that Kedro cannot make."""
    page = "how-to/swap-data.md has the arguments" if name in NEEDED_FOR else "reference/catalog.md has every entry"
    remedy = f"Correct it in conf/local/catalog.yml; docs/{page}."
    return Problem("–", f"catalog entry {name}", one_line(error), "a known type, and its arguments", remedy)


def one_line(error: BaseException) -> str:
    """The message of a foreign error on one line."""
    return " ".join(str(error).split())
