"""Processes that cut slices end with their run, also where nobody tells them to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from gliocast.imaging.workers import worker_pool
from processes import lives, wait_until


def test_no_process_stays_behind_a_run_that_was_killed():
    places = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}  # of `processes`
    run = subprocess.Popen([sys.executable, __file__], env=places, stdout=subprocess.PIPE, text=True)
    helpers = [Path(f"/proc/{number}") for number in run.stdout.readline().split()]
    assert all(map(lives, helpers)) and len(helpers) == 2
    run.kill()
    run.communicate()  # an orphan would hold the pipe open, and whoever reads what the run says would wait for ever
    assert wait_until(lambda: not any(map(lives, helpers)), seconds=30)


if __name__ == "__main__":
    pool = worker_pool(1)
    worker, server = pool.submit(os.getpid).result(), pool.submit(os.getppid).result()
    sys.stdout.write(f"{worker} {server}\n")
    sys.stdout.flush()
    time.sleep(60)
