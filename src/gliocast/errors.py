"""Every exception of gliocast, and the sentence it owes its reader.

::

    GliocastError
    ├── InputError              what the user gave is wrong: exit code 2, every problem in one table
    │   ├── ConfigurationError  a parameter or a catalog entry
    │   ├── CohortError         the clinical table
    │   ├── ImagingError        a volume, a lesion mask, or their geometry
    │   ├── PartitionError      who trains and who is tested
    │   ├── LeakageError        a patient would be scored by something fitted on them
    │   ├── TrainingError       training cannot start, or ended without a usable model
    │   └── ArtefactError       a file of ours was changed, or belongs to another version
    └── (anything else is an error of ours: exit code 1)
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

NOT_APPLICABLE = "–"
# What the operating system says where something else stands in the place of a file or of a folder.
OBSTRUCTED = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST)
# Where nothing can be written: there, and where a disk is full, closed or broken.
UNWRITABLE = (*OBSTRUCTED, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)
# And where a file that is there cannot be read.
UNREADABLE = (*OBSTRUCTED, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE)


SHOWN = 10  # names in one message
SHOWN_CHARACTERS = 40  # of one cell
FEW = 5  # fewer patients may share a name
MANY_OF_FEW = 10  # more texts of few patients each are no vocabulary
MOSTLY_ALONE = 3  # nor are more of one patient each, where most patients have one

MONTH = r"(jan|f[eé][bv]|m[aä]r|a[pv]r|ma[iy]|jui?[nl]|aug|ao[uû]|sep|o[ck]t|nov|d[eé][cz])[^\W\d_]*\.?"
DATE = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}.*"
    r"|(18|19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])(\d{4}|\d{6})?([.,]0)?|([0-2]\d|3[01])(0[1-9]|1[0-2])(18|19|20)\d\d([.,]0)?"
    rf"|\d{{1,2}}[-. /]*{MONTH}[-. /]*\d{{2,4}}.*|{MONTH} *\d{{1,2}},? *\d{{4}}.*"
)  # with digits alone, too (19311224), as DICOM writes it, and with a month's name
YEAR, MONTH_NUMBER = r"(18|19|20)\d\d", r"(0?[1-9]|1[0-2])"
MONTH_OF_A_YEAR = rf"{YEAR}[-/]{MONTH_NUMBER}|({MONTH_NUMBER}[-/]|{MONTH}[-. /]*){YEAR}"
NO_DATE = "Give what the column is for: a number, such as the days between two dates, or a word."
WRITE_SO = "Write the whole column so."  # of a known word in another type: it is nobody's name

Fault: TypeAlias = tuple[str, str, str]  # of a cell: found, expected, remedy


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that the user can mend: who, where, found, expected, what to do.

    `patient` is a patient's identifier, a row ("row 12") where the identifier itself cannot be shown, or "–".
    `found` holds the one offending value at most, never a patient's whole row.
    """

    patient: str
    where: str
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.patient}: {self.reason}"

    @property
    def reason(self) -> str:
        """The same without who. What was found may be a value, a count or an absence: it follows no verb."""
        return f"{self.where}: {self.found}; expected {self.expected}. {self.remedy}"


def listed(names: list[str]) -> str:
    """The names, each once, the first few of many."""
    different = [*dict.fromkeys(names)]
    rest = len(different) - SHOWN
    return ", ".join(different[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def shown(cell: object) -> str:
    """One cell's text, shortened; a free text that slipped into a column does not belong in a message."""
    text = str(cell)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def is_date(cell: object) -> bool:
    """Whether a cell is a date and nothing else."""
    return re.fullmatch(DATE, str(cell).strip(), re.IGNORECASE) is not None


def holds_date(cell: object) -> bool:
    """Whether a date, or a month of a year, stands in a cell: it may be of birth or of death, and is not repeated."""
    return re.search(rf"(?<!\d)({DATE}|{MONTH_OF_A_YEAR})(?!\d)", str(cell), re.IGNORECASE) is not None


def not_shown(texts: Collection[object]) -> str:
    """What a message says of texts that it must not repeat."""
    if len(texts) == 1:
        return "a value, not shown: it may tell who it is"
    return f"{len(texts)} different values, not shown: they may tell who is who"


def problems_of_cells(
    where: str, patients: Iterable[str], faults: Iterable[Fault | None], n_filled: int, advice: Callable[[Fault], str]
) -> Iterator[Problem]:
    """One problem for every different fault of a column's cells, naming its patients; what may be names shares one.

    Args:
        where: the column.
        patients: one a cell.
        faults: what is wrong with each cell, if anything is.
        n_filled: patients with any text in that column.
        advice: what to do about cells that are not repeated, by the first of their faults.
    """
    wrong = [(patient, fault) for patient, fault in zip(patients, faults, strict=True) if fault]
    patients_of: dict[Fault, list[str]] = {}
    for patient, fault in wrong:
        patients_of.setdefault(fault, []).append(patient)
    hidden = perhaps_names(patients_of, n_filled)
    if hidden:
        who, first = [patient for patient, fault in wrong if fault in hidden], next(iter(hidden))
        yield Problem(listed(who), where, not_shown(hidden), first[1], advice(first))
    yield from (Problem(listed(who), where, *fault) for fault, who in patients_of.items() if fault not in hidden)


def perhaps_names(patients_of: Mapping[Fault, Collection[str]], n_filled: int) -> dict[Fault, None]:
    """The faults whose cells a message must not repeat: those that few patients have, where these are too many.

    So they are in a column of names that was taken for another, and where people have typed what they liked.
    """
    repeated = {fault: len(set(who)) for fault, who in patients_of.items() if fault[2] not in (NO_DATE, WRITE_SO)}
    of_few = [fault for fault, n in repeated.items() if n < FEW]
    n_alone = sum(n == 1 for n in repeated.values())
    no_vocabulary = len(of_few) > MANY_OF_FEW or (n_alone > MOSTLY_ALONE and 2 * n_alone > n_filled)
    return dict.fromkeys(of_few if no_vocabulary else ())


class GliocastError(Exception):
    """The root of all errors that gliocast raises on purpose."""


class InputError(GliocastError):
    """The user's input or configuration is wrong; carries all problems found, not only the first."""

    subject = "the input"
    consequence = "nothing was run"

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__(self.headline() + "\n" + "\n".join(map(str, self.problems)))

    def headline(self) -> str:
        """One line that counts the problems and says what that means for the run."""
        count = len(self.problems)
        return f"{count} problem{'s' if count != 1 else ''} in {self.subject}; {self.consequence}."

    def say_what_is_kept(self) -> None:
        """Say, where stages have run before, that they are kept, and not that nothing was run."""
        if self.consequence == InputError.consequence:
            self.consequence = "finished stages are kept"

    def __reduce__(self) -> tuple[type[InputError], tuple[list[Problem]], dict[str, object]]:
        return type(self), (list(self.problems),), vars(self)


class ConfigurationError(InputError):
    """A parameter or a catalog entry is wrong."""

    subject = "the configuration"


class CohortError(InputError):
    """The clinical table is wrong."""

    subject = "the clinical table"


class ImagingError(InputError):
    """A volume, a lesion mask or their geometry is wrong."""

    subject = "the images"


class PartitionError(InputError):
    """The partition is not one: a patient stands twice, is unknown, or a class is too small."""

    subject = "the partition"


class LeakageError(InputError):
    """A patient would be scored as test by something that was fitted on them."""

    subject = "the separation of training and test patients"


class TrainingError(InputError):
    """Training cannot start, or ended without a usable model."""

    subject = "the training"
    consequence = "finished folds and checkpoints are kept"


class ArtefactError(InputError):
    """A stored file was changed since it was written, is damaged, or belongs to another version."""

    subject = "the stored results"


def raise_if_any(problems: Sequence[Problem], error: type[InputError]) -> None:
    """Raise `error` with all `problems`, or return quietly where there are none."""
    if problems:
        raise error(problems)


def refuse_together(*looks: Callable[[], object]) -> None:
    """Take every look, and refuse what they refuse all at once, each problem once.

    Raises:
        ConfigurationError: a look has raised one.
    """
    problems: list[Problem] = []
    for look in looks:
        try:
            look()
        except ConfigurationError as error:
            problems += error.problems
    raise_if_any(list(dict.fromkeys(problems)), ConfigurationError)
