"""The three steps of making a cohort of known truth."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from gliocast.cohort.simulation.clinical import clinical_csv
from gliocast.cohort.simulation.parameters import PaperParameters, SimulationParameters
from gliocast.cohort.simulation.studies import StudyBatch, phantoms
from gliocast.cohort.simulation.truth import simulated_patients, truth
from gliocast.errors import ArtefactError, Problem, raise_if_any
from gliocast.progress import counted

_log = logging.getLogger(__name__)


def describe_truth(paper: Mapping[str, Any], simulation: SimulationParameters, seed: int) -> dict[str, Any]:
    """What is planted in the cohort, and the best that any model could make of it."""
    reported = PaperParameters.model_validate(paper)
    return truth(reported.table1, reported.figure1, simulation, seed)


def simulate_patients(simulation_truth: dict[str, Any]) -> Iterator[StudyBatch]:
    """The patients' studies, a few at a time, with a progress bar; those already written cost nothing."""
    n_patients = len(simulation_truth["patients"])
    _log.info("Simulating %d patients; they do not exist, and nothing learnt from them is medicine.", n_patients)
    yield from counted(phantoms(simulation_truth), n_patients, "Simulating", lambda batch: len(batch.studies))


def tabulate_patients(
    simulated_imaging: dict[str, Any], paper: Mapping[str, Any], simulation: SimulationParameters, seed: int
) -> str:
    """The clinical table, once every patient has images.

    Raises:
        ArtefactError: some patients have none.
    """
    reported = PaperParameters.model_validate(paper)
    cohort, _ = simulated_patients(reported.table1, reported.figure1, simulation, seed)
    absent = sorted(set(cohort["patient_id"]) - set(simulated_imaging))
    expected, remedy = "simulated images", "Run the pipeline `simulation` again."
    raise_if_any([Problem(patient_id, "images", "absent", expected, remedy) for patient_id in absent], ArtefactError)
    return clinical_csv(cohort)
