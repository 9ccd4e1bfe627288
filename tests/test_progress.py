"""Long work is told in the log, where there is no terminal to draw a bar on."""

from __future__ import annotations

import logging

import pytest

from gliocast.progress import counted, steps


def test_every_tenth_of_the_patients_is_logged_once_they_are_done(caplog):
    caplog.set_level(logging.INFO, "gliocast")
    taken = []
    for batch in counted(["aaaa", "bbbb", "cc", "d"], 11, "Cutting", patients=len):
        taken.append((batch, len(caplog.records)))
    assert taken == [("aaaa", 0), ("bbbb", 1), ("cc", 2), ("d", 3)]
    assert caplog.messages == [f"Cutting: {done} of 11 patients" for done in (4, 8, 10, 11)]


def test_a_line_is_not_said_again_within_a_tenth(caplog):
    caplog.set_level(logging.INFO, "gliocast")
    assert list(counted(range(40), 40, "Cutting")) == list(range(40))
    assert len(caplog.records) == 10


def test_work_that_fails_is_not_counted_as_done(caplog):
    caplog.set_level(logging.INFO, "gliocast")
    with pytest.raises(ZeroDivisionError):
        list(counted((1 / left for left in (2, 1, 0)), 3, "Cutting"))
    assert caplog.messages == ["Cutting: 1 of 3 patients", "Cutting: 2 of 3 patients"]


def test_a_step_is_named_as_it_begins(caplog):
    caplog.set_level(logging.INFO, "gliocast")
    with steps("Fitting", 2) as begin:
        begin("the first")
        assert caplog.messages == ["Fitting the first."]
        begin("the second")
    assert caplog.messages[1:] == ["Fitting the second."]
