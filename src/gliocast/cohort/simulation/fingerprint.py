"""What tells one simulated cohort from another: everything asked for, and the code that made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from gliocast.cohort.simulation.parameters import SimulationParameters
from gliocast.types import Parameters


def request_fingerprint(simulation: SimulationParameters, seed: int, tables: Sequence[Parameters]) -> str:
    """SHA-256 over parameters, seed, the imitated tables and this package's code: same fingerprint, same bytes."""
    request = [
        generator_fingerprint(),
        simulation.model_dump(mode="json"),
        seed,
        [table.model_dump(mode="json") for table in tables],
    ]
    return sha256_of_text(json.dumps(request, sort_keys=True))


@cache
def generator_fingerprint() -> str:
    """SHA-256 over the sources of this package: other code may draw other heads."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return sha256_of_text("".join(source.read_text(encoding="utf-8") for source in sources))


def sha256_of_text(text: str) -> str:
    """SHA-256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
