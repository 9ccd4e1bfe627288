"""RT structure sets: closed contours, filled on the volume's own slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int

from gliocast.imaging.findings import Finding, Refused
from gliocast.imaging.grid import Grid
from gliocast.imaging.lesion import Lesion, cut_out, is_chosen, not_among
from gliocast.imaging.volume import Volume

OFF_SLICE = 0.51  # a contour further than this from its slice (in slices), or beyond its edge, was drawn elsewhere
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
    if labels and not wanted:
        numbers = dict.fromkeys(names, "")  # without what somebody has called them: that may be the patient's name
        raise Refused(not_among("structure", numbers, name, labels))
    if len(wanted) != 1 and not labels:
        found, expected = f"{len(wanted)} structures", "one, or a choice by lesion_labels"
        remedy = "Name the lesion's structure, by number or label, in `lesion_labels` of the catalog entry imaging."
        raise Refused(Finding("several_structures", name, found, expected, remedy))
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
    """The voxels inside the outlines, each filled on the slice next to it.

    Outlines at one height cut holes into each other. Those of neighbouring heights that meet on one slice, because they
    were drawn on thinner ones, are joined; an outline that was stored twice is drawn once.
    """
    drawn: dict[tuple[int, float], Bool[np.ndarray, "rows columns"]] = {}
    for points in {outline.tobytes(): grid.to_voxels(outline) for outline in outlines}.values():
        flat = int(np.ptp(points, axis=0).argmin())  # the stored axis that the contour is perpendicular to
        height = round(float(points[:, flat].mean()), 2)
        _check_place(points, flat, _slice_at(height), grid, name)
        section = drawn.setdefault((flat, height), np.zeros(np.delete(grid.shape, flat), dtype=bool))
        section[_inside(np.delete(points, flat, axis=1), section.shape)] ^= True
    voxels = np.zeros(grid.shape, dtype=bool)
    for (flat, height), section in drawn.items():
        np.moveaxis(voxels, flat, 0)[_slice_at(height)] |= section
    return voxels


def _slice_at(height: float) -> int:
    return int(np.floor(height + 0.5))  # halves go up, all of them: `round` would send two of them to one slice


def _inside(
    points: Float64[np.ndarray, "points 2"], shape: tuple[int, ...]
) -> tuple[Int[np.ndarray, " pixels"], Int[np.ndarray, " pixels"]]:
    from skimage.draw import polygon

    rows, columns = polygon(points[:, 0], points[:, 1], shape)
    return np.asarray(rows), np.asarray(columns)


def _check_place(points: Float64[np.ndarray, "points 3"], flat: int, place: int, grid: Grid, name: str) -> None:
    if np.abs(points[:, flat] - place).max() > OFF_SLICE:
        raise Refused(Finding("lesion_mask_elsewhere", name, "a contour between the slices", "contours on the slices"))
    if (points < -OFF_SLICE).any() or (points > np.array(grid.shape) - 1 + OFF_SLICE).any():
        raise Refused(Finding("lesion_mask_elsewhere", name, "a contour outside the volume", "inside it"))
