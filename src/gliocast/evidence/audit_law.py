"""The law behind simulated patients: Table 1's distributions by outcome, and a latent image score of known strength."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from gliocast.types import LONG_TERM, SHORT_TERM, SURGERIES

CLINICAL_FEATURES = ("age_years", "female", "who_status", "incomplete", "complete")
OUTCOMES = (SHORT_TERM, LONG_TERM)


@dataclass(frozen=True)
class Patients:
    """Cohorts side by side, all of one size.

    Attributes:
        outcome: True for long-term survivors.
        clinical: the columns `CLINICAL_FEATURES`.
        noise: what in the image has nothing to do with the outcome, standard normal.
    """

    outcome: Bool[np.ndarray, "cohorts patients"]
    clinical: Float[np.ndarray, "cohorts patients features"]
    noise: Float[np.ndarray, "cohorts patients"]

    def latent(self, image_signal: float) -> Float[np.ndarray, "cohorts patients"]:
        """Image score of a perfect reader whose AUC is `image_signal`, 0.5 (no signal) to below 1."""
        from scipy.special import ndtri

        distance = np.sqrt(2) * float(ndtri(image_signal))  # between two normals of standard deviation one
        return self.noise + distance * (self.outcome - 0.5)


def draw_patients(
    table1: Mapping[str, Any],
    age_sd_years: Mapping[Any, float],
    shape: tuple[int, int],
    generator: np.random.Generator,
) -> Patients:
    """New patients. Given the outcome, all features are independent: Table 1 prints no more than their margins.

    Args:
        table1: by outcome `n`, counts of `sex`, `surgery` and `who_status`, and `age_years` (mean, min, max).
        age_sd_years: standard deviation of age by outcome; the law is a normal one, cut at the printed range.
        shape: cohorts, patients in each.
        generator: the source of randomness.
    """
    sizes = np.array([table1[outcome]["n"] for outcome in OUTCOMES], dtype=float)
    long_term = generator.random(shape) < sizes[1] / sizes.sum()
    by_outcome = [_clinical(table1[outcome], age_sd_years[outcome], shape, generator) for outcome in OUTCOMES]
    clinical = np.where(long_term[..., None], by_outcome[1], by_outcome[0])
    return Patients(long_term, clinical, generator.normal(size=shape))


def _clinical(
    margins: Mapping[str, Any], age_sd_years: float, shape: tuple[int, int], generator: np.random.Generator
) -> Float[np.ndarray, "cohorts patients features"]:
    surgery = _draw(margins["surgery"], list(SURGERIES), shape, generator)
    columns = (
        _ages(margins["age_years"], age_sd_years, shape, generator),
        _draw(margins["sex"], ["M", "F"], shape, generator),
        _draw(margins["who_status"], list(margins["who_status"]), shape, generator),
        surgery == 1,
        surgery == 2,
    )
    return np.stack([np.asarray(column, dtype=float) for column in columns], axis=-1)


def _ages(
    age: Mapping[str, float], sd: float, shape: tuple[int, int], generator: np.random.Generator
) -> Float[np.ndarray, "cohorts patients"]:
    from scipy.special import ndtr, ndtri

    low, high = (ndtr((age[limit] - age["mean"]) / sd) for limit in ("min", "max"))
    return np.asarray(age["mean"] + sd * ndtri(generator.uniform(low, high, shape)))


def _draw(
    counts: Mapping[Any, int], levels: list[Any], shape: tuple[int, int], generator: np.random.Generator
) -> np.ndarray:
    """The place of each drawn level in `levels`."""
    share = np.array([counts[level] for level in levels], dtype=float)
    return generator.choice(len(levels), size=shape, p=share / share.sum())


def cnn_logits(
    latent: Float[np.ndarray, "cohorts patients"],
    outcome: Bool[np.ndarray, "cohorts patients"],
    seen: Bool[np.ndarray, "cohorts patients"],
    memorised_logit: float,
) -> Float[np.ndarray, "cohorts patients"]:
    """What a network says of patients: of those it was trained on their own outcome, of others what the image shows.

    Args:
        latent: image score of a perfect reader.
        outcome: True for long-term survivors.
        seen: who was among its training patients.
        memorised_logit: how far training has pulled its training patients towards their outcome; 0: not at all.
    """
    return latent + memorised_logit * seen * np.where(outcome, 1.0, -1.0)
