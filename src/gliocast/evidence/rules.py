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


def majority_rule(outcome: Bool[np.ndarray, " patients"]) -> Bool[np.ndarray, " patients"]:
    """The more frequent outcome of these patients (True: long-term), for each of them; a draw goes to long-term."""
    return np.full(len(outcome), 2 * outcome.sum() >= len(outcome))
