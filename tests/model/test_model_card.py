"""No tensor is left on the processor when another device trains: shown on a device that torch takes for another one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).with_name("on_the_card.py")


def test_another_device_trains_goes_on_scores_and_explains_as_the_processor_does():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS)]
    ended = subprocess.run(command, cwd=TESTS.parents[2], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
