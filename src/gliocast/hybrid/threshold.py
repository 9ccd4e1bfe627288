"""The operating threshold: the probability from which on a patient is called a long-term survivor."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from gliocast.hybrid.parameters import ThresholdParameters


def operating_threshold(
    outcome: Bool[np.ndarray, " patients"],
    probability: Float[np.ndarray, " patients"],
    parameters: ThresholdParameters,
) -> float:
    """The threshold that the rule finds on training patients' out-of-fold probabilities.

    Candidates lie halfway between neighbouring probabilities, so that no patient sits on the threshold. Among equally
    good ones the nearest to 0.5 is taken. Where none keeps the required specificity, the threshold lies above 1:
    nobody is called long-term.

    Args:
        outcome: true for long-term survivors; both classes occur.
        probability: out-of-fold probability of long-term survival, 0 to 1.
        parameters: the rule (Youden 1950, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3, for
            `youden`).
    """
    if parameters.rule == "fixed":
        return parameters.fixed
    levels = np.unique(np.concatenate([[0.0], probability, [1.0]]))
    halfway = (levels[:-1] + levels[1:]) / 2
    called = probability[None, :] >= halfway[:, None]
    sensitivity = called[:, outcome].mean(axis=1)
    specificity = (~called[:, ~outcome]).mean(axis=1)
    if parameters.rule == "youden":
        good = np.isclose(sensitivity + specificity, (sensitivity + specificity).max())
        return float(min(halfway[good], key=lambda threshold: abs(threshold - 0.5)))
    kept = specificity >= parameters.required_specificity
    return float(halfway[kept].min()) if kept.any() else float(np.nextafter(1, 2))
