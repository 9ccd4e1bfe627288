"""The operating threshold: chosen on training patients' out-of-fold probabilities, and tied to them ever after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from gliocast.evidence.curves import operating_points
from gliocast.evidence.guard import Threshold


def choose_threshold(
    outcome: Bool[np.ndarray, " patients"],
    probability: Float[np.ndarray, " patients"],
    patients: Sequence[str],
    rule: Literal["half", "youden", "specificity"],
    required_specificity: float = 0.9,
) -> Threshold:
    """The probability from which on a patient is called a long-term survivor.

    Args:
        outcome: True for long-term survivors, of training patients.
        probability: their out-of-fold probabilities, 0 to 1.
        patients: their identifiers; they can never be tested with this threshold.
        rule: `half` is 0.5 and looks at nobody; `youden` maximises sensitivity + specificity (Youden 1950,
            doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3); `specificity` is the lowest threshold
            that keeps the required specificity, so that few short-term survivors are called long-term.
        required_specificity: for the rule `specificity`.
    """
    if rule == "half":
        return Threshold(0.5, rule, ())
    points = operating_points(outcome, probability)
    specificity, sensitivity = 1 - points.false_positive_rate, points.true_positive_rate
    if rule == "youden":
        best = int(np.argmax(np.round(sensitivity + specificity, 12)))  # rounding makes ties of ties
    else:
        best = int(np.flatnonzero(specificity >= required_specificity - 1e-12)[-1])
    return Threshold(float(min(points.threshold[best], 1.0)), rule, tuple(sorted(set(patients))))
