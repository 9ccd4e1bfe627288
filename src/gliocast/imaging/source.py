"""Where the patients' images are: a folder, and the patterns of its layout. Touches the disk only when asked."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gliocast.errors import ImagingError, Problem
from gliocast.imaging.findings import Finding, Refused, inaccessible, is_technical, shown_name
from gliocast.imaging.patterns import OF_MACOS, PathPattern, is_folder
from gliocast.types import can_be_shown

DEFAULT_VOLUMES = ("<patient_id>/t1gd.<nii.gz|nii|nrrd|mha>", "<patient_id>/t1gd/")
DEFAULT_LESION_MASKS = ("<patient_id>/lesion_mask.<nii.gz|nii|nrrd|mha|dcm>", "<patient_id>/lesion_mask/")


@dataclass(frozen=True)
class StudyFiles:
    """One patient's T1-Gd volume (a file, or a folder of DICOM) and lesion mask, as they lie on the disk.

    Attributes:
        volume: file or folder.
        lesion_mask: file or folder; None where there is none.
        lesion_labels: values, segment numbers or names of the mask that are lesion; empty: all of them.
        spacing_mm: distance of voxels along the stored axes, where the headers are known to be wrong.
        shown: names of files that may hold a person's, and what messages call the file instead.
    """

    volume: Path
    lesion_mask: Path | None = None
    lesion_labels: tuple[int | str, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None
    shown: Mapping[str, str] = field(default_factory=dict)

    def told(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """The findings, in which a file that a `*` has found is called by its pattern."""
        told = tuple(findings)
        for name, shown in self.shown.items():
            told = tuple(finding.naming(name, shown) for finding in told)
        return told

    def inaccessible(self, error: OSError) -> Finding:
        """The finding of a file of the study that the operating system does not open, or stops reading."""
        if error.filename is None:
            return inaccessible("a file of the study", error)
        path = Path(str(error.filename))
        own = path in (self.volume, self.lesion_mask)
        return inaccessible(path.name if own else shown_name(path), error)

    def listing(self, root: Path) -> list[list[tuple[str, int, int]]]:
        """Relative path, size and modification time (ns) of the volume's files, and of the mask's; see `listed`."""
        parts = [self.volume] + ([self.lesion_mask] if self.lesion_mask else [])
        return [listed(files_below(part) if is_folder(part) else [part], root) for part in parts]


@dataclass(frozen=True)
class ImageSource:
    """A folder of studies and the patterns that find them.

    Attributes:
        root: the imaging folder.
        volumes: path patterns of the T1-Gd volumes (see `patterns.py`).
        lesion_masks: path patterns of the lesion masks.
        lesion_labels: values, segment numbers or names that are lesion; empty: everything above 0.
        spacing_mm: overrides the headers of volumes and masks (distance along i, j, k).
        patient_id: how an identifier is written, where the patterns hold a `<number:…>` only.
    """

    root: Path
    volumes: tuple[str, ...] = DEFAULT_VOLUMES
    lesion_masks: tuple[str, ...] = DEFAULT_LESION_MASKS
    lesion_labels: tuple[int | str, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None
    patient_id: str = "<patient_id>"

    def patient_ids(self) -> tuple[str, ...]:
        """Everyone who has a file that fits a volume pattern, sorted.

        Raises:
            ImagingError: the imaging folder does not exist, or cannot be looked into.
        """
        self.check()
        seen = {who for text in self.volumes for who in PathPattern(text).identifiers(self.root)}
        return tuple(sorted({self._written(who) for who in seen}))

    def check(self) -> None:
        """Raise where the imaging folder does not exist, or cannot be looked into."""
        try:
            os.scandir(self.root).close()
        except (FileNotFoundError, NotADirectoryError):
            found, expected, remedy = f"{self.root} (absent)", "an existing folder", "Correct its path."
        except OSError as error:
            found = f"not readable ({error.strerror})"
            expected, remedy = "a folder that this account may read", "Give read access."
        else:
            return
        raise ImagingError(Problem("–", "the imaging folder", found, expected, remedy))

    def study(self, patient_id: str) -> StudyFiles:
        """The files of one patient.

        Raises:
            Refused: there is no volume, more than one, one that lies outside the imaging folder, or a closed folder.
        """
        if not can_be_shown(patient_id):
            expected = "1 to 64 letters, digits, - or _"
            raise Refused(Finding("unsafe_patient_id", "patient_id", repr(patient_id), expected, "Rename the patient."))
        volumes = self._only_one("volume", self.volumes, patient_id)
        if not volumes:
            expected = " or ".join(
                shown for text in self.volumes for shown in PathPattern(text).globs(patient_id).values()
            )
            remedy = "Add the image, or say where it lies: `volumes` of the catalog entry imaging."
            raise Refused(Finding("image_missing", "imaging", "no volume", expected, remedy))
        masks = self._only_one("lesion mask", self.lesion_masks, patient_id)
        shown = {
            path.name: glob.rpartition("/")[2] for path, glob in (volumes | masks).items() if _may_name(path, glob)
        }
        return StudyFiles(next(iter(volumes)), next(iter(masks), None), self.lesion_labels, self.spacing_mm, shown)

    def listing(self) -> list[tuple[str, int, int]]:
        """Relative path, size and modification time (ns) of every file below the imaging folder; see `listed`.

        Of a link to a folder, the path that it leads to stands beside its own: what lies there is not below it.
        """
        return listed(files_below(self.root), self.root) + sorted(linked_folders(self.root))

    def _only_one(self, kind: str, patterns: tuple[str, ...], patient_id: str) -> dict[Path, str]:
        try:
            found = {
                path: glob for text in patterns for path, glob in PathPattern(text).find(self.root, patient_id).items()
            }
        except OSError as error:
            raise Refused(inaccessible(str(error.filename), error)) from None
        root = os.path.realpath(self.root)
        if any(not Path(os.path.realpath(part)).is_relative_to(root) for path in found for part in _ways_out(path)):
            found_there, expected = "a link out of the imaging folder", "files inside it"
            remedy = "Put the files themselves there, or exclude the patient."
            raise Refused(Finding("outside_the_folder", kind, found_there, expected, remedy))
        if len(found) > 1:
            counts = Counter(found.values())
            names = ", ".join(
                f"{glob} ({count} found)" if "*" in glob or count > 1 else glob for glob, count in counts.items()
            )
            remedy = "Remove all but one, or make the path pattern narrower."
            raise Refused(Finding(f"several_{kind.replace(' ', '_')}s", kind, names, "one", remedy))
        return found

    def _written(self, who: str) -> str:
        if "<number:" not in self.patient_id:
            return who
        before, _, after = self.patient_id.partition("<number:")
        return before + who.lstrip("0").zfill(int(after[0])) + after[2:]


def _may_name(path: Path, shown: str) -> bool:
    """Whether a file's name holds the patient's identifier or number, or what neither pattern nor identifier says."""
    name = shown.rpartition("/")[2]
    return "<" in name or ("*" in name and not is_technical(path.name))


def _ways_out(path: Path) -> Iterator[str]:
    """A file or folder, and every link below: what alone may lead out of the folder that it lies in.

    Folders say of their entries which are links, so that the files of a series are not asked one by one.
    """
    yield str(path)
    try:
        entries = list(os.scandir(path)) if is_folder(path) else []
    except OSError:  # told where the series is read
        return
    for entry in entries:
        if entry.is_symlink():
            yield entry.path
        elif entry.is_dir(follow_symlinks=False):
            yield from _ways_out(Path(entry.path))


def files_below(folder: Path, closed: Callable[[OSError], object] | None = None) -> list[Path]:
    """All files below a folder; `closed` is told of each folder that cannot be looked into, else passed over.

    What macOS writes beside them is none.
    """
    found = (Path(base) / name for base, _, names in os.walk(folder, onerror=closed) for name in names)
    return [file for file in found if not file.name.startswith(OF_MACOS)]


def linked_folders(root: Path) -> Iterator[tuple[str, int, int]]:
    """Every link to a folder below `root` and where it leads; it has neither size nor time."""
    folders = (Path(base) / name for base, names, _ in os.walk(root) for name in names)
    return ((f"{folder.relative_to(root)} -> {folder.readlink()}", -1, -1) for folder in folders if folder.is_symlink())


def listed(files: Iterable[Path], root: Path) -> list[tuple[str, int, int]]:
    """Relative path, size and modification time (ns) of files, sorted.

    Both are -1 where a file cannot be read, so that access that is given, or a link that is mended, counts as a change.
    """
    return sorted((file.relative_to(root).as_posix(), *_size_and_time(file)) for file in files)


def _size_and_time(file: Path) -> tuple[int, int]:
    try:
        stat = file.stat()
    except OSError:
        return -1, -1
    return (stat.st_size, stat.st_mtime_ns) if os.access(file, os.R_OK) else (-1, -1)
