"""Where the patients' images are: a folder, and the patterns of its layout. Touches the disk only when asked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gliocast.errors import ImagingError, Problem
from gliocast.imaging.findings import Finding, Refused
from gliocast.imaging.patterns import SAFE_ID, PathPattern

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
    """

    volume: Path
    lesion_mask: Path | None = None
    lesion_labels: tuple[int | str, ...] = ()
    spacing_mm: tuple[float, float, float] | None = None

    def listing(self, root: Path) -> list[tuple[str, int, int]]:
        """Relative path, size and modification time (ns) of every file of the study, sorted."""
        parts = [self.volume] + ([self.lesion_mask] if self.lesion_mask else [])
        files = [file for part in parts for file in (files_below(part) if part.is_dir() else [part])]
        stats = [(file.relative_to(root).as_posix(), file.stat()) for file in files]
        return sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


@dataclass(frozen=True)
class ImageSource:
    """A folder of studies and the patterns that find them.

    Attributes:
        root: the imaging folder.
        volumes: path patterns of the T1-Gd volumes (see `patterns.py`).
        lesion_masks: path patterns of the lesion masks.
        lesion_labels: values, segment numbers or names that are lesion; empty: everything but 0.
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
            ImagingError: the imaging folder does not exist.
        """
        self.check()
        seen = {who for text in self.volumes for who in PathPattern(text).identifiers(self.root)}
        return tuple(sorted({self._written(who) for who in seen}))

    def check(self) -> None:
        """Raise where the imaging folder does not exist."""
        if not self.root.is_dir():
            problem = Problem(
                "–", "the imaging folder", f"{self.root} (absent)", "an existing folder", "Correct its path."
            )
            raise ImagingError(problem)

    def study(self, patient_id: str) -> StudyFiles:
        """The files of one patient.

        Raises:
            Refused: there is no volume, more than one, or one that lies outside the imaging folder.
        """
        if not SAFE_ID.fullmatch(patient_id):
            expected = "1 to 64 letters, digits, - or _"
            raise Refused(Finding("unsafe_patient_id", "patient_id", repr(patient_id), expected, "Rename the patient."))
        volume = self._only_one("volume", self.volumes, patient_id)
        if volume is None:
            expected = " or ".join(glob for text in self.volumes for glob in PathPattern(text).globs(patient_id))
            raise Refused(Finding("image_missing", "imaging", "no volume", expected, "Add the image."))
        mask = self._only_one("lesion mask", self.lesion_masks, patient_id)
        return StudyFiles(volume, mask, self.lesion_labels, self.spacing_mm)

    def listing(self) -> list[tuple[str, int, int]]:
        """Relative path, size and modification time (ns) of every file below the imaging folder, sorted."""
        stats = [(file.relative_to(self.root).as_posix(), file.stat()) for file in files_below(self.root)]
        return sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)

    def _only_one(self, kind: str, patterns: tuple[str, ...], patient_id: str) -> Path | None:
        found = [path for text in patterns for path in PathPattern(text).find(self.root, patient_id)]
        if any(not path.resolve().is_relative_to(self.root.resolve()) for path in found):
            raise Refused(Finding("outside_the_folder", kind, "a link out of the imaging folder", "a file inside it"))
        if len(found) > 1:
            names = ", ".join(path.relative_to(self.root).as_posix() for path in found)
            remedy = "Remove all but one, or make the path pattern narrower."
            raise Refused(Finding(f"several_{kind.replace(' ', '_')}s", kind, names, "one", remedy))
        return found[0] if found else None

    def _written(self, who: str) -> str:
        if "<number:" not in self.patient_id:
            return who
        before, _, after = self.patient_id.partition("<number:")
        return before + who.lstrip("0").zfill(int(after[0])) + after[2:]


def files_below(folder: Path) -> list[Path]:
    """All files below a folder."""
    return [Path(base) / name for base, _, names in os.walk(folder) for name in names]
