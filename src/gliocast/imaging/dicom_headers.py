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

from gliocast.imaging.findings import Finding, inaccessible, shown_name
from gliocast.imaging.source import files_below

ALLOWED_TAGS = {
    "SOPClassUID": 0x00080016, "Modality": 0x00080060, "SeriesDescription": 0x0008103E, "PatientID": 0x00100020,
    "ContrastBolusAgent": 0x00180010, "ContrastBolusAgentSequence": 0x00180012, "SeriesInstanceUID": 0x0020000E,
    "SeriesNumber": 0x00200011, "InstanceNumber": 0x00200013, "ImagePositionPatient": 0x00200032,
    "ImageOrientationPatient": 0x00200037, "SamplesPerPixel": 0x00280002, "NumberOfFrames": 0x00280008,
    "Rows": 0x00280010, "Columns": 0x00280011, "PixelSpacing": 0x00280030, "BurnedInAnnotation": 0x00280301,
    "RescaleIntercept": 0x00281052, "RescaleSlope": 0x00281053, "SharedFunctionalGroupsSequence": 0x52009229,
    "PerFrameFunctionalGroupsSequence": 0x52009230,
}  # fmt: skip
REQUIRED_TAGS = ("SeriesInstanceUID", "Rows", "Columns")
PLACE_TAGS = {  # where a frame lies and how it is scaled, and the functional group that says so in an enhanced file
    "PixelSpacing": "PixelMeasuresSequence",
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
}
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
TRANSFER_SYNTAX = 0x00020010
IMPLICIT, DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
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
    closed: list[OSError] = []
    files = sorted(files_below(folder, closed.append)) if folder.is_dir() else [folder]
    instances: list[Instance] = []
    findings = [inaccessible(_folder_name(error, folder), error) for error in closed]
    for file in files:
        try:
            header = read_header(file)
        except OSError as error:
            findings.append(inaccessible(shown_name(file), error))
            continue
        if header is None:
            findings.extend(_not_dicom(file))
        elif text(header, "SOPClassUID") not in (SEGMENTATION, RTSTRUCT):
            absent = [tag for tag in REQUIRED_TAGS if not text(header, tag)]
            if absent:
                findings.append(tag_missing(file, absent))
                continue
            try:
                instances.append(_instance(file, header))
            except _TagMissingError as missing:
                findings.append(tag_missing(file, [str(missing)]))
            except (ValueError, TypeError, AttributeError, IndexError, KeyError):
                findings.append(
                    Finding("bad_tag", shown_name(file), "a value that cannot be read", "a valid DICOM header")
                )
    return instances, findings


def read_header(file: Path) -> Any | None:
    """The allowed tags of one file; None where it is no DICOM file, or was cut before them.

    Plain headers are read element by element, without building pydicom's objects for them, which takes most of the time
    of a series; whatever is less plain (no preamble, deflated, nested) is left to pydicom's own reader.

    Raises:
        OSError: the file cannot be opened or read.
    """
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plain = _plain_header(file)
            header = _any_header(file) if plain is None else plain
            return header if len(header) else None
    except Exception as error:
        raise_if_of_the_disk(error)
        return None


def raise_if_of_the_disk(error: Exception) -> None:
    """Raise what the operating system has said of a file; pydicom's own complaints of a file bear no number."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error


def _folder_name(error: OSError, folder: Path) -> str:
    """A closed folder in a message; one below the series' own is not named, since it may be named after a person."""
    return folder.name if str(error.filename) == str(folder) else f"a folder in {folder.name}"


def _plain_header(file: Path) -> dict[int, Any] | None:
    from pydicom.filereader import data_element_generator
    from pydicom.tag import BaseTag

    with file.open("rb") as opened:
        if opened.read(132)[128:] != b"DICM":
            return None
        meta = {int(raw.tag): raw for raw in data_element_generator(opened, False, True, _after_the_meta_group)}
        syntax = bytes(getattr(meta.get(TRANSFER_SYNTAX), "value", None) or b"").strip(b" \0").decode("ascii")
        if not syntax or syntax in (DEFLATED, BIG_ENDIAN):
            return None
        tags: list[Any] = [BaseTag(tag) for tag in ALLOWED_TAGS.values()]
        elements = data_element_generator(opened, syntax == IMPLICIT, True, _at_the_pixels, None, "latin-1", tags)
        header = {int(raw.tag): raw for raw in elements}
    return None if ALLOWED_TAGS["PerFrameFunctionalGroupsSequence"] in header else header


def _after_the_meta_group(tag: Any, _vr: str | None, _length: int) -> bool:
    return int(tag) >> 16 != 0x0002  # as plain numbers: pydicom's own comparison is slow


def _at_the_pixels(tag: Any, _vr: str | None, _length: int) -> bool:
    return int(tag) >= 0x7FE00008


def _any_header(file: Path) -> Any:
    import pydicom
    from pydicom.tag import BaseTag

    tags = [BaseTag(tag) for tag in ALLOWED_TAGS.values()]
    return pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=tags)


def text(header: Any, name: str) -> str:
    """A tag's value as text, empty where it is absent; taken from its bytes, which is quicker than decoding them."""
    tag = ALLOWED_TAGS[name]
    if tag not in header:
        return ""
    element = header[tag] if isinstance(header, dict) else header.get_item(tag)
    value = element.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        if name in ("Rows", "Columns", "SamplesPerPixel"):
            return str(int.from_bytes(value[:2], "little" if element.is_little_endian else "big"))
        return value.decode("latin-1").strip(" \0")
    return "\\".join(map(str, value)) if not isinstance(value, str) and hasattr(value, "__iter__") else str(value)


def tag_missing(file: Path, tags: list[str]) -> Finding:
    """The finding of a file that lacks required tags."""
    return Finding(
        "tag_missing", shown_name(file), f"no {', '.join(tags)}", "the tags of a complete image", "Export it again."
    )


class _TagMissingError(Exception):
    """A required tag is absent; its message is the tag's name."""


def _not_dicom(file: Path) -> Iterator[Finding]:
    with file.open("rb") as opened:
        claims = opened.read(132)[128:] == b"DICM"
    if claims or file.suffix.lower() in NAMED_DICOM:
        yield Finding(
            "unreadable", shown_name(file), "a DICOM header that is cut", "a whole DICOM file", "Export it again."
        )


def _instance(file: Path, header: Any) -> Instance:
    return Instance(
        path=file,
        series=text(header, "SeriesInstanceUID"),
        series_number=text(header, "SeriesNumber") or "–",
        description=text(header, "SeriesDescription"),
        modality=text(header, "Modality") or "–",
        sop_class=text(header, "SOPClassUID"),
        patient_digest=hashlib.sha256(text(header, "PatientID").encode()).hexdigest(),
        contrast_agent=bool(text(header, "ContrastBolusAgent")) or ALLOWED_TAGS["ContrastBolusAgentSequence"] in header,
        burned_in=text(header, "BurnedInAnnotation").upper() == "YES",
        samples=int(text(header, "SamplesPerPixel") or 1),
        shape=(int(text(header, "Columns")), int(text(header, "Rows"))),
        frames=tuple(_frames(file, header)),
    )


def _frames(file: Path, header: Any) -> Iterator[Frame]:
    if ALLOWED_TAGS["PerFrameFunctionalGroupsSequence"] not in header:
        number = int(text(header, "InstanceNumber") or 0)
        yield _frame(file, 0, number, {name: text(header, name) for name in PLACE_TAGS})
        return
    shared = (list(header.get("SharedFunctionalGroupsSequence") or []) or [{}])[0]
    for index, groups in enumerate(header.PerFrameFunctionalGroupsSequence):
        yield _frame(file, index, index + 1, _enhanced_values(groups, shared))


def _enhanced_values(groups: Any, shared: Any) -> dict[str, str]:
    """The tags of one frame of an enhanced file, its own or those that all frames share."""
    values = {}
    for name, sequence in PLACE_TAGS.items():
        items = groups.get(sequence) or shared.get(sequence)
        values[name] = text(items[0], name) if items else ""
    return values


def _frame(file: Path, index: int, number: int, values: dict[str, str]) -> Frame:
    return Frame(
        path=file,
        index=index,
        number=number,
        position_mm=_numbers(values, "ImagePositionPatient", 3),
        orientation=_numbers(values, "ImageOrientationPatient", 6),
        spacing_mm=_numbers(values, "PixelSpacing", 2),
        slope=float(values["RescaleSlope"] or 1.0),
        intercept=float(values["RescaleIntercept"] or 0.0),
    )


def _numbers(values: dict[str, str], tag: str, count: int) -> Float64[np.ndarray, " numbers"]:
    numbers = np.array([float(part) for part in values[tag].split("\\")] if values[tag] else [], dtype=np.float64)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise _TagMissingError(tag)
    return numbers
