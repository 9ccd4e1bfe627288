"""The text headers of NRRD and MetaImage, looked at before ITK fills their gaps with defaults.

NRRD: http://teem.sourceforge.net/nrrd/format.html. MetaImage: https://itk.org/Wiki/MetaIO/Documentation.
"""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import numpy as np

from gliocast.imaging import nifti
from gliocast.imaging.findings import Finding, Refused
from gliocast.imaging.grid import Grid

HEADER_LIMIT = 1 << 20
FIELD_LIMIT = 900  # bytes of an NRRD field; at a longer one that it cannot parse, ITK ends the process
NEEDED = {  # without these ITK assumes a spacing of 1 mm and an orientation
    ".nrrd": ("space", "space directions", "space origin"),
    ".mha": ("elementspacing", "transformmatrix", "offset"),
}
ALIASES = {"position": "offset", "origin": "offset", "orientation": "transformmatrix", "rotation": "transformmatrix"}
EXTERNAL = {"data file", "datafile"}  # NRRD: pixels elsewhere
PIXELS, LOCAL = "elementdatafile", "LOCAL"  # MetaImage: where they are


def fields(path: Path) -> dict[str, str]:
    """The header's `name: value` (NRRD) or `Name = Value` (MetaImage) lines, names in lower case.

    Only one that was read to its end says where its pixels are: what stands further behind may name another file. None
    where a line is too long to be parsed.
    """
    with path.open("rb") as file:
        head = file.read(HEADER_LIMIT)
    separator = b":" if path.suffix.lower() == ".nrrd" else b"="
    found: dict[str, str] = {}
    rows = (re.split(rb"\r+", row.strip(b"\r")) for row in head.split(b"\n"))  # a bare \r ends a line, too
    for line in chain.from_iterable(rows):
        if separator == b":" and too_long(line):
            return {}
        if separator not in line:
            if not line.strip() and separator == b":":
                found[PIXELS] = LOCAL
                break  # NRRD: an empty line ends the header
            continue
        name, _, value = line.partition(separator)
        key = name.decode("latin-1").strip().lower()
        found[ALIASES.get(key, key)] = value.decode("latin-1").strip()
        if key == PIXELS and separator == b"=":
            break
    return found


def too_long(line: bytes) -> bool:
    """Whether an NRRD line that is neither a comment nor a note (`key:=value`) is longer than a field may be."""
    return len(line) > FIELD_LIMIT and re.match(rb"#|[^:]*:=", line) is None


def describe(path: Path) -> tuple[Grid, int]:
    """Grid and claimed number of bytes of an NRRD or MetaImage file.

    Raises:
        Refused: the header is unreadable, leaves the orientation open, or points to another file.
    """
    import SimpleITK

    header, suffix = fields(path), path.suffix.lower()
    if PIXELS not in header:
        raise Refused(nifti.unreadable(path))
    if header[PIXELS] != LOCAL or EXTERNAL & header.keys():
        raise Refused(Finding("external_pixels", path.name, "pixels in another file", "header and pixels in one file"))
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise Refused(nifti.unreadable(path)) from None
    size = reader.GetSize()
    if len(size) != 3 or reader.GetNumberOfComponents() != 1:
        what = f"shape {size} with {reader.GetNumberOfComponents()} numbers a voxel"
        raise Refused(Finding("not_three_dimensional", path.name, what, "three dimensions of one number"))
    absent = [key for key in NEEDED[suffix] if key not in header]
    if absent:
        raise Refused(Finding("no_orientation", path.name, f"no {', '.join(absent)}", "spacing, axes and origin"))
    columns = np.array(reader.GetDirection()).reshape(3, 3) * np.array(reader.GetSpacing())
    grid = Grid.from_lps((size[0], size[1], size[2]), columns, np.array(reader.GetOrigin()))
    return grid, int(np.prod(size, dtype=object))
