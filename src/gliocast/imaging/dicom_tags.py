"""The tags of a DICOM header: the few that are needed, by an allow-list; private ones are never read."""

from __future__ import annotations

import logging
import os
import re
import warnings
import zlib
from pathlib import Path
from typing import Any, BinaryIO

ALLOWED_TAGS = {
    "ImageType": 0x00080008, "SOPClassUID": 0x00080016, "Modality": 0x00080060, "SeriesDescription": 0x0008103E,
    "PatientID": 0x00100020, "ContrastBolusAgent": 0x00180010, "ContrastBolusAgentSequence": 0x00180012,
    "SeriesInstanceUID": 0x0020000E, "FrameOfReferenceUID": 0x00200052, "SeriesNumber": 0x00200011,
    "AcquisitionNumber": 0x00200012, "InstanceNumber": 0x00200013, "ImagePositionPatient": 0x00200032,
    "ImageOrientationPatient": 0x00200037, "SamplesPerPixel": 0x00280002, "NumberOfFrames": 0x00280008,
    "PhotometricInterpretation": 0x00280004,
    "Rows": 0x00280010, "Columns": 0x00280011, "PixelSpacing": 0x00280030, "BurnedInAnnotation": 0x00280301,
    "RescaleIntercept": 0x00281052, "RescaleSlope": 0x00281053, "SharedFunctionalGroupsSequence": 0x52009229,
    "PerFrameFunctionalGroupsSequence": 0x52009230,
}  # fmt: skip
TRANSFER_SYNTAX = 0x00020010
MISSING_BYTES = 0x7FE00010  # the tag of the pixels, of which nothing is read but how many bytes are not there
UNTOLD_LENGTH = 0xFFFFFFFF  # of compressed pixels, which come in pieces
LONG_LENGTHS = (b"OB", b"OW", b"UN")
QUIET = ("ignore", None, Warning, re.compile("pydicom"), 0)  # as Python keeps the filter
logger = logging.getLogger("pydicom")
DEFLATED_LIMIT = 1 << 28  # bytes; an enhanced series of 500 slices of 512 pixels a side holds no more
PIECE_BYTES = 1 << 20
IMPLICIT, DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"


def quieten_pydicom() -> None:
    """Keep pydicom from warning, for good: it quotes what it complains of, and threads share the one switch."""
    if logger.level != logging.CRITICAL:  # asked at each header, and changing it empties every logger's cache
        logger.setLevel(logging.CRITICAL)
    if warnings.filters[:1] != [QUIET]:  # whoever has set filters of their own may have undone ours
        warnings.filterwarnings("ignore", module="pydicom")


def read_header(file: Path) -> Any | None:
    """The allowed tags of one file; None where it is no DICOM file, or was cut before them.

    Where a plain file ends before its pixels do, `MISSING_BYTES` says by how much.

    Plain headers are read element by element, without building pydicom's objects for them, which takes most of the time
    of a series; whatever is less plain (no preamble, deflated, nested) is left to pydicom's own reader.

    Raises:
        OSError: the file cannot be opened or read.
    """
    quieten_pydicom()
    try:
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


def _plain_header(file: Path) -> dict[int, Any] | None:
    from pydicom.filereader import data_element_generator
    from pydicom.tag import BaseTag

    with file.open("rb") as opened:
        has_preamble = opened.read(132)[128:] == b"DICM"
        opened.seek(132 if has_preamble else 0)
        meta = {int(raw.tag): raw for raw in data_element_generator(opened, False, True, _after_the_meta_group)}
        syntax = bytes(getattr(meta.get(TRANSFER_SYNTAX), "value", None) or b"").strip(b" \0").decode("ascii")
        if syntax == DEFLATED:
            _refuse_bomb(opened)
        if not has_preamble or not syntax or syntax in (DEFLATED, BIG_ENDIAN):
            return None
        tags: list[Any] = [BaseTag(tag) for tag in ALLOWED_TAGS.values()]
        elements = data_element_generator(opened, syntax == IMPLICIT, True, _at_the_pixels, None, "latin-1", tags)
        header: dict[int, Any] = {int(raw.tag): raw for raw in elements}
        if missing := _missing_bytes(opened, syntax == IMPLICIT):
            header[MISSING_BYTES] = missing
    return None if ALLOWED_TAGS["PerFrameFunctionalGroupsSequence"] in header else header


def _missing_bytes(opened: BinaryIO, is_implicit: bool) -> int:
    """How many bytes of the element that begins here the file lacks; a last byte that pads is nobody's loss."""
    start, beginning = opened.tell(), opened.read(12)
    is_long = not is_implicit and beginning[4:6] in LONG_LENGTHS
    length = int.from_bytes(beginning[8:12] if is_long else beginning[4:8], "little")
    if len(beginning) < 12 or length == UNTOLD_LENGTH or not (is_long or is_implicit):
        return 0
    missing = start + (12 if is_long else 8) + length - os.fstat(opened.fileno()).st_size
    return missing if missing > 1 else 0


def _refuse_bomb(deflated: BinaryIO) -> None:
    """Raise where elements unpack to more than any scan holds: pydicom would hold them in memory as a whole, thrice."""
    stream, n_bytes = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while packed := stream.unconsumed_tail or deflated.read(PIECE_BYTES):
        n_bytes += len(stream.decompress(packed, PIECE_BYTES))
        if n_bytes > DEFLATED_LIMIT:
            raise ValueError


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
