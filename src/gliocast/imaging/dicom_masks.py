"""Lesion masks in DICOM: segmentations (SEG) and structure sets (RTSTRUCT)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gliocast.imaging.contours import lesion_of_contours
from gliocast.imaging.dicom_headers import RTSTRUCT, SEGMENTATIONS, patient_digest
from gliocast.imaging.dicom_tags import quieten_pydicom, raise_if_of_the_disk, read_header, text
from gliocast.imaging.findings import Finding, Refused, shown_name
from gliocast.imaging.lesion import Lesion
from gliocast.imaging.parameters import GeometryParameters
from gliocast.imaging.segmentations import lesion_of_segments
from gliocast.imaging.source import files_below
from gliocast.imaging.volume import Origin, Volume

ORIGIN_TAGS = ("FrameOfReferenceUID", "ReferencedFrameOfReferenceUID", "SeriesInstanceUID")


def read_dicom_lesion(path: Path, labels: tuple[int | str, ...], volume: Volume, rules: GeometryParameters) -> Lesion:
    """The lesion of the one SEG or RTSTRUCT at `path`, a file or a folder.

    Args:
        path: where it is.
        labels: numbers or names of the segments or structures that are lesion; empty: all of a SEG, the only one of an
            RTSTRUCT.
        volume: what it was drawn on; contours are filled on its grid.
        rules: how large a segmentation may be.

    Raises:
        Refused: there is none, several, or it is damaged or empty.
    """
    files = sorted(files_below(path, _raise)) if path.is_dir() else [path]
    headers = {file: read_header(file) for file in files}
    kinds = {file: text(header, "SOPClassUID") for file, header in headers.items() if header is not None}
    masks = [file for file, kind in kinds.items() if kind in (*SEGMENTATIONS, RTSTRUCT)]
    if len(masks) != 1:
        expected = "one DICOM SEG or RTSTRUCT"
        raise Refused(Finding("lesion_mask_unreadable", path.name, f"{len(masks)} lesion masks", expected))
    file = masks[0]
    try:
        return _read(file, kinds[file], labels, volume, rules)
    except (Refused, MemoryError):
        raise
    except Exception as error:
        raise_if_of_the_disk(error)
        found, expected = "cut or damaged", "a whole DICOM SEG or RTSTRUCT"
        raise Refused(
            Finding("lesion_mask_unreadable", shown_name(file), found, expected, "Export it again.")
        ) from None


def _read(file: Path, kind: str, labels: tuple[int | str, ...], volume: Volume, rules: GeometryParameters) -> Lesion:
    stored = _whole(file)
    if volume.origin is not None:
        _check_origin(stored, shown_name(file), volume.origin)
    if kind in SEGMENTATIONS:
        return lesion_of_segments(stored, shown_name(file), labels, rules)
    return lesion_of_contours(stored, shown_name(file), labels, volume)


def _check_origin(stored: Any, name: str, origin: Origin) -> None:
    """A mask of another patient may lie on a brain as well as one's own, and one in other coordinates near it.

    Some programs give a structure set a frame of reference of its own; then the series that it refers to counts.
    """
    patient = patient_digest(stored)
    if patient and origin.patient_digest and patient != origin.patient_digest:
        found, remedy = "another than the volume's", "Find out whose it is; export both under one PatientID."
        raise Refused(Finding("mixed_patients", f"PatientID of {name}", found, "one patient", remedy))
    named: dict[str, set[str]] = {tag: set() for tag in ORIGIN_TAGS}
    for item in stored.iterall():
        if item.keyword in named:
            named[item.keyword].add(str(item.value))
    frames = named["FrameOfReferenceUID"] | named["ReferencedFrameOfReferenceUID"]
    elsewhere = bool(frames) and origin.frame_of_reference not in frames
    if origin.frame_of_reference and elsewhere and origin.series not in named["SeriesInstanceUID"]:
        found, remedy = "another than the volume's", "Redo the mask on the volume that is exported with it."
        raise Refused(Finding("lesion_mask_elsewhere", f"FrameOfReferenceUID of {name}", found, "the same", remedy))


def _raise(error: OSError) -> None:
    raise error


def _whole(file: Path) -> Any:
    import pydicom

    quieten_pydicom()
    return pydicom.dcmread(file, force=True)
