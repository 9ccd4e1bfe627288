"""Where a run's raw data come from: the site's own files, or the simulated cohort where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kedro.pipeline import Pipeline

from gliocast.errors import ConfigurationError, Problem, raise_if_any

# What the simulation writes, and the raw entry that reads it.
SIMULATED = {"clinical_table": "simulated_clinical_table", "imaging": "simulated_imaging"}
NEEDED_FOR = {"clinical_table": ("cnn", "features", "none"), "imaging": ("cnn",), "image_features": ("features",)}
NEARLY = 0.85  # likeness of two names, as difflib counts it: a letter or two


def provide_raw_data(pipeline: Pipeline, catalog: Any) -> Pipeline:
    """The pipeline that makes the raw data of `pipeline`: the simulation, or nothing where a site's data are there.

    Raises:
        ConfigurationError: raw data are absent, and they are not ours to simulate; all absent paths at once.
    """
    needed = needed_entries(pipeline, catalog)
    if not needed:
        return Pipeline([])
    if all(is_simulated(name, catalog) for name in needed) and may_simulate(catalog):
        from kedro.framework.project import pipelines

        simulation: Pipeline = pipelines["simulation"]
        refuse_misspelt(needed, catalog, {name for one in pipelines.values() for name in one.datasets()})
        refuse_a_part(simulation, catalog)
        return simulation
    absent = [name for name in needed if not is_there(name, catalog)]
    if absent:
        raise ConfigurationError([absent_raw_data(name, catalog[name]) for name in absent])
    return Pipeline([])


def needed_entries(pipeline: Pipeline, catalog: Any) -> list[str]:
    """The raw entries that `pipeline` reads from outside, given where the image score comes from."""
    image_score = catalog.load("params:image_score")
    return [name for name in sorted(pipeline.inputs()) if image_score in NEEDED_FOR.get(name, ())]


def is_there(name: str, catalog: Any) -> bool:
    """Whether an entry holds anything. One that cannot tell, such as a query of a database, is taken to.

    Raises:
        ConfigurationError: what is behind the entry cannot be asked.
    """
    from kedro.io import DatasetError

    if not can_tell(catalog[name]):
        return True
    try:
        return bool(catalog.exists(name))
    except DatasetError as error:
        remedy = "Look at `credentials` and the other values of the entry in conf/local/catalog.yml."
        found = f"unreachable: {kind_of_cause(error)}"
        raise ConfigurationError(
            Problem("–", f"catalog entry {name}", found, "a source that can be reached", remedy)
        ) from error


def can_tell(dataset: Any) -> bool:
    """Whether a dataset knows if anything is there; a query does not, and its file, if any, is what is asked."""
    from kedro.io import AbstractDataset

    return type(dataset)._exists is not AbstractDataset._exists


def kind_of_cause(error: BaseException) -> str:
    """What kind of error lies below a chain of them; its words may hold an address, or what a file says."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{error.name} is not installed" if isinstance(error, ModuleNotFoundError) else type(error).__name__


def is_simulated(name: str, catalog: Any) -> bool:
    """Whether the raw entry `name` points to where the simulation writes."""
    twin = SIMULATED.get(name)
    return twin is not None and place(catalog[name]) == place(catalog[twin])


def may_simulate(catalog: Any) -> bool:
    """Whether the raw folder is empty, or holds nothing but what the simulation has written."""
    from gliocast.cohort.simulation.provenance import simulation_state

    return simulation_state(catalog["simulation_truth"].filepath.parent) != "foreign"


def refuse_misspelt(needed: Sequence[str], catalog: Any, read: set[str]) -> None:
    """A cohort is not simulated where a site has pointed to its own, under a name that is slightly wrong.

    Args:
        needed: the raw entries.
        catalog: all entries.
        read: the entries that any pipeline reads or writes.

    Raises:
        ConfigurationError: an entry that nothing reads is named nearly like a raw one.
    """
    unread = sorted(set(catalog.keys()) - read)
    near = [(name, close) for name in needed for close in get_close_matches(name, unread, n=1, cutoff=NEARLY)]
    raise_if_any([misspelt_entry(name, close) for name, close in near], ConfigurationError)


def refuse_a_part(simulation: Pipeline, catalog: Any) -> None:
    """Tell a simulation that was killed, and goes on, from a finished one of which somebody has taken a part away.

    Raises:
        ConfigurationError: a part of the finished simulated cohort is gone.
    """
    records = catalog["stage_records"].load()
    finished = all(records.read(node.name) is not None for node in simulation.nodes)
    absent = [name for name in SIMULATED if not catalog.exists(name)]
    if finished and 0 < len(absent) < len(SIMULATED):
        raise ConfigurationError([absent_raw_data(name, catalog[name]) for name in absent])


def place(dataset: Any) -> str:
    """The place of a dataset on the disk; inside the project, as its user writes it. Elsewhere, its kind."""
    path = Path(str(getattr(dataset, "filepath", getattr(dataset, "_filepath", None)) or type(dataset).__name__))
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def misspelt_entry(name: str, close: str) -> Problem:
    """The problem of an entry that nothing reads, and that was probably meant to be the raw entry `name`."""
    expected, remedy = f"`{name}`, which points to no data of yours", "Correct the name in conf/local/catalog.yml."
    return Problem("–", f"catalog entry {close}", "an entry that nothing reads", expected, remedy)


def absent_raw_data(name: str, dataset: Any) -> Problem:
    """The problem of raw data that are not there."""
    catalog = "conf/local/catalog.yml (conf/NAME/catalog.yml with --env NAME)"
    remedy = f"Put the data there, or point `{name}` to them in {catalog}."
    return Problem("–", f"catalog entry {name}", f"absent: {place(dataset)}", "a file or folder that exists", remedy)
