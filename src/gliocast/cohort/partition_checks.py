"""Whether a partition separates its patients, and still is the partition of this cohort."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator

from gliocast.errors import NOT_APPLICABLE, Problem, listed
from gliocast.types import Fold, Partition, Split

REDRAW = "Delete the stored partition and run again: it is then drawn anew, and everything after it is fitted anew."
RESTORE = "Restore the file as it was written, or delete it and run again to draw a new partition."


def check_partition(partition: Partition) -> list[Problem]:
    """Every patient who stands where they must not: trained on and tested, in two parts of a fold, or nowhere.

    Args:
        partition: as drawn, or as loaded from a file that anybody may have edited.
    """
    return [
        *(problem for split in partition.splits for problem in split_problems(split)),
        *repeated_test_problems(partition),
        *fold_problems(partition.paper, "paper"),
        *paper_problems(partition),
        *name_problems(partition),
    ]


def check_cohort_unchanged(partition: Partition, patient_ids: Iterable[str]) -> list[Problem]:
    """Whether the partition is that of the given patients: every patient gained or lost since it was drawn."""
    drawn, now = set(partition.patients), set(map(str, patient_ids))
    if drawn == now:
        return []
    found = f"{len(now)} patients ({cohort_sha256(now)[:12]})"
    expected = f"the {len(drawn)} patients it was drawn for ({cohort_sha256(drawn)[:12]})"
    changes = {"new": sorted(now - drawn), "no longer in the cohort": sorted(drawn - now)}
    return [
        Problem(NOT_APPLICABLE, "the cohort of the partition", found, expected, REDRAW),
        *(
            Problem(listed(patients), "partition", change, "the same patients", REDRAW)
            for change, patients in changes.items()
            if patients
        ),
    ]


def cohort_sha256(patient_ids: Iterable[str]) -> str:
    """Fingerprint of a set of patients, in whatever order they come."""
    return hashlib.sha256(json.dumps(sorted(set(patient_ids))).encode()).hexdigest()


def split_problems(split: Split) -> Iterator[Problem]:
    """Everything that is wrong within one split."""
    for patient, parts in places({"test": split.test, "training": split.training}).items():
        yield stands_twice(patient, f"split {split.name}", parts)
    for number, fold in enumerate(split.folds, start=1):
        where = f"split {split.name}, fold {number}"
        yield from fold_problems(fold, where)
        training = set(split.training)
        for patient in sorted(set(fold.seen) - training):
            yield Problem(patient, where, "not a training patient of the split", "training patients only", RESTORE)
        for patient in sorted(training - {*fold.seen, *fold.held_out}):
            yield Problem(patient, where, "absent", "every training patient", RESTORE)


def fold_problems(fold: Fold, where: str) -> Iterator[Problem]:
    """Every patient who stands twice in one fold."""
    for patient, parts in places({"fit": fold.fit, "stop": fold.stop, "held out": fold.held_out}).items():
        yield stands_twice(patient, where, parts)


def places(parts: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """The patients who stand in several parts, or several times in one, and where."""
    counts = Counter(patient for patients in parts.values() for patient in patients)
    repeated = {patient for patient, count in counts.items() if count > 1}
    found: dict[str, list[str]] = {patient: [] for patient in sorted(repeated)}
    for part, patients in parts.items():
        for patient in patients:
            if patient in repeated:
                found[patient].append(part)
    return found


def stands_twice(patient: str, where: str, parts: list[str]) -> Problem:
    """The problem of a patient who stands in two parts."""
    return Problem(patient, where, " and ".join(parts), "one part only", RESTORE)


def repeated_test_problems(partition: Partition) -> Iterator[Problem]:
    """Every patient who is tested more than once in one repeat, or by two centres."""
    repeats: dict[str | None, dict[str, tuple[str, ...]]] = {}
    for split in partition.splits:
        repeat = split.stratum if partition.scheme == "nested_cv" else None
        repeats.setdefault(repeat, {})[f"test of {split.name}"] = split.test
    for repeat, tests in repeats.items():
        for patient, parts in places(tests).items():
            if len(set(parts)) > 1:  # twice within one test is told by the split
                yield stands_twice(patient, repeat or partition.scheme, parts)


def paper_problems(partition: Partition) -> Iterator[Problem]:
    """The paper's own fold must train on and test the patients that the first split trains on and tests."""
    if not partition.splits:
        yield Problem(NOT_APPLICABLE, "partition", "no split", "at least one", RESTORE)
        return
    first, paper = partition.splits[0], partition.paper
    for part, theirs, ours in (("test", paper.held_out, first.test), ("training", paper.seen, first.training)):
        strangers = sorted(set(theirs) ^ set(ours))
        if strangers:
            expected = f"the {part} patients of the first split"
            yield Problem(listed(strangers), "paper", f"in one of the two {part} sets only", expected, RESTORE)


def name_problems(partition: Partition) -> Iterator[Problem]:
    """Scores are kept by the name of their split, so no two splits may share one."""
    for name, count in Counter(split.name for split in partition.splits).items():
        if count > 1:
            yield Problem(NOT_APPLICABLE, f"split {name}", f"{count} splits of this name", "one", RESTORE)
