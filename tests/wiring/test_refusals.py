from __future__ import annotations

import pytest
from kedro.io import DatasetError

from gliocast.errors import ConfigurationError, Problem
from gliocast.refusals import input_error, users_error

WRONG = ConfigurationError(Problem("–", "seed", "-1", "0 or more", "Correct it."))


def test_an_error_that_kedro_wraps_is_the_user_s():
    with pytest.raises(DatasetError) as wrapped:
        raise DatasetError("Failed while saving") from WRONG
    assert input_error(wrapped.value) is WRONG


def test_a_bug_of_ours_while_a_wrong_input_is_told_is_no_user_s_error():
    with pytest.raises(KeyError) as bug:
        try:
            raise WRONG
        except ConfigurationError:
            {}["a bug of ours"]
    assert users_error(bug.value) is None
