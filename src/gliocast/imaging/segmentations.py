"""DICOM segmentations: binary or fractional, sparse, with segments that may overlap; or label maps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from gliocast.imaging.checks import grid_findings
from gliocast.imaging.dicom_series import PARALLEL
from gliocast.imaging.findings import Finding, Refused, refuse_if_any
from gliocast.imaging.grid import Grid
from gliocast.imaging.lesion import HALF, Lesion, cut_out, is_chosen, not_among
from gliocast.imaging.parameters import GeometryParameters


def lesion_of_segments(stored: Any, name: str, labels: tuple[int | str, ...], rules: GeometryParameters) -> Lesion:
    """The union of the chosen segments.

    Source: DICOM PS3.3, section C.8.20.

    Args:
        stored: the SEG object with its pixels.
        name: its file, for messages.
        labels: segment numbers or labels; empty: all but the background of a label map.
        rules: how large a volume may be, and how far apart its voxels.

    Raises:
        Refused: no segment is chosen, none has a frame, the frames are on no regular grid, or one that is too large
            or has implausible spacings.
    """
    segments = {int(part.SegmentNumber): str(part.get("SegmentLabel") or "") for part in stored.SegmentSequence}
    if _is_label_map(stored):
        segments.pop(int(stored.get("PixelPaddingValue") or 0), None)  # the background, where it has a segment
    wanted = {number for number, label in segments.items() if is_chosen(number, label, labels)}
    if not wanted:
        raise Refused(not_among("segment", segments, name, labels))
    frames = _frames(stored, wanted)
    if not frames:
        raise Refused(Finding("empty_lesion_mask", name, "no frame of the chosen segments", "one at least"))
    origins = _of_frames(frames, stored, "PlanePositionSequence", "ImagePositionPatient")
    spacings = _of_frames(frames, stored, "PixelMeasuresSequence", "PixelSpacing")
    axes = _of_frames(frames, stored, "PlaneOrientationSequence", "ImageOrientationPatient")
    across, down = axes[0, :3], axes[0, 3:]
    normal = np.cross(across, down)
    depths = origins @ normal
    first = origins[depths.argmin()]
    step_mm = _step_mm(depths, frames[0][1], stored)
    places = np.round((depths - depths.min()) / step_mm).astype(int)
    off_mm = np.linalg.norm(origins - first - places[:, None] * step_mm * normal, axis=1)
    uneven = off_mm.max() > 0.01 * step_mm * max(1, places.max())
    if uneven or max(np.ptp(axes, axis=0).max(), np.ptp(spacings, axis=0).max()) > PARALLEL:
        found = "frames that are unevenly spaced, shifted or turned"
        raise Refused(Finding("lesion_mask_irregular", name, found, "frames on one regular grid"))
    shape = (*frames[0][0].shape[::-1], int(places.max()) + 1)
    columns = np.stack([across * spacings[0, 1], down * spacings[0, 0], normal * step_mm], axis=1)
    grid = Grid.from_lps(shape, columns, first)
    refuse_if_any(grid_findings(grid, name, rules))
    return cut_out(_stacked([plane for plane, _ in frames], places, shape), grid, (), name)


def _is_label_map(stored: Any) -> bool:
    """Whether a frame holds all segments, each pixel the number of its own."""
    return str(stored.SegmentationType).upper() == "LABELMAP"


def _frames(stored: Any, wanted: Collection[int]) -> list[tuple[Bool[np.ndarray, "rows columns"], Any]]:
    """Where the wanted segments are on each frame that may hold them, and its functional groups."""
    pixels = np.asarray(stored.pixel_array)
    pixels = pixels if pixels.ndim == 3 else pixels[None]
    everywhere = stored.PerFrameFunctionalGroupsSequence
    if _is_label_map(stored):
        return list(zip(np.isin(pixels, list(wanted)), everywhere, strict=True))
    fractional = str(stored.SegmentationType).upper() == "FRACTIONAL"
    limit = HALF * float(stored.get("MaximumFractionalValue") or 255) if fractional else HALF
    frames = zip(pixels >= limit, everywhere, strict=True)
    return [(plane, groups) for plane, groups in frames if _segment(groups, stored) in wanted]


def _segment(groups: Any, stored: Any) -> int:
    return int(_item(groups, stored, "SegmentIdentificationSequence").ReferencedSegmentNumber)


def _item(groups: Any, stored: Any, sequence: str) -> Any:
    shared = stored.get("SharedFunctionalGroupsSequence")
    return (groups.get(sequence) or shared[0].get(sequence))[0]


def _of_frames(
    frames: list[tuple[Bool[np.ndarray, "rows columns"], Any]], stored: Any, sequence: str, tag: str
) -> Float64[np.ndarray, "frames numbers"]:
    items = (_item(groups, stored, sequence) for _, groups in frames)
    return np.array([[float(value) for value in getattr(item, tag)] for item in items])


def _step_mm(depths: Float64[np.ndarray, " frames"], groups: Any, stored: Any) -> float:
    """Distance of neighbouring slices: as declared, or else the smallest distance between frames, or the thickness."""
    measures = _item(groups, stored, "PixelMeasuresSequence")
    declared = measures.get("SpacingBetweenSlices")
    distances = np.diff(np.unique(np.round(depths, 3)))
    if distances.size:
        smallest = float(distances.min())
        return float(declared) if declared and abs(smallest / float(declared) % 1) < 1e-2 else smallest
    return float(declared or measures.get("SliceThickness") or 1.0)


def _stacked(
    planes: list[Bool[np.ndarray, "rows columns"]], places: np.ndarray, shape: tuple[int, int, int]
) -> Bool[np.ndarray, "i j k"]:
    voxels = np.zeros(shape, dtype=bool)
    for plane, place in zip(planes, places, strict=True):
        voxels[:, :, place] |= plane.T
    return voxels
