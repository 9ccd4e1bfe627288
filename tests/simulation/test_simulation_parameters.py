"""What the sections `simulation` and `paper` accept."""

import pytest
from pydantic import ValidationError

from gliocast.cohort.simulation.parameters import Figure1, Table1


@pytest.mark.parametrize("name", ["spacing_mm", "slice_spacing_mm"])
def test_a_grid_on_which_no_voxel_meets_a_head_is_refused(a_simulation, name):
    geometry = a_simulation().geometry.model_dump()
    with pytest.raises(ValidationError, match=name):
        a_simulation(geometry=geometry | {name: 300.0})


def test_a_group_of_one_has_no_standard_deviation(paper):
    biopsy = paper["figure1"]["biopsy"] | {"n": 1}
    with pytest.raises(ValidationError, match="biopsy"):
        Figure1.model_validate(paper["figure1"] | {"biopsy": biopsy})


def with_who_status(paper, **counts):
    classes = {name: paper["table1"][name] | {"who_status": levels} for name, levels in counts.items()}
    return paper["table1"] | classes


@pytest.mark.parametrize("short_term", [{0: 7, 1: 40, 2: 32, 3: 6, 4: 1}, {3: 7, 2: 32, 1: 40, 0: 7}])
def test_levels_that_differ_between_the_classes_or_stand_in_another_order_are_refused(paper, short_term):
    with pytest.raises(ValidationError, match="same levels of who_status"):
        Table1.model_validate(with_who_status(paper, short_term=short_term))


def test_a_level_may_be_added_to_both_classes(paper):
    added = {"short_term": {0: 7, 1: 40, 2: 32, 3: 6, 4: 1}, "long_term": {0: 20, 1: 55, 2: 13, 3: 1, 4: 0}}
    assert Table1.model_validate(with_who_status(paper, **added)).short_term.who_status[4] == 1


@pytest.mark.parametrize(("name", "limit", "value"), [("age_years", "min", 45.0), ("survival_days", "max", 1200)])
def test_a_range_of_all_patients_that_is_not_that_of_both_classes_is_refused(paper, name, limit, value):
    everyone = paper["table1"]["all"]
    narrower = everyone | {name: everyone[name] | {limit: value}}
    with pytest.raises(ValidationError, match=f"all {name}: the least min and the greatest max of the two classes"):
        Table1.model_validate(paper["table1"] | {"all": narrower})
