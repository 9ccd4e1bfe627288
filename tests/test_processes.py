"""Processes that share work end with their run, also where nobody tells them to."""

from __future__ import annotations

import subprocess
import sys

from gliocast.processes import in_processes
from processes import helpers_of, lives, wait_until

RUN = """
import time
from gliocast.processes import in_processes

in_processes(2, time.sleep, [0.0, 0.0])
print("idle", flush=True)
time.sleep(60)
"""


def test_answers_come_in_the_order_of_the_jobs():
    assert list(in_processes(2, abs, [-3, 1, -2])) == [3, 1, 2]


def test_processes_without_work_do_not_wait_for_more_when_their_run_was_killed():
    run = subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, text=True)
    try:
        assert run.stdout.readline() == "idle\n"
        helpers = helpers_of(run.pid, b"popen_loky")
        assert helpers and all(map(lives, helpers))
    finally:
        run.kill()
        run.wait()
    assert wait_until(lambda: not any(map(lives, helpers)), seconds=20)
