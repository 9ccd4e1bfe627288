"""The two predictors that need no fitting: the surgery rule and the majority class."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool


def surgery_rule(surgery: pd.Series) -> Bool[np.ndarray, " patients"]:
    """Long-term unless the patient had a biopsy only (Moreau et al., section 3.1).

    A missing entry is not "biopsy", but nothing is known: leave such patients out before asking.
    """
    return (surgery.astype("object") != "biopsy").to_numpy(dtype=bool)


def majority_rule(n_patients: int, n_long_term: int, n_short_term: int) -> Bool[np.ndarray, " patients"]:
    """The more frequent class for everyone, counted among the patients it is learnt from; a draw goes to long-term.

    Args:
        n_patients: how many answers are wanted.
        n_long_term: long-term survivors among those it is learnt from.
        n_short_term: short-term survivors among them.
    """
    return np.full(n_patients, n_long_term >= n_short_term)
