"""The leakage guard: nobody is scored by anything that has seen them, stands twice, or decided a threshold.

Whatever is fitted carries the patients it was fitted on; whoever scores asks here first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from gliocast.errors import LeakageError, PartitionError, Problem, raise_if_any
from gliocast.types import Partition, Scores

UNSEEN_ROLES = ("test", "out_of_fold")
# UCSF-PDGM marks a second scan `_FU003d`, UPENN-GBM `_11` to `_93`; others write pre, post, ses-2 or visit1.
SCAN_MARK = re.compile(r"[_-](FU\w*|pre|post|ses-?\w+|visit-?\d+|scan-?\d+)$|(?<=\d{3})_\d{2}$", re.IGNORECASE)


def fingerprint_of_patients(patients: Collection[str]) -> str:
    """SHA-256 of a set of patients, in hexadecimal; the order does not matter."""
    return hashlib.sha256("\n".join(sorted(set(patients))).encode()).hexdigest()


def check_unseen(scores: Scores) -> None:
    """Refuse scores of test or held-out patients that come from a model which has seen them.

    Raises:
        LeakageError: a patient was seen by the scoring model, or the model does not say whom it has seen.
    """
    claimed = scores.table[scores.table["role"].isin(UNSEEN_ROLES)]
    pairs = claimed[["model", "patient_id", "role"]].drop_duplicates().sort_values(["patient_id", "model"])
    problems = _unknown_models(set(pairs["model"]), scores.fitted_on) + _seen_by_models(pairs, scores.fitted_on)
    raise_if_any(problems, LeakageError)


def check_not_fitted_on(name: str, fitted_on: Collection[str], scored: Collection[str]) -> None:
    """Refuse to score patients with a fitted object (normaliser, imputer, threshold, …) that was fitted on them.

    Raises:
        LeakageError: a patient of `scored` stands in `fitted_on`.
    """
    raise_if_any([_seen(patient, name, "test") for patient in sorted(set(scored) & set(fitted_on))], LeakageError)


def _unknown_models(models: set[str], fitted_on: Mapping[str, Sequence[str]]) -> list[Problem]:
    return [
        Problem("–", f"model {model}", "silent about its patients", "the patients it was fitted on", "Fit it again.")
        for model in sorted(models - set(fitted_on))
    ]


def _seen_by_models(pairs: pd.DataFrame, fitted_on: Mapping[str, Sequence[str]]) -> list[Problem]:
    seen = {model: frozenset(patients) for model, patients in fitted_on.items()}
    return [
        _seen(str(patient), str(model), str(role))
        for model, patient, role in pairs.itertuples(index=False)
        if patient in seen.get(model, ())
    ]


def _seen(patient: str, model: str, role: str) -> Problem:
    kind = "test" if role == "test" else "held-out"
    expected = f"a {kind} patient that it has not seen"
    return Problem(
        patient,
        f"score of {model}",
        "from a model fitted on this patient",
        expected,
        "Score with a fold that leaves the patient out.",
    )


def check_partition_disjoint(partition: Partition) -> None:
    """Refuse a partition in which a patient both teaches and is tested, or is held out by a fold that saw them.

    Raises:
        PartitionError: naming every such patient.
    """
    raise_if_any(_taught_and_tested(partition) + _seen_and_held_out(partition), PartitionError)


def _taught_and_tested(partition: Partition) -> list[Problem]:
    return [
        _twice(patient, split.name, "both training and test")
        for split in partition.splits
        for patient in sorted(set(split.test) & {p for fold in split.folds for p in (*fold.seen, *fold.held_out)})
    ]


def _seen_and_held_out(partition: Partition) -> list[Problem]:
    return [
        _twice(patient, f"{split.name}, fold {number}", "seen and held out")
        for split in partition.splits
        for number, fold in enumerate(split.folds)
        for patient in sorted(set(fold.seen) & set(fold.held_out))
    ]


def _twice(patient: str, where: str, found: str) -> Problem:
    return Problem(patient, where, found, "one place a patient", "Make the partition again; do not edit it by hand.")


def check_distinct_images(patient_ids: Sequence[str], sha256: Sequence[str | None]) -> None:
    """Refuse one image under two patients: whichever is tested, its twin may have taught.

    Args:
        patient_ids: one a patient.
        sha256: digest of each patient's slices; None without image.

    Raises:
        LeakageError: naming each patient whose image another one has too.
    """
    raise_if_any(_twins(patient_ids, sha256), LeakageError)


def _twins(patient_ids: Sequence[str], sha256: Sequence[str | None]) -> list[Problem]:
    images = pd.Series(list(sha256), index=list(patient_ids), dtype="object").dropna()
    groups = [sorted(set(map(str, twins.index))) for _, twins in images.groupby(images, sort=False)]
    return sorted(_twin(name, [n for n in names if n != name]) for names in groups for name in names if len(names) > 1)


def check_one_scan_a_patient(patient_ids: Sequence[str]) -> None:
    """Refuse identifiers that differ only in the mark of a scan (`_FU003d`, `_11`, `_post`): one patient, two rows.

    Raises:
        LeakageError: naming every row of such a patient.
    """
    raise_if_any(_scans_of_one_patient(patient_ids), LeakageError)


def _scans_of_one_patient(patient_ids: Sequence[str]) -> list[Problem]:
    groups: dict[str, list[str]] = {}
    for patient in sorted(set(map(str, patient_ids))):
        groups.setdefault(SCAN_MARK.sub("", patient), []).append(patient)
    expected, remedy = "one scan a patient", "Keep the baseline scan."
    return [
        Problem(patient, "patient_id", f"a scan of {name} beside {len(scans) - 1} more", expected, remedy)
        for name, scans in groups.items()
        for patient in scans
        if len(scans) > 1
    ]


def _twin(patient: str, others: Sequence[str]) -> Problem:
    return Problem(
        patient, "image", f"the same as that of {', '.join(others)}", "an image of its own", "Keep one of them."
    )


def count_openings(opened_before: Mapping[str, str] | None, partition_sha256: str, predictions_sha256: str) -> int:
    """How often the test partition has been opened for different predictions, this time included.

    Args:
        opened_before: earlier openings: fingerprint of the predictions → fingerprint of the partition.
        partition_sha256: the partition that is opened now.
        predictions_sha256: the predictions held against it now; opening it again for the same ones is no new look.
    """
    same = {key for key, partition in (opened_before or {}).items() if partition == partition_sha256}
    return len(same | {predictions_sha256})
