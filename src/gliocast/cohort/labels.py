"""What became of a patient: long-term or short-term survivor, one of several classes, or undeterminable."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from gliocast.errors import NOT_APPLICABLE, ConfigurationError, Problem
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


def survival_classes(survival_days: pd.Series, event_observed: pd.Series, cuts_days: Sequence[float]) -> pd.Series:
    """The class of survival between several cut points: 0 before the first, k from the k-th on.

    Args:
        survival_days: days until death or last contact.
        event_observed: True where the patient died, False where censored.
        cuts_days: ascending cut points, days; one for two classes, three for four.

    Returns:
        Whole numbers from 0 to the number of cuts; NA where the patient was last seen alive before the last cut, since
        every later class is then possible.

    Raises:
        ConfigurationError: the cuts do not ascend from above 0.
    """
    if not cuts_days or any(later <= earlier for earlier, later in zip((0, *cuts_days), cuts_days, strict=False)):
        remedy = "Give the cut points in days, each once, in ascending order."
        found = ", ".join(map(str, cuts_days)) or "none"
        raise ConfigurationError(Problem(NOT_APPLICABLE, "cuts_days", found, "ascending days above 0", remedy))
    reached = sum((survival_days >= cut).astype("Int64") for cut in cuts_days)
    determined = event_observed.fillna(False) | (survival_days >= cuts_days[-1])
    return pd.Series(reached, name="survival_class").where(determined.fillna(False).astype(bool)).astype("Int64")
