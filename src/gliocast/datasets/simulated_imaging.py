"""The simulated cohort on disk: its truth, and one folder a patient, written in parallel and resumed after a crash."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Set
from functools import partial
from pathlib import Path
from typing import Any

from gliocast.cohort.simulation.provenance import (
    CLINICAL_FILE,
    RECORD_FILE,
    is_simulated_table,
    patient_folders,
    read_record,
    simulation_state,
)
from gliocast.cohort.simulation.studies import SimulatedStudy, StudyBatch, write_study
from gliocast.datasets.base import PlacedDataset
from gliocast.datasets.files import JsonDataset
from gliocast.errors import ConfigurationError, Problem
from gliocast.persistence.atomic import atomic_folder, recover_folder
from gliocast.persistence.disk import told_where_unwritable
from gliocast.persistence.fingerprints import sha256_of_value
from gliocast.processes import in_processes

Records = dict[str, dict[str, Any]]


class SimulationTruthDataset(JsonDataset):
    """The truth of the simulated cohort. It opens a new cohort, so it guards the folder against being overwritten."""

    def save(self, data: dict[str, Any]) -> None:
        """Store the truth, after removing the clinical table of an older simulated cohort.

        Raises:
            ConfigurationError: the folder holds data that the simulation has not written.
        """
        folder = self.filepath.parent
        if simulation_state(folder) == "foreign":
            raise ConfigurationError(not_ours(folder))
        clinical = folder / CLINICAL_FILE
        if clinical.exists() and not is_simulated_table(clinical, data):
            clinical.unlink()
        super().save(data)


class SimulatedImagingDataset(PlacedDataset[StudyBatch | Iterable[StudyBatch], Records]):
    """The images of the simulated cohort; a batch of patients is saved at a time, each patient's folder at once.

    Patients that are already there, from the same request, are kept. Loading gives each patient's record.
    """

    def __init__(self, filepath: str, workers: int = -1, metadata: dict[str, Any] | None = None) -> None:
        """Point to the folder.

        Args:
            filepath: the folder.
            workers: processes that write patients at the same time; -1: one a processor.
            metadata: for Kedro-Viz.
        """
        super().__init__(filepath, metadata)
        self.workers = workers

    def save(self, data: StudyBatch | Iterable[StudyBatch]) -> None:
        """Write the studies that are not there yet; with the first batch, remove patients of an older cohort.

        Args:
            data: a batch, as a generator node gives it to Kedro; or the generator itself.

        Raises:
            ConfigurationError: a patient's folder is there, and it is not simulated.
            ArtefactError: the disk is full or cannot be written; the patients that are written are kept.
        """
        for batch in (data,) if isinstance(data, StudyBatch) else data:
            with told_where_unwritable(self.filepath):
                self._save_batch(batch)

    def _save_batch(self, batch: StudyBatch) -> None:
        for study in batch.studies:
            recover_folder(self.filepath / study.patient_id)
        if batch.studies[0].index == 0:
            remove_others(self.filepath, batch.cohort)
        waiting = [study for study in batch.studies if not is_written(self.filepath, study)]
        if waiting:
            in_processes(self.workers, partial(write_patient, self.filepath), waiting)

    def load(self) -> Records:
        """The record of each patient, by id."""
        found = {folder.name: read_record(folder / RECORD_FILE) for folder in patient_folders(self.filepath)}
        return {patient_id: record for patient_id, record in found.items() if record is not None}

    def fingerprint(self) -> str:
        """SHA-256 over the patients' records and the names and sizes of their files."""
        files = [path for folder in patient_folders(self.filepath) for path in sorted(folder.rglob("*.*"))]
        sizes = [[path.relative_to(self.filepath).as_posix(), path.stat().st_size] for path in files if path.is_file()]
        return sha256_of_value([self.load(), sizes])

    def _exists(self) -> bool:
        return any(patient_folders(self.filepath))


def write_patient(root: Path, study: SimulatedStudy) -> None:
    """Write one patient's folder as a whole; a process of its own tells a full disk itself, as causes do not travel."""
    with told_where_unwritable(root), atomic_folder(root / study.patient_id) as folder:
        write_study(study, folder)


def is_written(root: Path, study: SimulatedStudy) -> bool:
    """Whether the patient's folder is there, from the same request.

    Raises:
        ConfigurationError: it is there, and it is not simulated.
    """
    folder = root / study.patient_id
    record = read_record(folder / RECORD_FILE)
    if record is None and folder.exists():
        raise ConfigurationError(not_ours(folder))
    return record is not None and record["fingerprint"] == study.fingerprint


def remove_others(root: Path, cohort: Set[str]) -> None:
    """Remove the remains of an interrupted save, and simulated patients that are not of this cohort."""
    for remains in root.glob(".*-*"):
        if remains.name[1:].rpartition("-")[0] in cohort:
            shutil.rmtree(remains)
    for folder in patient_folders(root):
        if folder.name not in cohort and read_record(folder / RECORD_FILE) is not None:
            shutil.rmtree(folder)


def not_ours(folder: Path) -> Problem:
    """The problem of data where the simulated cohort would be written."""
    return Problem(
        "–",
        f"{folder.parent.name}/{folder.name}",
        "data that the simulation has not written",
        "an empty folder, or a simulated cohort",
        "Keep your data elsewhere and point conf/local/catalog.yml to them, or move them away.",
    )
