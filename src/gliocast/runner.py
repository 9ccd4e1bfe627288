"""A sequential runner that reuses what is finished and unchanged, and runs the rest."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner

from gliocast.datasets.base import PlacedDataset
from gliocast.datasets.secret_key import SecretKeyDataset
from gliocast.datasets.workspace import WorkspaceDataset
from gliocast.errors import ArtefactError, Problem, raise_if_any
from gliocast.persistence.code import class_fingerprint, code_fingerprint, inspected
from gliocast.persistence.disk import told_where_unreadable, unwritable_folders
from gliocast.persistence.fingerprints import sha256_in_order, sha256_of_file, sha256_of_value
from gliocast.persistence.stages import StageRecord, StageRecords
from gliocast.raw_data import can_tell, is_there, provide_raw_data
from gliocast.refusals import input_error

CHECK = "check_images"  # the node at which a run ends that is to check and no more
CONCURRENT = "concurrent"  # the tag of a node that several runs may work on at once
FINGERPRINTS = 3  # how they are taken here: a new number makes every stage run once (3: parameters in their order)

_log = logging.getLogger(__name__)


@dataclass
class Run:
    """One run, and what it has done so far.

    Attributes:
        arguments: the catalog, and what else Kedro gives to a runner.
        has_run: whether a node of it has run.
        seen: the fingerprints of the results that it has made or reused, by catalog name.
    """

    arguments: tuple[Any, Any, str | None]
    has_run: bool = False
    seen: dict[str, str] = field(default_factory=dict)

    @property
    def catalog(self) -> Any:
        """The entries that the nodes read and write."""
        return self.arguments[0]

    @property
    def records(self) -> StageRecords:
        """Of the last complete run of every stage."""
        records: StageRecords = self.catalog["stage_records"].load()
        return records

    def refuse_mixture(self, found: Mapping[str, str]) -> None:
        """Refuse results that another run has replaced since: what came of them would be of both runs.

        Raises:
            ArtefactError: a fingerprint is no longer the one that this run has seen.
        """
        replaced = [name for name, fingerprint in found.items() if self.seen.get(name, fingerprint) != fingerprint]
        raise_if_any([mixed(name) for name in replaced], ArtefactError)

    def why_stale(self, node: Node, before: StageRecord | None, now: StageRecord) -> str | None:
        """Why `node` has to run, in words; None where its stored results are complete and up to date.

        Args:
            node: the stage.
            before: what its stored results were made from; None where there is no valid record.
            now: what they would be made from.

        Raises:
            ArtefactError: a result was changed since a stage wrote it.
        """
        if before is None:
            return "it has no valid result"
        if change := before.difference(now):
            return change
        absent = [name for name in node.outputs if not self.catalog.exists(name)]
        if absent:
            return f"{', '.join(absent)} is absent"
        found = outputs_of(node, self.catalog)
        changed = {name: content for name, content in found.items() if before.outputs.get(name) != content}
        foreign = [name for name, content in changed.items() if not self.records.written_by_any(name, content)]
        raise_if_any([edited(name) for name in foreign], ArtefactError)
        return f"{', '.join(changed)} was written by another stage since" if changed else None


class ReusingRunner(SequentialRunner):
    """Kedro's sequential runner, one node at a time, each of them only where its results are absent or stale."""

    _logger = logging.getLogger("kedro.runner")  # Kedro would count and praise each node as a run of its own

    def run(
        self,
        pipeline: Pipeline,
        catalog: Any,
        hook_manager: Any = None,
        run_id: str | None = None,
        only_missing_outputs: bool = False,
    ) -> dict[str, Any]:
        """Run the stale nodes of `pipeline`, after the simulated cohort where the raw data call for it.

        `only_missing_outputs` changes nothing: what is missing runs, and so does what is stale.
        """
        # Kedro would leave out a stale stage whose results exist, and its record would vouch for them from then on.
        pipeline = up_to_the_check(pipeline, catalog)
        simulation = provide_raw_data(pipeline, catalog)
        run = Run((catalog, hook_manager, run_id))
        try:
            for chain in (simulation, pipeline):
                for number, node in enumerate(chain.nodes, start=1):
                    self._run_if_stale(node, f"{number}/{len(chain.nodes)}", chain, run)
        except Exception as error:
            if run.has_run and (wrong := input_error(error)):
                wrong.say_what_is_kept()
            raise
        return {name: catalog[name] for name in pipeline.outputs()}

    def _run_if_stale(self, node: Node, place: str, chain: Pipeline, run: Run) -> None:
        if CONCURRENT in node.tags:
            self._decide(node, place, chain, run)
            return
        with run.records.lock(node.name):
            self._decide(node, place, chain, run)

    def _decide(self, node: Node, place: str, chain: Pipeline, run: Run) -> None:
        before, now = run.records.read(node.name), observe(node, run.catalog)
        run.refuse_mixture(now.inputs)
        reason = run.why_stale(node, before, now)
        if before and reason is None and not is_unsettled(node, run.catalog):
            _log.info("stage %s %s: reused, nothing has changed", place, node.name)
            run.seen |= before.outputs
            return
        _log.info("stage %s %s: runs, %s", place, node.name, reason or "its result may be another by now")
        # Followers of what is only tried again keep their results, hours of work, unless something came of it.
        stale = [node] if reason is None else chain.from_nodes(node.name).nodes
        raise_if_any([*unwritable_folders(sorted(folders_written(stale, run.catalog)))], ArtefactError)
        for one in stale:
            run.records.forget(one.name)
        super().run(Pipeline([node]), *run.arguments)
        outputs = outputs_of(node, run.catalog)
        run.has_run = True
        # The lock is this stage's alone: what it has read may have been replaced meanwhile.
        run.refuse_mixture({name: dataset_fingerprint(name, run.catalog) for name in now.inputs if name in run.seen})
        run.records.write(node.name, StageRecord(now.code, now.parameters, now.inputs, outputs))
        run.seen |= outputs


def up_to_the_check(pipeline: Pipeline, catalog: Any) -> Pipeline:
    """The pipeline, cut behind the check of the images where `check_only` asks for no more."""
    checks = any(node.name == CHECK for node in pipeline.nodes) and catalog.load("params:check_only")
    return pipeline.to_nodes(CHECK) if checks else pipeline


def folders_written(nodes: Iterable[Node], catalog: Any) -> set[Path]:
    """The folders that stages write to: those of their results, their workspaces, and that of a key not made yet."""
    results = [catalog.get(name) for node in nodes for name in node.outputs]
    taken = [catalog.get(name) for node in nodes for name in node.inputs]
    made = [dataset for dataset in taken if isinstance(dataset, SecretKeyDataset) and not dataset.filepath.exists()]
    beside = {dataset.filepath.parent for dataset in [*results, *made] if isinstance(dataset, PlacedDataset)}
    return beside | {dataset.filepath for dataset in taken if isinstance(dataset, WorkspaceDataset)}


def is_unsettled(node: Node, catalog: Any) -> bool:
    """Whether another try may change a stored result of `node`, though nothing that it is made from has changed."""
    datasets = [catalog[name] for name in node.outputs]
    return any(dataset.is_unsettled() for dataset in datasets if hasattr(dataset, "is_unsettled"))


def observe(node: Node, catalog: Any) -> StageRecord:
    """The fingerprints, as of now, of all that the results of `node` depend on."""
    inputs = [name for name in node.inputs if not is_parameter(name)]
    joined = [inspected(node.func).__qualname__, node.inputs, node.outputs]  # the graph's module is none of the stage's
    code = [FINGERPRINTS, joined, code_fingerprint(node.func), reading_and_writing(inputs + node.outputs, catalog)]
    return StageRecord(
        code=sha256_of_value(code),
        parameters=parameters_of(node, catalog),
        inputs={name: dataset_fingerprint(name, catalog) for name in inputs},
        outputs={},
    )


def parameters_of(node: Node, catalog: Any) -> dict[str, str]:
    """The fingerprints of the parameters of `node`, and of the catalog entries of its results."""
    entries = {f"catalog.{name}": configuration(catalog[name]) for name in node.outputs if name in catalog}
    given = {name: sha256_in_order(catalog.load(name)) for name in node.inputs if is_parameter(name)}
    return given | {name: sha256_of_value(entry) for name, entry in entries.items()}


def is_parameter(name: str) -> bool:
    """Whether an input is a parameter, and no data."""
    return name.startswith("params:") or name == "parameters"


def have_run_so(makes: Collection[str], pipeline: Pipeline, catalog: Any) -> bool:
    """Whether the stages that make these results have made them, and with the parameters of now."""
    makers = [node for node in pipeline.nodes if {*makes} & {*node.outputs}]
    return all(has_run_so(node, catalog) for node in makers)


def has_run_so(node: Node, catalog: Any) -> bool:
    """Whether `node` has run to its end with the parameters of now, and its results are still there."""
    record = catalog["stage_records"].load().read(node.name)
    known = record is not None and record.parameters == parameters_of(node, catalog)
    return known and all(catalog.exists(name) for name in node.outputs)


def reading_and_writing(names: list[str], catalog: Any) -> list[str]:
    """The fingerprints of the code by which these entries are loaded and saved; of what the catalog lacks, none."""
    return sorted({class_fingerprint(type(catalog.get(name))) for name in names})


def outputs_of(node: Node, catalog: Any) -> dict[str, str]:
    """The fingerprints of the stored results of `node`."""
    return {name: dataset_fingerprint(name, catalog) for name in node.outputs}


def dataset_fingerprint(name: str, catalog: Any) -> str:
    """The fingerprint of a dataset: its own where it has one, else that of its file; and of its catalog entry."""
    dataset = catalog[name]
    if not is_there(name, catalog):
        return "absent"
    content = dataset.fingerprint() if hasattr(dataset, "fingerprint") else foreign_fingerprint(name, catalog)
    return sha256_of_value([content, configuration(dataset)])


def foreign_fingerprint(name: str, catalog: Any) -> str:
    """The fingerprint of a dataset of Kedro's own: of its file, such as an Excel sheet, else of the table it brings."""
    import pandas as pd

    path = Path(str(getattr(catalog[name], "_filepath", "")))
    with told_where_unreadable(path):
        if can_tell(catalog[name]) and path.is_file():
            return sha256_of_file(path)
    content = catalog.load(name)
    # What is no table counts as changed every time: never reused, never stale.
    table = isinstance(content, pd.DataFrame)
    return sha256_of_value([[*map(str, content.dtypes)], content.to_csv()] if table else id(catalog[name]))


def configuration(dataset: Any) -> dict[str, Any]:
    """The catalog entry of a dataset, less its place on this machine's disk and in Kedro-Viz."""
    entry = dataset._init_config()
    # Where a class inherits its `__init__`, Kedro keeps an entry's values one level deeper, beside an empty `args`.
    entry |= entry.pop("kwargs", {})
    elsewhere = ("args", "filepath", "path", "credentials", "metadata")
    return {key: value for key, value in entry.items() if key not in elsewhere}


def edited(name: str) -> Problem:
    """The problem of a stored result that no stage has written."""
    return Problem(
        "–",
        name,
        "changed since the stage wrote it",
        "what the stage wrote",
        "Restore the file, or delete it and run again: the stage makes it anew.",
    )


def mixed(name: str) -> Problem:
    """The problem of a result that another run has replaced while this one was going on."""
    return Problem(
        "–",
        name,
        "replaced, by another run or by hand, since this run made or reused it",
        "what this run has seen",
        "Run again when no other run works here; runs of different settings need a copy of the project each.",
    )
