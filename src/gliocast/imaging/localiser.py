"""Where the enhancing lesion lies when nobody has drawn it."""

from __future__ import annotations

from dataclasses import dataclass

from gliocast.imaging.findings import Finding
from gliocast.imaging.grid import AXES
from gliocast.imaging.lesion import Lesion
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.volume import Volume


@dataclass(frozen=True, eq=False)
class Located:
    """Where the central slice lies, and how sure that is.

    Attributes:
        centre_mm: position along the slice axis, RAS mm.
        source: `mask`, `localiser` or `column`.
        confidence: 0 to 1; 1 for a mask and for a person's choice.
        area_mm2: the lesion's largest cross-section, where it is known.
        lesion: what the localiser took for the lesion.
        doubts: what a person should look at.
    """

    centre_mm: float
    source: str
    confidence: float
    area_mm2: float | None = None
    lesion: Lesion | None = None
    doubts: tuple[Finding, ...] = ()


def locate_lesion(volume: Volume, parameters: SliceParameters) -> Located:
    """Find the enhancing lesion in the T1-Gd volume alone."""
    low, high = volume.grid.span_mm(AXES[parameters.axis])
    doubt = Finding("lesion_not_found", volume.name, "no lesion mask", "a lesion mask", "Check the slices.", doubt=True)
    return Located((low + high) / 2, "localiser", 0.0, doubts=(doubt,))
