"""What the model room asks of a store of slices; the imaging room's is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float


@runtime_checkable
class SliceStacks(Protocol):
    """Random access to the slices of patients."""

    def load(self, patient_ids: Sequence[str]) -> Float[np.ndarray, "patients slices height width"]:
        """The slices of the patients, in their order."""
