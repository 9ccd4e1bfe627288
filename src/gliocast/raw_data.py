"""Where a run's raw data come from: the site's own files, or the simulated cohort where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.pipeline import Pipeline

from gliocast.errors import ConfigurationError, Problem

# What the simulation writes, and the raw entry that reads it.
SIMULATED = {"clinical_table": "simulated_clinical_table", "imaging": "simulated_imaging"}
NEEDED_FOR = {"clinical_table": ("cnn", "features", "none"), "imaging": ("cnn",), "image_features": ("features",)}


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
        refuse_a_part(simulation, catalog)
        return simulation
    absent = [name for name in needed if not catalog.exists(name)]
    if absent:
        raise ConfigurationError([absent_raw_data(name, catalog[name]) for name in absent])
    return Pipeline([])


def needed_entries(pipeline: Pipeline, catalog: Any) -> list[str]:
    """The raw entries that `pipeline` reads from outside, given where the image score comes from."""
    image_score = catalog.load("params:image_score")
    return [name for name in sorted(pipeline.inputs()) if image_score in NEEDED_FOR.get(name, ())]


def is_simulated(name: str, catalog: Any) -> bool:
    """Whether the raw entry `name` points to where the simulation writes."""
    twin = SIMULATED.get(name)
    return twin is not None and place(catalog[name]) == place(catalog[twin])


def may_simulate(catalog: Any) -> bool:
    """Whether the raw folder is empty, or holds nothing but what the simulation has written."""
    from gliocast.cohort.simulation.provenance import simulation_state

    return simulation_state(catalog["simulation_truth"].filepath.parent) != "foreign"


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
    """The place of a dataset on the disk; inside the project, as its user writes it."""
    path = Path(str(getattr(dataset, "filepath", getattr(dataset, "_filepath", ""))))
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def absent_raw_data(name: str, dataset: Any) -> Problem:
    """The problem of raw data that are not there."""
    return Problem(
        "–",
        f"catalog entry {name}",
        f"absent: {place(dataset)}",
        "a file or folder that exists",
        f"Put the data there, or point `{name}` to them in conf/local/catalog.yml.",
    )
