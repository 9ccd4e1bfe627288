"""RT structure sets: closed contours, filled on the volume's own slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from gliocast.imaging.findings import Finding, Refused
from gliocast.imaging.grid import Grid
from gliocast.imaging.lesion import Lesion, cut_out, is_chosen
from gliocast.imaging.volume import Volume

OFF_SLICE = 0.5  # a contour further than this from every slice (in slices) was drawn on another volume
OUTLINES = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


def lesion_of_contours(stored: Any, name: str, labels: tuple[int | str, ...], volume: Volume) -> Lesion:
    """Fill the chosen structures' contours, and join the structures.

    A pixel belongs to a structure when its centre lies inside the contour; where contours of one structure overlap on a
    slice, the inner one is a hole.

    Raises:
        Refused: the structure is not chosen, is empty, or was drawn on other slices.
    """
    names = {int(part.ROINumber): str(part.get("ROIName") or "") for part in stored.StructureSetROISequence}
    wanted = {number for number, text in names.items() if is_chosen(number, text, labels)}
    if len(wanted) != 1 and not labels:
        found, expected = f"{len(wanted)} structures", "one, or a choice by lesion_labels"
        raise Refused(Finding("several_structures", name, found, expected, "Name the lesion's structure."))
    structures = [_outlines(part) for part in stored.ROIContourSequence if int(part.ReferencedROINumber) in wanted]
    if not any(structures):
        raise Refused(Finding("empty_lesion_mask", name, "no closed contour of the chosen structure", "one at least"))
    voxels = np.zeros(volume.grid.shape, dtype=bool)
    for outlines in structures:
        voxels |= _filled(outlines, volume.grid, name)
    return cut_out(voxels, volume.grid, (), name)


def _outlines(structure: Any) -> list[Float64[np.ndarray, "points 3"]]:
    """The closed contours of one structure."""
    outlines = [_outline(part) for part in structure.get("ContourSequence") or []]
    return [outline for outline in outlines if len(outline)]


def _outline(part: Any) -> Float64[np.ndarray, "points 3"]:
    """The contour's points, RAS mm; none where it is no closed outline."""
    if str(part.get("ContourGeometricType")) not in OUTLINES:
        return np.zeros((0, 3))
    points = np.array([float(value) for value in part.ContourData]).reshape(-1, 3)
    return points * np.array([-1.0, -1.0, 1.0])


def _filled(outlines: list[Float64[np.ndarray, "points 3"]], grid: Grid, name: str) -> Bool[np.ndarray, "i j k"]:
    voxels = np.zeros(grid.shape, dtype=bool)
    for outline in outlines:
        _fill(voxels, grid.to_voxels(outline), name)
    return voxels


def _fill(voxels: Bool[np.ndarray, "i j k"], points: Float64[np.ndarray, "points 3"], name: str) -> None:
    from skimage.draw import polygon

    flat = int(np.ptp(points, axis=0).argmin())  # the stored axis that the contour is perpendicular to
    place = int(np.round(points[:, flat].mean()))
    off = float(np.abs(points[:, flat] - place).max())
    if off > OFF_SLICE or not 0 <= place < voxels.shape[flat]:
        raise Refused(Finding("lesion_mask_elsewhere", name, "a contour between the slices", "contours on the slices"))
    section = np.moveaxis(voxels, flat, 0)[place]
    rows, columns = (points[:, axis] for axis in range(3) if axis != flat)
    inside = polygon(rows, columns, section.shape)
    section[inside] ^= True
