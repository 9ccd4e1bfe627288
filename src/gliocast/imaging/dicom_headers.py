"""DICOM headers: the few tags that are needed, by an allow-list, and nothing of who the patient is.

`PatientID` is looked at for one purpose, to notice two patients in one folder; it is kept as a digest and never leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from gliocast.imaging.findings import Finding

ALLOWED_TAGS = (
    "SOPClassUID", "Modality", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "InstanceNumber", "PatientID",
    "FrameOfReferenceUID", "ImageType", "ContrastBolusAgent", "BurnedInAnnotation", "Rows", "Columns", "NumberOfFrames",
    "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "PixelSpacing", "ImagePositionPatient",
    "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
REQUIRED_TAGS = ("SeriesInstanceUID", "Rows", "Columns")
GEOMETRY_TAGS = ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient")
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
NAMED_DICOM = (".dcm", ".ima")


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice of a series: where its pixels are, and where it lies in the patient (DICOM's LPS, mm)."""

    path: Path
    index: int
    number: int
    position_mm: Float64[np.ndarray, "3"]
    orientation: Float64[np.ndarray, "6"]
    spacing_mm: Float64[np.ndarray, "2"]
    slope: float
    intercept: float


@dataclass(frozen=True, eq=False)
class Instance:
    """What one DICOM image file says of itself."""

    path: Path
    series: str
    series_number: str
    description: str
    modality: str
    sop_class: str
    patient_digest: str
    contrast_agent: bool
    burned_in: bool
    samples: int
    shape: tuple[int, int]
    frames: tuple[Frame, ...]


def read_instances(folder: Path) -> tuple[list[Instance], list[Finding]]:
    """Headers of all DICOM images below a folder (or of one file), and what is wrong with single files.

    Files that are no DICOM and do not claim to be are passed over, as are segmentations and structure sets.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else [folder]
    instances: list[Instance] = []
    findings: list[Finding] = []
    for file in files:
        header = read_header(file)
        if header is None:
            findings.extend(_not_dicom(file))
        elif str(header.get("SOPClassUID", "")) not in (SEGMENTATION, RTSTRUCT):
            absent = [tag for tag in REQUIRED_TAGS if header.get(tag) is None]
            if absent:
                findings.append(tag_missing(file, absent))
                continue
            try:
                instances.append(_instance(file, header))
            except _TagMissingError as missing:
                findings.append(tag_missing(file, [str(missing)]))
            except (ValueError, TypeError, AttributeError, IndexError, KeyError):
                findings.append(Finding("bad_tag", file.name, "a value that cannot be read", "a valid DICOM header"))
    return instances, findings


def read_header(file: Path) -> Any | None:
    """The allowed tags of one file; None where it is no DICOM file, or was cut before them."""
    import warnings

    import pydicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=list(ALLOWED_TAGS))
            return header if len(header) else None
    except Exception:
        return None


def tag_missing(file: Path, tags: list[str]) -> Finding:
    """The finding of a file that lacks required tags."""
    return Finding(
        "tag_missing", file.name, f"no {', '.join(tags)}", "the tags of a complete image", "Export it again."
    )


class _TagMissingError(Exception):
    """A required tag is absent; its message is the tag's name."""


def _not_dicom(file: Path) -> Iterator[Finding]:
    with file.open("rb") as opened:
        claims = opened.read(132)[128:] == b"DICM"
    if claims or file.suffix.lower() in NAMED_DICOM:
        yield Finding("unreadable", file.name, "a DICOM header that is cut", "a whole DICOM file", "Export it again.")


def _instance(file: Path, header: Any) -> Instance:
    return Instance(
        path=file,
        series=str(header.SeriesInstanceUID),
        series_number=str(header.get("SeriesNumber") or "–"),
        description=str(header.get("SeriesDescription") or ""),
        modality=str(header.get("Modality") or "–"),
        sop_class=str(header.get("SOPClassUID") or ""),
        patient_digest=hashlib.sha256(str(header.get("PatientID") or "").encode()).hexdigest(),
        contrast_agent=bool(str(header.get("ContrastBolusAgent") or "").strip()) or _enhanced_contrast(header),
        burned_in=str(header.get("BurnedInAnnotation") or "NO").upper() == "YES",
        samples=int(header.get("SamplesPerPixel") or 1),
        shape=(int(header.Columns), int(header.Rows)),
        frames=tuple(_frames(file, header)),
    )


def _enhanced_contrast(header: Any) -> bool:
    return "ContrastBolusAgentSequence" in header


def _frames(file: Path, header: Any) -> Iterator[Frame]:
    number = int(header.get("InstanceNumber") or 0)
    if "PerFrameFunctionalGroupsSequence" not in header:
        yield _frame(file, 0, number, header, header, header, header)
        return
    shared = (list(header.get("SharedFunctionalGroupsSequence") or []) or [None])[0]
    for index, groups in enumerate(header.PerFrameFunctionalGroupsSequence):

        def group(name: str, groups: Any = groups) -> Any:
            for holder in (groups, shared):
                if holder is not None and holder.get(name):
                    return holder.get(name)[0]
            return {}

        yield _frame(
            file, index, index + 1, group("PixelMeasuresSequence"), group("PlanePositionSequence"),
            group("PlaneOrientationSequence"), group("PixelValueTransformationSequence"),
        )  # fmt: skip


def _frame(file: Path, index: int, number: int, measures: Any, place: Any, plane: Any, values: Any) -> Frame:
    spacing = _numbers(measures.get("PixelSpacing"), 2, "PixelSpacing")
    position = _numbers(place.get("ImagePositionPatient"), 3, "ImagePositionPatient")
    orientation = _numbers(plane.get("ImageOrientationPatient"), 6, "ImageOrientationPatient")
    slope, intercept = values.get("RescaleSlope"), values.get("RescaleIntercept")
    scale = 1.0 if slope in (None, "") else float(slope)
    return Frame(file, index, number, position, orientation, spacing, scale, float(intercept or 0.0))


def _numbers(value: Any, count: int, tag: str) -> Float64[np.ndarray, " count"]:
    numbers = np.array(list(value) if value is not None and value != "" else [], dtype=np.float64)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise _TagMissingError(tag)
    return numbers
