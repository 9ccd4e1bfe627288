"""Grey values on the slices' pixels: only the voxels around them are read, only they are interpolated."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64

from gliocast.imaging.checks import voxel_findings
from gliocast.imaging.findings import Finding, Refused, refuse_if_any
from gliocast.imaging.grid import AXES, Grid, region_around
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.planes import slice_planes
from gliocast.imaging.volume import Volume

NEAR_AN_AXIS = 1e-3  # voxels of drift across the picture; below, a rotation is a rounding error of the header


def sample_slices(
    volume: Volume,
    positions_mm: Float64[np.ndarray, " slices"],
    centre_mm: Float64[np.ndarray, "3"],
    parameters: SliceParameters,
) -> Float32[np.ndarray, "slices height width"]:
    """Resample the volume on its slices: linear between voxels, averaged over each pixel where voxels are finer.

    Outside the volume the value is 0, as the air around the head nearly is.

    Raises:
        Refused: no pixel of the slices lies inside the volume.
    """
    refinement = _refinement(volume.grid, parameters) if parameters.antialias else 1
    planes = slice_planes(positions_mm, centre_mm, parameters, refinement)
    region = region_around(volume.grid, planes.corners_mm())
    if region is None:
        raise Refused(
            Finding("slices_outside_volume", volume.name, "no voxel on the slices", "slices inside the volume")
        )
    voxels = volume.read(region)
    refuse_if_any(voxel_findings(voxels, volume.name))
    return interpolate(voxels, volume.grid.cropped(region), planes, refinement)


def _refinement(grid: Grid, parameters: SliceParameters) -> int:
    """How many voxels, at most, a pixel's side covers within the slice."""
    in_plane = np.delete(np.arange(3), grid.stored_axis(AXES[parameters.axis]))
    return max(1, round(parameters.pixel_mm / float(grid.spacing_mm[in_plane].min())))


def interpolate(
    voxels: Float32[np.ndarray, "i j k"], grid: Grid, planes: Grid, refinement: int = 1
) -> Float32[np.ndarray, "slices height width"]:
    """Linear interpolation of `voxels` at the planes' pixels, averaged over blocks of `refinement` × `refinement`."""
    step = np.linalg.inv(grid.affine) @ planes.affine  # pixel index → voxel index
    stored = np.abs(step[:3, :3]).argmax(axis=0)
    off_axis = np.abs(step[:3, :3]).copy()
    off_axis[stored, range(3)] = 0.0
    if len(set(stored)) == 3 and (off_axis * np.array(planes.shape)).max() < NEAR_AN_AXIS:
        return _separable(voxels, step, tuple(int(axis) for axis in stored), planes.shape, refinement)
    return _general(voxels, step, planes.shape, refinement)


def _separable(
    voxels: Float32[np.ndarray, "i j k"],
    step: Float64[np.ndarray, "4 4"],
    stored: tuple[int, ...],
    shape: tuple[int, int, int],
    refinement: int,
) -> Float32[np.ndarray, "slices height width"]:
    """Along anatomical axes, interpolation and averaging are one small matrix an axis.

    Slice by slice: what is turned over for the columns then fits into the processor's cache.
    """
    ordered = np.ascontiguousarray(voxels.transpose(stored[2], stored[1], stored[0]))  # slice, row, column
    across, down, along = (
        _weights(step[stored[axis], 3] + step[stored[axis], axis] * np.arange(shape[axis]), size, averaged)
        for axis, size, averaged in zip((2, 1, 0), ordered.shape, (1, refinement, refinement), strict=True)
    )
    pictures = (across @ ordered.reshape(len(ordered), -1)).reshape(-1, *ordered.shape[1:])
    return np.ascontiguousarray(
        np.stack([(along @ np.ascontiguousarray((down @ picture).T)).T for picture in pictures])
    )


def _weights(positions: Float64[np.ndarray, " fine"], n_voxels: int, averaged: int) -> Any:
    """Linear weights of voxels at fractional positions, averaged over groups of positions, as a sparse matrix.

    The outermost voxels reach one step further; beyond is air.
    """
    from scipy.sparse import csr_array

    inside = ((positions > -1) & (positions < n_voxels)) / averaged
    clipped = np.clip(positions, 0, n_voxels - 1)
    lower = np.minimum(clipped.astype(int), max(n_voxels - 2, 0))
    share = clipped - lower
    pixel = np.arange(len(positions)) // averaged
    upper = np.minimum(lower + 1, n_voxels - 1)
    entries = np.concatenate([(1 - share) * inside, share * inside]).astype(np.float32)
    places = (np.concatenate([pixel, pixel]), np.concatenate([lower, upper]))
    weights = csr_array((entries, places), shape=(len(positions) // averaged, n_voxels))
    weights.eliminate_zeros()
    return weights


def _general(
    voxels: Float32[np.ndarray, "i j k"], step: Float64[np.ndarray, "4 4"], shape: tuple[int, int, int], refinement: int
) -> Float32[np.ndarray, "slices height width"]:
    from scipy.ndimage import affine_transform

    padded = np.pad(voxels, 1, mode="edge")
    fine = affine_transform(padded, step[:3, :3], step[:3, 3] + 1, shape, np.float32, order=1, mode="constant")
    width, height = shape[0] // refinement, shape[1] // refinement
    blocks = fine.transpose(2, 1, 0).reshape(shape[2], height, refinement, width, refinement)
    return np.ascontiguousarray(blocks.mean(axis=(2, 4), dtype=np.float32))


def sample_mask(lesion: Bool[np.ndarray, "i j k"], grid: Grid, planes: Grid) -> Bool[np.ndarray, "slices height width"]:
    """Which pixels lie in the lesion: more than half of their neighbourhood does."""
    region = region_around(grid, planes.corners_mm())
    if region is None:
        columns, rows, slices = planes.shape
        return np.zeros((slices, rows, columns), dtype=bool)
    cropped = lesion[region].astype(np.float32)
    return interpolate(cropped, grid.cropped(region), planes) > 0.5
