"""Is it fast, and does it learn? One file a question, peers in the same run; cohorts and networks are the tests'."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / room) for room in ("", "hybrid", "model")]
