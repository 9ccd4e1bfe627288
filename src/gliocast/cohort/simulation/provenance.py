"""Whose data lie in the raw folder: nobody's, ours, ours but unfinished, or somebody else's.

The truth is written first and names the SHA-256 of the clinical table; each patient's folder holds a record; the
clinical table is written last. So whatever was interrupted can be told from what a site has put there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from gliocast.cohort.simulation.fingerprint import sha256_of_text

TRUTH_FILE = "simulation.json"
CLINICAL_FILE = "clinical.csv"
IMAGING_FOLDER = "imaging"
RECORD_FILE = "simulation.json"  # in each patient's folder

State = Literal["absent", "incomplete", "complete", "foreign"]


def simulation_state(raw_folder: Path) -> State:
    """What the simulation has done in `raw_folder`.

    Returns:
        `absent`: no clinical table and no images. `complete`: a simulated cohort, whole and untouched.
        `incomplete`: parts of one, and nothing else. `foreign`: anything that the simulation has not written, such as a
        clinical table that is not the one the truth names.
    """
    truth, folders = read_record(raw_folder / TRUTH_FILE), list(patient_folders(raw_folder / IMAGING_FOLDER))
    clinical = raw_folder / CLINICAL_FILE
    if any(read_record(folder / RECORD_FILE) is None for folder in folders):
        return "foreign"
    if clinical.exists() and not is_simulated_table(clinical, truth):
        return "foreign"
    if truth is None:
        return "incomplete" if folders else "absent"
    everyone = {patient["patient_id"] for patient in truth["patients"]}
    whole = clinical.exists() and everyone == {folder.name for folder in folders}
    return "complete" if whole else "incomplete"


def is_simulated_table(clinical: Path, truth: Mapping[str, Any] | None) -> bool:
    """Whether the clinical table is, to the byte, the one that the truth names."""
    try:
        text = clinical.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError):
        return False
    return truth is not None and sha256_of_text(text) == truth.get("clinical_sha256")


def patient_folders(imaging: Path) -> Iterator[Path]:
    """Everything in the imaging folder, in the order of the names, less the hidden remains of an interrupted save."""
    if imaging.is_dir():
        yield from sorted(child for child in imaging.iterdir() if not child.name.startswith("."))


def read_record(path: Path) -> dict[str, Any] | None:
    """A JSON record that says of itself that it is simulated; None where there is none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("simulated") is True else None
