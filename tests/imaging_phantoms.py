"""Phantoms: volumes whose grey value says where in the patient a voxel lies, written in every format and orientation.

The grey value grows linearly with the position (`GREY`), differently along each axis, so that linear interpolation is
exact and one wrong flip, shift or tilt of a tenth of a millimetre shows in the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gliocast.imaging.grid import Grid
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.source import ImageSource
from shipped import section

GREY = np.array([1.0, 0.5, 2.0])  # per mm towards right, anterior, superior
BASE = 500.0

# Stored axes by the anatomical direction that they run towards.
DIRECTIONS = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}


def slice_parameters(**changes: Any) -> SliceParameters:
    """The paper's section `slices`, with some leaves changed (double underscores stand for dots)."""
    small = {"size_px": 32, "field_of_view_mm": 48.0, "workers": 1, "centre": "volume"}
    slices = section("slices", profile="paper") | small
    for name, value in changes.items():
        *parents, leaf = name.split("__")
        part = slices
        for parent in parents:
            part = part[parent]
        part[leaf] = value
    return SliceParameters(**slices)


def a_grid(
    orientation: str = "LPS",
    shape: tuple[int, int, int] = (60, 56, 50),
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
    centre_mm: tuple[float, float, float] = (3.0, -7.0, 20.0),
    turned_degrees: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Grid:
    """A grid around `centre_mm`; shape and spacing are along its stored axes; turned about R, then A, then S."""
    affine = np.eye(4)
    axes = np.array([DIRECTIONS[letter] for letter in orientation], dtype=float).T
    affine[:3, :3] = rotation(turned_degrees) @ axes * np.array(spacing_mm)
    affine[:3, 3] = np.array(centre_mm) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def rotation(degrees: tuple[float, float, float]) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()


def grey_at(points_mm: np.ndarray) -> np.ndarray:
    """The phantom's grey value at RAS positions."""
    return BASE + points_mm @ GREY


def positions(grid: Grid) -> np.ndarray:
    """RAS positions of all voxels, (i, j, k, 3)."""
    return grid.to_mm(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1).astype(float))


def grey_voxels(grid: Grid) -> np.ndarray:
    return grey_at(positions(grid)).astype(np.float32)


def ellipsoid(grid: Grid, centre_mm: tuple[float, float, float], radii_mm: tuple[float, float, float]) -> np.ndarray:
    """A mask: True within an ellipsoid along the anatomical axes."""
    return (((positions(grid) - np.array(centre_mm)) / np.array(radii_mm)) ** 2).sum(axis=-1) <= 1.0


def write_file(path: Path, voxels: np.ndarray, grid: Grid) -> Path:
    """Write voxels (i, j, k) as NIfTI, NRRD or MetaImage, by the suffix."""
    import SimpleITK

    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(voxels.T))
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.affine
    image.SetSpacing(tuple(grid.spacing_mm))
    image.SetOrigin(tuple(lps[:3, 3]))
    image.SetDirection(tuple((lps[:3, :3] / grid.spacing_mm).ravel()))
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path), useCompression=not path.name.endswith(".nii"))
    return path


@dataclass
class Site:
    """An imaging folder under construction."""

    root: Path
    parameters: SliceParameters = field(default_factory=slice_parameters)

    @property
    def source(self) -> ImageSource:
        return ImageSource(self.root)

    def add(self, patient_id: str, grid: Grid, voxels: np.ndarray | None = None, suffix: str = "nii.gz") -> Path:
        """Add a volume (the phantom's own grey values, where none are given)."""
        grey = grey_voxels(grid) if voxels is None else voxels
        return write_file(self.root / patient_id / f"t1gd.{suffix}", grey, grid)

    def add_mask(self, patient_id: str, grid: Grid, mask: np.ndarray, suffix: str = "nii.gz") -> Path:
        return write_file(self.root / patient_id / f"lesion_mask.{suffix}", mask.astype(np.uint8), grid)


def a_site(root: Path, n_patients: int = 5) -> Site:
    site = Site(root, slice_parameters(size_px=16))
    for number in range(1, n_patients + 1):
        add_patient(site, f"P{number}", at_mm=17.5 + number)
    return site


def add_patient(site: Site, patient_id: str, at_mm: float) -> None:
    grid = a_grid(shape=(24, 24, 30), spacing_mm=(2.0, 2.0, 1.0))
    site.add(patient_id, grid, grey_voxels(grid) + at_mm)
    site.add_mask(patient_id, grid, ellipsoid(grid, (3.0, -7.0, at_mm), (8.0, 8.0, 3.4)))
