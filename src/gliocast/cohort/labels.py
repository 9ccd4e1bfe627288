"""What became of a patient: long-term or short-term survivor, or undeterminable."""

from __future__ import annotations

import pandas as pd

from gliocast.types import LONG_TERM, SHORT_TERM


def outcomes(survival_days: pd.Series, event_observed: pd.Series, threshold_days: float) -> pd.Series:
    """The outcome of each patient (Moreau et al., section 2.1).

    Args:
        survival_days: days until death or last contact.
        event_observed: True where the patient died, False where censored.
        threshold_days: survival from which on a patient is a long-term survivor, days.

    Returns:
        `long_term` at or beyond the threshold, whether dead or alive then; `short_term` where death came before it;
        NA where the patient was last seen alive before it, or the survival is not known.
    """
    outcome = pd.Series(pd.NA, index=survival_days.index, dtype="string", name="outcome")
    reached = (survival_days >= threshold_days).fillna(False).astype(bool)
    died_before = ((survival_days < threshold_days) & event_observed).fillna(False).astype(bool)
    return outcome.mask(reached, LONG_TERM).mask(died_before, SHORT_TERM)
