"""What the images of a DICOM folder say of themselves, and nothing of who the patient is.

`PatientID` is looked at for one purpose, to notice two patients in one study; it is kept as a digest and never leaves.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from gliocast.imaging.dicom_tags import (
    ALLOWED_TAGS,
    MISSING_BYTES,
    quieten_pydicom,
    raise_if_of_the_disk,
    read_header,
    text,
)
from gliocast.imaging.findings import Finding, inaccessible, shown_name
from gliocast.imaging.source import files_below

REQUIRED_TAGS = ("SeriesInstanceUID", "Rows", "Columns")
PLACE_TAGS = {  # where a frame lies and how it is scaled, and the functional group that says so in an enhanced file
    "PixelSpacing": "PixelMeasuresSequence",
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
}
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # by segment; as a label map
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
DICOMDIR = "1.2.840.10008.1.3.10"
STORAGE = "1.2.840.10008.5.1.4.1.1."
WITHOUT_AN_IMAGE = (  # DICOM PS3.4, annex B.5, by what follows `STORAGE`
    "4.2", "9.", "11.", "66", "67", "88.", "90.", "104.",  # spectra, waveforms, presentations, raw data, reports, PDFs
    *(f"481.{number}" for number in range(2, 30)),  # radiotherapy: all but its images (481.1)
)  # fmt: skip
# What ContrastBolusAgent holds where it names no agent.
NO_AGENT, NOT_SAID = r"(no|none|nil|without|w/o|0)([ _-]?(contrast|agent|gd|gad\w*))*", r"\W*|n\W?a\W?|unknown"
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
    """What one DICOM image file says of itself.

    Attributes:
        image_type: how it was made: as acquired, or derived as a projection, a subtraction, …
        contrast_agent: whether one was given; None where it is not said.
        grey_scale: how its values are shown, `MONOCHROME2` where large ones are bright; empty where it is not said.
        n_frames: number of its slices.
        frames: its slices; none where it is not said where they lie.
        fault: why it has no frames.
    """

    path: Path
    series: str
    series_number: str
    description: str
    image_type: str
    modality: str
    sop_class: str
    patient_digest: str
    frame_of_reference: str
    acquisition: str
    contrast_agent: bool | None
    burned_in: bool
    samples: int
    grey_scale: str
    shape: tuple[int, int]
    n_frames: int
    frames: tuple[Frame, ...]
    fault: Finding | None


@dataclass(frozen=True, eq=False)
class Headers:
    """What lies in a folder of DICOM.

    Attributes:
        instances: the images, with a fault where one is not whole.
        findings: what is wrong with files of which nobody knows to which series they belong.
        n_without_image: objects that hold no image: reports, presentations, segmentations, the index of a disc.
    """

    instances: list[Instance]
    findings: list[Finding]
    n_without_image: int


def read_instances(folder: Path) -> Headers:
    """Headers of all DICOM images below a folder, or of one file.

    Files that are no DICOM and do not claim to be are passed over.
    """
    closed: list[OSError] = []
    files = sorted(files_below(folder, closed.append)) if folder.is_dir() else [folder]
    instances: list[Instance] = []
    n_without_image = 0
    findings = [inaccessible(_folder_name(error, folder), error) for error in closed]
    for file in files:
        try:
            header = read_header(file)
        except OSError as error:
            findings.append(inaccessible(shown_name(file), error))
            continue
        if holds_no_image(file, header):
            n_without_image += 1
        elif header is None:
            findings.extend(_not_dicom(file))
        elif not text(header, "SeriesInstanceUID"):
            findings.append(tag_missing(file, _absent(header)))
        else:
            instances.append(_instance(file, header))
    return Headers(instances, findings, n_without_image)


def holds_no_image(file: Path, header: Any | None) -> bool:
    """Whether a DICOM object is of a class that never holds an image."""
    if header is None:
        return _media_class(file) == DICOMDIR
    sop_class = text(header, "SOPClassUID")
    return sop_class.startswith(STORAGE) and sop_class.removeprefix(STORAGE).startswith(WITHOUT_AN_IMAGE)


def _media_class(file: Path) -> str:
    """The class that a file's meta information names; empty where there is none."""
    from pydicom.filereader import read_file_meta_info

    quieten_pydicom()
    try:
        return str(read_file_meta_info(file).get("MediaStorageSOPClassUID", ""))
    except Exception as error:
        raise_if_of_the_disk(error)
        return ""


def _folder_name(error: OSError, folder: Path) -> str:
    """A closed folder in a message; one below the series' own is not named, since it may be named after a person."""
    return folder.name if str(error.filename) == str(folder) else f"a folder in {folder.name}"


def tag_missing(file: Path, tags: list[str]) -> Finding:
    """The finding of a file that lacks required tags."""
    return Finding(
        "tag_missing", shown_name(file), f"no {', '.join(tags)}", "the tags of a complete image", "Export it again."
    )


class _TagMissingError(Exception):
    """A required tag, or a usable value of it, is absent; its message is the tag's name."""


def _not_dicom(file: Path) -> Iterator[Finding]:
    with file.open("rb") as opened:
        claims = opened.read(132)[128:] == b"DICM"
    if claims or file.suffix.lower() in NAMED_DICOM:
        yield Finding(
            "unreadable", shown_name(file), "a DICOM header that is cut", "a whole DICOM file", "Export it again."
        )


def _instance(file: Path, header: Any) -> Instance:
    frames, fault = _frames_or_fault(file, header)
    return Instance(
        path=file,
        series=text(header, "SeriesInstanceUID"),
        series_number=number if re.fullmatch(r"[+-]?\d{1,12}", number := text(header, "SeriesNumber")) else "–",
        description=text(header, "SeriesDescription"),
        image_type=text(header, "ImageType"),
        modality=text(header, "Modality") or "–",
        sop_class=text(header, "SOPClassUID"),
        patient_digest=patient_digest(header),
        frame_of_reference=text(header, "FrameOfReferenceUID"),
        acquisition=text(header, "AcquisitionNumber"),
        contrast_agent=_contrast_agent(header),
        burned_in=text(header, "BurnedInAnnotation").upper() == "YES",
        samples=_count(header, "SamplesPerPixel", 1),
        grey_scale=text(header, "PhotometricInterpretation").upper(),
        shape=(_count(header, "Columns", 0), _count(header, "Rows", 0)),
        n_frames=len(frames) or _count(header, "NumberOfFrames", 1),
        frames=frames,
        fault=fault,
    )


def patient_digest(header: Any) -> str:
    """What tells two patients apart and names none; empty where the file names none."""
    patient_id = text(header, "PatientID")
    return hashlib.sha256(patient_id.encode()).hexdigest() if patient_id else ""


def _contrast_agent(header: Any) -> bool | None:
    agent = text(header, "ContrastBolusAgent")
    if not re.fullmatch(NOT_SAID, agent, re.IGNORECASE):
        return not re.fullmatch(NO_AGENT, agent, re.IGNORECASE)
    items = ALLOWED_TAGS["ContrastBolusAgentSequence"]
    return True if items in header and header[items].value else None


def _frames_or_fault(file: Path, header: Any) -> tuple[tuple[Frame, ...], Finding | None]:
    """The frames of an image, or else why it cannot be said where they lie, or that the file was cut."""
    if absent := _absent(header):
        return (), tag_missing(file, absent)
    if MISSING_BYTES in header:
        found, expected = f"{header[MISSING_BYTES]} bytes of its pixels missing", "all bytes that its header announces"
        return (), Finding("unreadable_pixels", shown_name(file), found, expected, "Export it again.")
    try:
        return tuple(_frames(file, header)), None
    except _TagMissingError as missing:
        return (), tag_missing(file, [str(missing)])
    except (ValueError, TypeError, AttributeError, IndexError, KeyError):
        found, expected = "a value that cannot be read", "a valid DICOM header"
        return (), Finding("bad_tag", shown_name(file), found, expected)


def _absent(header: Any) -> list[str]:
    return [tag for tag in REQUIRED_TAGS if not text(header, tag)]


def _count(header: Any, name: str, otherwise: int) -> int:
    value = text(header, name)
    return int(value) if value.isdecimal() else otherwise


def _frames(file: Path, header: Any) -> Iterator[Frame]:
    if ALLOWED_TAGS["PerFrameFunctionalGroupsSequence"] not in header:
        number = int(text(header, "InstanceNumber") or 0)
        yield _frame(file, 0, number, {name: text(header, name) for name in PLACE_TAGS})
        return
    shared = (list(header.get("SharedFunctionalGroupsSequence") or []) or [{}])[0]
    places = header.PerFrameFunctionalGroupsSequence
    if len(places) != _count(header, "NumberOfFrames", 1):  # the frames behind a missing place would all be misplaced
        raise _TagMissingError("PerFrameFunctionalGroupsSequence with an item a frame")
    for index, groups in enumerate(places):
        yield _frame(file, index, index + 1, _enhanced_values(groups, shared))


def _enhanced_values(groups: Any, shared: Any) -> dict[str, str]:
    """The tags of one frame of an enhanced file, its own or those that all frames share."""
    values = {}
    for name, sequence in PLACE_TAGS.items():
        items = groups.get(sequence) or shared.get(sequence)
        values[name] = text(items[0], name) if items else ""
    return values


def _frame(file: Path, index: int, number: int, values: dict[str, str]) -> Frame:
    spacing_mm = _numbers(values, "PixelSpacing", 2)
    if not (spacing_mm > 0).all():  # a negative one would mirror the head
        raise _TagMissingError("PixelSpacing above 0")
    slope, intercept = float(values["RescaleSlope"] or 1.0), float(values["RescaleIntercept"] or 0.0)
    if slope == 0 or not np.isfinite([slope, intercept]).all():  # the slice would be blank
        raise _TagMissingError("RescaleSlope and RescaleIntercept by which values differ")
    return Frame(
        path=file,
        index=index,
        number=number,
        position_mm=_numbers(values, "ImagePositionPatient", 3),
        orientation=_numbers(values, "ImageOrientationPatient", 6),
        spacing_mm=spacing_mm,
        slope=slope,
        intercept=intercept,
    )


def _numbers(values: dict[str, str], tag: str, count: int) -> Float64[np.ndarray, " numbers"]:
    numbers = np.array([float(part) for part in values[tag].split("\\")] if values[tag] else [], dtype=np.float64)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise _TagMissingError(tag)
    return numbers
