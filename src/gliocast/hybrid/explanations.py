"""What a chosen classifier listens to: mean absolute SHAP values over training patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

from gliocast.hybrid.features import encode
from gliocast.hybrid.fitted import FittedModel


def mean_absolute_shap(model: FittedModel, patients: pd.DataFrame, n_patients: int, seed: int) -> pd.DataFrame:
    """How far each predictor moves the probability of long-term survival, on average over patients.

    Exact Shapley values of the whole model, preprocessing included, against a background of the same patients. Means
    over patients alone leave this function.

    Args:
        model: a learnt model.
        patients: its training patients, with all that it reads.
        n_patients: how many of them are explained, and serve as background, at most.
        seed: of their draw.

    Returns:
        `name` (the predictor) and `importance` (a difference of probability, 0 to 1); the largest first.

    Source: Lundberg and Lee 2017, arXiv:1705.07874.
    """
    drawn = np.sort(np.random.default_rng(seed).permutation(len(patients))[:n_patients])
    values = shap_values(model, encode(patients, dict(model.facts))[drawn])
    table = pd.DataFrame({"name": list(model.facts), "importance": np.abs(values).mean(axis=0)})
    return table.sort_values("importance", ascending=False, ignore_index=True)


def shap_values(
    model: FittedModel, encoded: Float[np.ndarray, "patients predictors"]
) -> Float[np.ndarray, "patients predictors"]:
    """Exact Shapley values of each patient; they add up to the probability less its mean over the patients."""
    import shap

    if model.pair is None:
        raise ValueError(f"{model.name} is a rule and has learnt nothing to explain")
    # Asked every coalition and not regularised, the kernel's regression is solved exactly. shap's Exact explainer says
    # the same, after ten seconds in which numba compiles it.
    explainer = shap.KernelExplainer(model.pair.probability, encoded)
    n_coalitions = 2 ** encoded.shape[1]
    values = explainer.shap_values(encoded, nsamples=n_coalitions, l1_reg=0, silent=True)
    return np.asarray(values, dtype=np.float64)
