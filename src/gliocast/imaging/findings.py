"""What can be wrong with a patient's images, said so that a person can mend it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from gliocast.errors import ImagingError, Problem

# IM0012. No UID: it holds dates, and leads whoever has the archive to the patient.
TECHNICAL_NAME = re.compile(r"(?i)(im|img|image|i|mr|slice|file)?[-_. ]?\d{1,5}(\.dcm|\.ima)?")

UNCLAIMED = "patient_missing"  # the code of an image of nobody in the cohort
PASSING = ("out_of_memory", "worker_died", "inaccessible")  # codes of what may be over the next time: a full memory


def is_technical(name: str) -> bool:
    """Whether a name is a short number, so that it is no person's and no date."""
    return TECHNICAL_NAME.fullmatch(name) is not None


def renamed(text: str, name: str, shown: str) -> str:
    """The text with a file, or a patient whom it may be named after, named otherwise: in sub001t1.nii 001 tells who.

    A number that stands alone is a count or a measure, unless the text ends with what lies in it. A count named
    otherwise would tell the number.
    """
    before, after = (r"\d" if name[end].isdigit() else "[A-Za-z]" for end in (0, -1))
    word = rf"(?<!{before}){re.escape(name)}(?!{after})"
    if name.isdigit():
        ahead, behind = rf"(?<!\.){word}(?=[A-Za-z_/]|[.-][A-Za-z])", rf"((?<=[A-Za-z_/])|(?<=[A-Za-z]-)){word}"
        word = rf"{ahead}|{behind}|(^|(?<= of )|(?<= in )){name}$"
    return re.sub(word, lambda _: shown, text)


def shown_name(file: Path) -> str:
    """A file of a series in a message: by name where that is no person's and no record's, else by place."""
    if is_technical(file.name):
        return file.name
    return f"file {sorted(other.name for other in file.parent.iterdir()).index(file.name) + 1} of its folder, by name"


@dataclass(frozen=True)
class Finding:
    """One thing wrong, or doubtful, about a patient's images.

    Attributes:
        code: one word of ours for the kind of fault, stable across versions (`gantry_tilt`, `empty_lesion_mask`, …).
        where: the file, tag or measure that shows it; never a path outside the imaging folder, never a DICOM text,
            never a name that may be a person's.
        found: the offending value, never a text that somebody has typed.
        expected: what would be right.
        remedy: what a person does next.
        doubt: the patient stays in, and the doubt is recorded.
    """

    code: str
    where: str
    found: str
    expected: str
    remedy: str = "Re-export the series, or exclude the patient."
    doubt: bool = False

    def problem(self, patient_id: str) -> Problem:
        """The same as a line of the table that a user sees."""
        return Problem(patient_id, self.where, self.found, self.expected, self.remedy)

    def naming(self, name: str, shown: str) -> Finding:
        """The same with a file named otherwise."""
        where, found, expected = (renamed(text, name, shown) for text in (self.where, self.found, self.expected))
        return replace(self, where=where, found=found, expected=expected)

    def __str__(self) -> str:
        return f"{self.where}: {self.found}; expected {self.expected}"


class Refused(ImagingError):  # noqa: N818 - a verdict on a study, and read as one
    """Images that cannot be used. Carries every finding; whoever knows the patient adds the name."""

    def __init__(self, findings: Finding | Iterable[Finding]) -> None:
        self.findings = (findings,) if isinstance(findings, Finding) else tuple(findings)
        super().__init__([finding.problem("–") for finding in self.findings])

    def __reduce__(self) -> tuple[type[Refused], tuple[tuple[Finding, ...]]]:  # type: ignore[override]
        return type(self), (self.findings,)


def grouped(findings: Iterable[Finding]) -> list[Finding]:
    """Each fault of files once: those that share it are counted behind the first of them."""
    places: dict[Finding, list[str]] = {}
    for finding in findings:
        places.setdefault(replace(finding, where=""), []).append(finding.where)
    return [replace(fault, where=_first_of(files)) for fault, files in places.items()]


def _first_of(files: list[str]) -> str:
    others = {1: "", 2: ", and 1 other file"}.get(len(files), f", and {len(files) - 1} other files")
    return files[0] + others


def inaccessible(name: str, error: OSError) -> Finding:
    """The finding of a file or folder that the operating system does not open: its content may be sound."""
    absent = isinstance(error, FileNotFoundError)
    found = "gone, or a link to nothing" if absent else f"not readable ({error.strerror or 'an error of the disk'})"
    remedy = "Mend the link or give read access, or exclude the patient."
    return Finding("inaccessible", name, found, "a file or folder that this account may read", remedy)


@dataclass(frozen=True)
class RefusedPatient:
    """A patient without a slice stack, and every reason for it."""

    patient_id: str
    findings: tuple[Finding, ...]


def refuse_if_any(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Raise `Refused` where a finding is more than a doubt; otherwise return the doubts."""
    found = tuple(findings)
    if any(not finding.doubt for finding in found):
        raise Refused(finding for finding in found if not finding.doubt)
    return found
