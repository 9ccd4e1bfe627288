"""RT structure sets: closed contours, filled on the volume's own slices."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from gliocast.imaging.findings import Finding, Refused
from gliocast.imaging.grid import Grid
from gliocast.imaging.lesion import Lesion, cut_out, is_chosen, not_among
from gliocast.imaging.volume import Volume

OFF_SLICE = 0.51  # a contour further than this from its slice (in slices), or beyond its edge, was drawn elsewhere
DIGITS = 3  # of a place in voxels: contours are stored in rounded millimetres, and less than this is their rounding
INSIDE = 1  # scikit-image's mark of what lies within an outline; what lies on its corners and sides is marked higher
XOR = "CLOSEDPLANAR_XOR"
OUTLINES = ("CLOSED_PLANAR", XOR)


def lesion_of_contours(stored: Any, name: str, labels: tuple[int | str, ...], volume: Volume) -> Lesion:
    """Fill the chosen structures' contours, and join the structures.

    A pixel belongs to a structure when its centre lies inside the contour or on it: programs that draw a mask's outline
    draw it through the centres of its outermost pixels. Where contours of one structure overlap on a slice, the inner
    one is a hole. Of two that cross, neither is the inner one: they cancel where they overlap, as in other programs,
    but DICOM says so only of contours that are marked as XOR. Of others a doubt is recorded.

    Source: DICOM PS3.3, section C.8.8.6.3.

    Raises:
        Refused: the structure is not chosen, is empty, or was drawn on other slices.
    """
    names = {int(part.ROINumber): str(part.get("ROIName") or "") for part in stored.StructureSetROISequence}
    wanted = {number for number, text in names.items() if is_chosen(number, text, labels)}
    if labels and not wanted:
        raise Refused(not_among("structure", names, name, labels))
    if len(wanted) != 1 and not labels:
        found, expected = f"{len(wanted)} structures", "one, or a choice by lesion_labels"
        remedy = "Name the lesion's structure, by number or label, in `lesion_labels` of the catalog entry imaging."
        raise Refused(Finding("several_structures", name, found, expected, remedy))
    structures = [part for part in stored.ROIContourSequence if int(part.ReferencedROINumber) in wanted]
    if not any(map(_outlines, structures)):
        raise Refused(Finding("empty_lesion_mask", name, "no closed contour of the chosen structure", "one at least"))
    voxels = np.zeros(volume.grid.shape, dtype=bool)
    crossed = [_fill(voxels, _outlines(part), volume.grid, name) for part in structures]
    unmarked = sum(n for n, part in zip(crossed, structures, strict=True) if not _is_marked(part))
    return replace(cut_out(voxels, volume.grid, (), name), doubts=_doubts(unmarked, name))


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


def _is_marked(structure: Any) -> bool:
    return any(str(part.get("ContourGeometricType")) == XOR for part in structure.get("ContourSequence") or [])


def _fill(
    voxels: Bool[np.ndarray, "i j k"], outlines: list[Float64[np.ndarray, "points 3"]], grid: Grid, name: str
) -> int:
    """Fill each outline on the slice next to it, and say on how many slices outlines cross.

    Outlines at one height cut holes into each other. Those of neighbouring heights that meet on one slice, because they
    were drawn on thinner ones, are joined; an outline that was stored twice is drawn once.
    """
    drawn: dict[tuple[int, float], list[Float64[np.ndarray, "points 2"]]] = {}
    for points in {outline.tobytes(): grid.to_voxels(outline).round(DIGITS) for outline in outlines}.values():
        flat = int(np.ptp(points, axis=0).argmin())  # the stored axis that the contour is perpendicular to
        height = round(float(points[:, flat].mean()), 2)
        _check_place(points, flat, _slice_at(height), grid, name)
        drawn.setdefault((flat, height), []).append(np.delete(points, flat, axis=1))
    n_crossed = 0
    for (flat, height), flattened in drawn.items():
        section = np.moveaxis(voxels, flat, 0)[_slice_at(height)]
        marks = [_marked(section.shape, outline) for outline in flattened]
        insides = [mark == INSIDE for mark in marks]
        section |= np.logical_xor.reduce(insides) | (np.max(marks, axis=0) > INSIDE)
        n_crossed += any(_cross(*pair) for pair in combinations(insides, 2))
    return n_crossed


def _marked(shape: tuple[int, ...], outline: Float64[np.ndarray, "points 2"]) -> UInt8[np.ndarray, "rows columns"]:
    """0 for a pixel outside of the outline, `INSIDE`, or more for one whose centre the outline runs through."""
    from skimage.measure import grid_points_in_poly

    marks = np.zeros(shape, dtype=np.uint8)
    first = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
    around = tuple(map(slice, first, np.ceil(outline.max(axis=0)).astype(int) + 1))
    marks[around] = grid_points_in_poly(marks[around].shape, outline - first, binarize=False)
    return marks


def _cross(first: Bool[np.ndarray, "rows columns"], second: Bool[np.ndarray, "rows columns"]) -> bool:
    """Whether two overlap, and neither lies within the other."""
    return all(part.any() for part in (first & second, first & ~second, second & ~first))


def _doubts(n_crossed: int, name: str) -> tuple[Finding, ...]:
    if n_crossed == 0:
        return ()
    found, expected = f"made of contours that cross (slices: {n_crossed})", "contours apart, or within each other"
    remedy = "Look at it: what two of them share is left out. Join them where it is lesion."
    return (Finding("contours_cross", f"a structure of {name}", found, expected, remedy, doubt=True),)


def _slice_at(height: float) -> int:
    return int(np.floor(height + 0.5))  # halves go up, all of them: `round` would send two of them to one slice


def _check_place(points: Float64[np.ndarray, "points 3"], flat: int, place: int, grid: Grid, name: str) -> None:
    if np.abs(points[:, flat] - place).max() > OFF_SLICE:
        raise Refused(Finding("lesion_mask_elsewhere", name, "a contour between the slices", "contours on the slices"))
    if (points < -OFF_SLICE).any() or (points > np.array(grid.shape) - 1 + OFF_SLICE).any():
        raise Refused(Finding("lesion_mask_elsewhere", name, "a contour outside the volume", "inside it"))
