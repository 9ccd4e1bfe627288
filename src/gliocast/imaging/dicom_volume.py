"""A DICOM series as a volume: headers first, then only the pixels of the slices that are needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Shaped

from gliocast.imaging.checks import grid_findings
from gliocast.imaging.dicom_headers import Frame, read_instances
from gliocast.imaging.dicom_series import choose_series, ineligible, series_grid
from gliocast.imaging.dicom_tags import quieten_pydicom, raise_if_of_the_disk
from gliocast.imaging.findings import Finding, Refused, grouped, refuse_if_any, shown_name
from gliocast.imaging.grid import Region
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.volume import Origin, Volume


class DicomVolume(Volume):
    """The eligible series below a folder, or one enhanced multi-frame file.

    Raises:
        Refused: with everything that makes the series no regular, contrast-enhanced volume.
    """

    def __init__(
        self, folder: Path, parameters: SliceParameters, spacing_mm: tuple[float, float, float] | None = None
    ) -> None:
        self.name = folder.name
        headers = read_instances(folder)
        findings = list(headers.findings)
        if not headers.instances:
            raise Refused(
                grouped(findings) or Finding("image_missing", self.name, "no DICOM image", "a series of slices")
            )
        members, choice = choose_series(headers.instances, self.name, parameters.series)
        findings = grouped([*findings, *(member.fault for member in members if member.fault is not None)])
        findings += ineligible(members, parameters.series)
        whole = [member for member in members if member.fault is None]
        if not whole:
            raise Refused(finding for finding in findings if not finding.doubt)
        grid, self._frames, irregular = series_grid(whole, self.name, parameters.geometry.regularity)
        findings += irregular
        if grid is None:
            raise Refused(finding for finding in findings if not finding.doubt)
        self.grid = grid = grid.with_spacing_mm(spacing_mm)
        self.doubts = refuse_if_any([*findings, *grid_findings(grid, self.name, parameters.geometry)])
        self.origin = Origin(whole[0].patient_digest, whole[0].frame_of_reference, whole[0].series)
        series = choice + _passed_over(headers.n_without_image)
        self.record = {"format": "dicom", "orientation": grid.orientation, "series": series}

    def read(self, region: Region) -> Float32[np.ndarray, "i j k"]:
        """Grey values inside `region`: the pixels of other slices are never touched."""
        columns, rows, slices = region
        frames = self._frames[slices]
        stored = [_stored(frame, self.grid.shape[:2])[rows, columns] for frame in frames]
        grey = np.stack(stored, dtype=np.float32, casting="unsafe")
        return _rescaled(grey, frames).T


def _passed_over(n_without_image: int) -> str:
    """What the slice manifest notes of objects in the series' folder that hold no image."""
    files = "file" if n_without_image == 1 else "files"
    return f", beside {n_without_image} {files} without an image" if n_without_image else ""


def _rescaled(
    grey: Float32[np.ndarray, "slices rows columns"], frames: Sequence[Frame]
) -> Float32[np.ndarray, "slices rows columns"]:
    """The stored values scaled as each frame's header says."""
    slope, intercept = np.array([(frame.slope, frame.intercept) for frame in frames], dtype=np.float32).T
    if (slope != 1).any() or intercept.any():
        grey *= slope[:, None, None]
        grey += intercept[:, None, None]
    return grey


def _stored(frame: Frame, shape: tuple[int, int]) -> Shaped[np.ndarray, "rows columns"]:
    """One frame's values as they are stored."""
    from pydicom.pixels.utils import pixel_array

    quieten_pydicom()
    try:
        stored = pixel_array(frame.path, index=frame.index)
    except MemoryError:
        raise
    except Exception as error:
        raise_if_of_the_disk(error)
        found, expected = "cut, damaged, or compressed in a way no decoder reads", "whole pixel data"
        raise Refused(
            Finding("unreadable_pixels", shown_name(frame.path), found, expected, "Export it again.")
        ) from None
    if stored.shape != shape[::-1]:
        raise Refused(
            Finding("not_scalar", shown_name(frame.path), f"pixels of shape {stored.shape}", f"{shape[::-1]}")
        )
    return np.asarray(stored)
