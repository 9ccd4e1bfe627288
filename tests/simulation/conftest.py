import pytest

from gliocast.cohort.simulation.parameters import Figure1, SimulationParameters, Table1
from shipped import section


@pytest.fixture(scope="session")
def paper() -> dict:
    return section("paper")


@pytest.fixture(scope="session")
def table1(paper) -> Table1:
    return Table1.model_validate(paper["table1"])


@pytest.fixture(scope="session")
def figure1(paper) -> Figure1:
    return Figure1.model_validate(paper["figure1"])


@pytest.fixture
def a_simulation():
    """A tiny simulation; a test names only what it is about."""

    def build(size_px: int = 32, slices: int = 16, **changed) -> SimulationParameters:
        geometry = {
            "size_px": size_px,
            "slices": slices,
            "spacing_mm": 256 / size_px,
            "slice_spacing_mm": 160 / slices,
        }
        acquisition = {
            "repetition_time_ms": 2070,
            "echo_time_ms": 3.15,
            "flip_angle_degrees": 15,
            "field_strengths_t": (1.5, 3.0),
        }
        values = {"n_patients": 6, "image_auc": 0.8, "dicom_share": 0.34, "geometry": geometry}
        return SimulationParameters(**{**values, "acquisition": acquisition, **changed})

    return build
