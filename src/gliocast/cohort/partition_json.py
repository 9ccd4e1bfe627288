"""The partition as JSON, for a file that people can read, and back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from gliocast.cohort.partition_checks import RESTORE, check_partition, cohort_sha256
from gliocast.errors import NOT_APPLICABLE, PartitionError, Problem, raise_if_any
from gliocast.types import Partition


def partition_to_json(partition: Partition) -> dict[str, Any]:
    """The partition in plain types, with the fingerprint of its patients and the number of them."""
    patients = partition.patients
    return {**asdict(partition), "n_patients": len(patients), "cohort_sha256": cohort_sha256(patients)}


def partition_from_json(stored: Any) -> Partition:
    """The partition that was stored, checked.

    Raises:
        PartitionError: no partition, patients who stand twice, or other patients than when it was written.
    """
    from pydantic import TypeAdapter, ValidationError

    if not isinstance(stored, dict):
        raise PartitionError(Problem(NOT_APPLICABLE, "the partition", "no partition", "what was written", RESTORE))
    content = {key: value for key, value in stored.items() if key not in ("n_patients", "cohort_sha256")}
    try:
        partition = TypeAdapter(Partition).validate_python(content)
    except ValidationError as error:
        raise PartitionError([malformed(finding) for finding in error.errors(include_url=False)]) from None
    raise_if_any(check_partition(partition) + fingerprint_problems(partition, stored), PartitionError)
    return partition


def partition_sha256(partition: Partition) -> str:
    """Fingerprint of who trains and who is tested where."""
    return hashlib.sha256(json.dumps(asdict(partition), sort_keys=True).encode()).hexdigest()


def malformed(finding: Any) -> Problem:
    """One finding of pydantic as one of ours."""
    where = "partition." + ".".join(map(str, finding["loc"]))
    return Problem(NOT_APPLICABLE, where, "not as it was written", finding["msg"], RESTORE)


def fingerprint_problems(partition: Partition, stored: dict[str, Any]) -> list[Problem]:
    """Whether the patients are still those whose fingerprint was stored."""
    found = cohort_sha256(partition.patients)
    expected = str(stored.get("cohort_sha256", "absent"))
    if found == expected:
        return []
    return [Problem(NOT_APPLICABLE, "fingerprint of the partition's patients", found[:12], expected[:12], RESTORE)]
