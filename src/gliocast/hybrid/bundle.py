"""The bundle: everything that inference needs, and no patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gliocast.evidence.guard import fingerprint_of_patients
from gliocast.hybrid.fitted import FittedModels
from gliocast.types import LONG_TERM

RESEARCH_USE = "Research use only; not a medical device."


@dataclass(frozen=True)
class Bundle:
    """The image model, the fitted models, and what must be known to use them.

    Attributes:
        image_model: the network's ensemble.
        models: the fitted models of every split.
        record: the positive class, the parameters, the fingerprints of the partition and of the patients fitted on.
    """

    image_model: Any
    models: FittedModels
    record: Mapping[str, Any]


def build_bundle(image_model: Any, models: FittedModels, record: Mapping[str, Any]) -> Bundle:
    """Put the parts together; the patients that they were fitted on are replaced by their fingerprint.

    Args:
        image_model: with `members`, each with `fitted_on`.
        models: the fitted models.
        record: parameters and fingerprints of the run.
    """
    fitted_on = {model.key: fingerprint_of_patients(model.fitted_on) for model in models.models}
    members = tuple(replace(member, fitted_on=()) for member in image_model.members)
    anonymous = FittedModels(tuple(replace(model, fitted_on=()) for model in models.models))
    facts = {"positive_class": LONG_TERM, "use": RESEARCH_USE, "fitted_on_sha256": fitted_on}
    return Bundle(replace(image_model, members=members), anonymous, {**record, **facts})
