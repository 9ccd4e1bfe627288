from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gliocast.imaging.findings import Refused
from gliocast.imaging.intensity import grey_statistics, normalise
from gliocast.imaging.parameters import IntensityParameters
from imaging_phantoms import slice_parameters


def rule(**changes) -> IntensityParameters:
    return slice_parameters(**{f"intensity__{name}": value for name, value in changes.items()}).intensity


def a_stack() -> np.ndarray:
    """Air of 0, a head of 100 and 300 in equal parts."""
    stack = np.zeros((9, 16, 16), dtype=np.float32)
    stack[:, 4:12, 4:8], stack[:, 4:12, 8:12] = 100.0, 300.0
    return stack


def test_statistics_of_the_slices_by_hand():
    air, head = [0.0] * 6, [80.0, 100.0]  # brighter than a tenth of the brightest: the head
    found = grey_statistics(np.array([[air + head]], dtype=np.float32))
    assert found == {"intensity_minimum": 0, "intensity_maximum": 100, "head_mean": 90, "head_sd": 10}


def test_dividing_by_the_maximum_is_the_papers_way():
    normalised, statistics = normalise(a_stack(), rule())
    assert np.unique(normalised).tolist() == [0.0, pytest.approx(1 / 3), 1.0]
    assert statistics["intensity_scale"] == 300.0


def test_z_scores_use_the_head_alone():
    normalised, statistics = normalise(a_stack(), rule(method="z_score"))
    assert (statistics["head_mean"], statistics["head_sd"]) == (200.0, 100.0)
    assert np.unique(normalised).tolist() == [-2.0, -1.0, 1.0]


def test_percentiles_of_the_head_become_0_and_1():
    normalised, _ = normalise(a_stack(), rule(method="percentile", low_percentile=10, high_percentile=90))
    assert np.unique(normalised).tolist() == [-0.5, 0.0, 1.0]


def test_bias_correction_flattens_a_slope():
    stack = np.zeros((9, 32, 32), dtype=np.float32)
    shading = np.linspace(1.0, 2.0, 24)
    stack[:, 4:28, 4:28] = 200 * shading
    flattened, _ = normalise(stack, rule(bias_correction=True))
    inside = flattened[:, 4:28, 4:28]
    assert inside.std() / inside.mean() < 0.5 * shading.std() / shading.mean()


@settings(max_examples=40)
@given(
    stack=arrays(np.float32, (2, 8, 8), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    method=st.sampled_from(["maximum", "percentile", "z_score"]),
)
def test_any_stack_is_normalised_to_numbers_or_refused(stack, method):
    try:
        normalised, _ = normalise(stack, rule(method=method))
    except Refused:
        return
    assert np.isfinite(normalised.astype(np.float16)).all()
