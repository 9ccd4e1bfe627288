"""Lesion masks of every kind, made into one `Lesion`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from gliocast.errors import NOT_APPLICABLE, ConfigurationError, Problem
from gliocast.imaging.files import SUFFIXES, open_file
from gliocast.imaging.findings import Finding, Refused
from gliocast.imaging.intensity import head_mask
from gliocast.imaging.lesion import Lesion, cut_out
from gliocast.imaging.parameters import GeometryParameters
from gliocast.imaging.volume import Volume

MM3_A_ML = 1000.0


def read_mask(
    path: Path,
    labels: tuple[int | str, ...],
    rules: GeometryParameters,
    spacing_mm: tuple[float, float, float] | None = None,
) -> Callable[[Volume], Lesion]:
    """Read a lesion mask as far as can be without its volume.

    Args:
        path: NIfTI, NRRD or MetaImage file, DICOM SEG or RTSTRUCT file, or a folder with one of these two.
        labels: values (files), segment numbers or names (DICOM) that are lesion; empty: all.
        rules: tolerances.
        spacing_mm: overrides the header, as it did the volume's.

    Returns:
        what gives the lesion, once it is told the volume that the mask was drawn on.

    Raises:
        Refused: the mask is unreadable, empty, no lesion's, or, told by what is returned, lies elsewhere.
        ConfigurationError: labels are names, and the mask is of a kind that has none.
    """
    if not path.name.lower().endswith(SUFFIXES):
        return partial(_dicom_lesion, path, labels, rules)
    numbers = _numbers(labels)
    mask = open_file(path, rules, spacing_mm)
    filled = mask.filled
    lesion = cut_out(mask.voxels[filled], mask.grid.cropped(filled), numbers, path.name)
    _check_size(lesion, path.name, rules)

    def checked(volume: Volume) -> Lesion:
        _check_grid(mask, volume, rules)
        _check_place(lesion, volume, path.name)
        return lesion

    return checked


def _numbers(labels: tuple[int | str, ...]) -> tuple[int, ...]:
    """Labels of a mask in a volume file: every such mask of the site would be refused for the same word."""
    names = [label for label in labels if isinstance(label, str) and not label.isdecimal()]
    if names:
        expected = "numbers, since lesion masks in NIfTI, NRRD and MetaImage files have no names"
        remedy = "Give the values of the lesion's voxels, or an empty list where all from one half on are lesion."
        where = "`lesion_labels` of the catalog entry imaging"
        raise ConfigurationError(Problem(NOT_APPLICABLE, where, ", ".join(map(repr, names)), expected, remedy))
    return tuple(int(label) for label in labels)


def _dicom_lesion(path: Path, labels: tuple[int | str, ...], rules: GeometryParameters, volume: Volume) -> Lesion:
    from gliocast.imaging.dicom_masks import read_dicom_lesion

    lesion = read_dicom_lesion(path, labels, volume, rules)
    _check_size(lesion, path.name, rules)
    _check_place(lesion, volume, path.name)
    return lesion


def _check_grid(mask: Volume, volume: Volume, rules: GeometryParameters) -> None:
    """A mask of the volume's own shape must lie on it; a mask of another shape is trusted by its physical position."""
    same_shape = sorted(mask.grid.shape) == sorted(volume.grid.shape)
    must_match = rules.lesion_mask_grid == "same" or same_shape
    if must_match and not (same_shape and mask.grid.covers_the_same_box(volume.grid)):
        found = "other voxel positions" if same_shape else f"shape {mask.grid.shape}"
        expected = f"the volume's grid {volume.grid.shape}, to a thousandth of a voxel"
        raise Refused(Finding("lesion_mask_elsewhere", mask.name, found, expected, "Redo or resample the mask."))


def _check_size(lesion: Lesion, name: str, rules: GeometryParameters) -> None:
    """An inverted mask, or one of the brain, holds litres, and its middle is nobody's lesion."""
    volume_ml = lesion.volume_mm3 / MM3_A_ML
    if volume_ml > rules.max_lesion_ml:
        found, expected = f"{volume_ml:.0f} ml of lesion", f"at most {rules.max_lesion_ml:g} ml"
        remedy = (
            "Invert the mask where it marks what is not lesion, or name the lesion's labels in `lesion_labels` of the "
            "catalog entry; slices.geometry.max_lesion_ml is the limit."
        )
        raise Refused(Finding("lesion_mask_too_large", name, found, expected, remedy))


def check_on_head(
    raw: Float32[np.ndarray, "slices height width"], inside: Bool[np.ndarray, "slices height width"], name: str
) -> None:
    """A mask of which no pixel is as bright as a head lies in the air beside it, or belongs to another patient's image.

    Where grey values lie below zero, as centred ones do, dark tissue and air are not told apart, and nothing is said.

    Args:
        raw: grey values of the slices.
        inside: the lesion on them.
        name: the mask's file.
    """
    if raw.min() >= 0 and inside.any() and not head_mask(raw)[inside].any():
        found, expected = "lesion in the air around the head", "inside the head"
        remedy = "Redo the mask, or find out whose it is."
        raise Refused(Finding("lesion_mask_elsewhere", name, found, expected, remedy))


def _check_place(lesion: Lesion, volume: Volume, name: str) -> None:
    """Every lesion voxel must lie inside the volume, half a voxel apart at most."""
    at = volume.grid.to_voxels(lesion.grid.corners_mm())
    slack = 0.5 + 0.5 * float((lesion.grid.spacing_mm / volume.grid.spacing_mm.min()).max())
    size = [int(value) for value in volume.grid.shape]
    if (at < -slack).any() or (at > [value - 1 + slack for value in size]).any():
        raise Refused(
            Finding("lesion_mask_elsewhere", name, "lesion outside the volume", "inside it", "Redo the mask.")
        )
