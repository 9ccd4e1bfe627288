"""The patients' images: a folder and its layout, touched only when somebody asks."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from gliocast.datasets.base import PlacedDataset
from gliocast.errors import ConfigurationError, Problem, raise_if_any
from gliocast.imaging.patterns import PathPattern, is_folder
from gliocast.imaging.source import DEFAULT_LESION_MASKS, DEFAULT_VOLUMES, ImageSource


class ImagingDataset(PlacedDataset[None, ImageSource]):
    """A folder of studies, one patient each, read as it was downloaded or exported.

    Example of a catalog entry::

        imaging:
          type: gliocast.datasets.ImagingDataset
          filepath: data/01_raw/imaging
          volumes: ["<patient_id>/t1gd.<nii.gz|nii|nrrd|mha>", "<patient_id>/t1gd/"]
          lesion_masks: ["<patient_id>/lesion_mask.<nii.gz|nii|nrrd|mha|dcm>", "<patient_id>/lesion_mask/"]
          lesion_labels: [1, 4]      # BraTS: necrotic core and enhancing tumour; empty: every label
    """

    def __init__(
        self,
        filepath: str,
        volumes: list[str] | None = None,
        lesion_masks: list[str] | None = None,
        lesion_labels: list[int | str] | None = None,
        spacing_mm: list[Any] | None = None,
        patient_id: str = "<patient_id>",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Describe the folder.

        Args:
            filepath: the imaging folder.
            volumes: path patterns of the T1-Gd volumes; the grammar is in `gliocast.imaging.patterns`.
            lesion_masks: path patterns of the lesion masks; an empty list where there are none.
            lesion_labels: values, segment numbers or segment names that are lesion; empty: all of them.
            spacing_mm: distance of voxels along the stored axes, overriding headers that are known to be wrong.
            patient_id: how an identifier is written, where the patterns hold a `<number:…>` only.
            metadata: for Kedro-Viz.

        Raises:
            ConfigurationError: a single value where a list is wanted, a pattern that is none, or distances that are not
                three numbers above 0.
        """
        lists: dict[str, object] = {"volumes": volumes, "lesion_masks": lesion_masks, "lesion_labels": lesion_labels}
        refuse_single_values(lists | {"spacing_mm": spacing_mm})
        refuse_bad_patterns({"volumes": volumes or (), "lesion_masks": lesion_masks or ()})
        super().__init__(filepath, metadata)
        self.source = ImageSource(
            root=self.filepath,
            volumes=tuple(DEFAULT_VOLUMES if volumes is None else volumes),
            lesion_masks=tuple(DEFAULT_LESION_MASKS if lesion_masks is None else lesion_masks),
            lesion_labels=tuple(lesion_labels or ()),
            spacing_mm=None if spacing_mm is None else three_distances(spacing_mm),
            patient_id=patient_id,
        )

    def load(self) -> ImageSource:
        """The folder and its patterns. Nothing is read yet."""
        return self.source

    def save(self, data: None) -> None:
        """Refuse: raw images are never written."""
        raise TypeError("raw images are never written")

    def fingerprint(self) -> str:
        """SHA-256 over names, sizes and modification times of all files in the folder."""
        return hashlib.sha256(json.dumps(self.source.listing()).encode()).hexdigest()

    def _exists(self) -> bool:
        return is_folder(self.filepath)


def refuse_single_values(lists: Mapping[str, object]) -> None:
    """Refuse a single value where a list is wanted: a text would be taken for the list of its letters.

    Raises:
        ConfigurationError: all such arguments at once.
    """
    single = {name: value for name, value in lists.items() if not (value is None or isinstance(value, list | tuple))}
    raise_if_any([no_list(name, value) for name, value in single.items()], ConfigurationError)


def no_list(name: str, value: object) -> Problem:
    """The problem of an argument that is a single value."""
    remedy = f"Write `{name}: [{json.dumps(value, ensure_ascii=False)}]`."
    if name == "spacing_mm":
        remedy = "Give three numbers, one an axis."
    return Problem("–", f"catalog entry imaging: {name}", str(value), "a list", remedy)


def refuse_bad_patterns(patterns: Mapping[str, Iterable[str]]) -> None:
    """Refuse path patterns that are none, before any stage has run.

    Raises:
        ConfigurationError: all of them at once, each with the argument that it stands in.
    """
    problems: list[Problem] = []
    for name, texts in patterns.items():
        for text in texts:
            try:
                PathPattern(text)
            except ConfigurationError as error:
                where = f"catalog entry imaging: {name}"
                problems += [replace(problem, where=where) for problem in error.problems]
    raise_if_any(problems, ConfigurationError)


def three_distances(spacing_mm: list[Any]) -> tuple[float, float, float]:
    """The distances of voxels, which are three; a negative one would mirror the head.

    Raises:
        ConfigurationError: others than three numbers above 0.
    """
    if [isinstance(distance, int | float) and 0 < distance < math.inf for distance in spacing_mm] != [True] * 3:
        where, remedy = "catalog entry imaging: spacing_mm", "Give three numbers, one an axis."
        raise ConfigurationError(Problem("–", where, str(spacing_mm), "three numbers above 0", remedy))
    along_i, along_j, along_k = map(float, spacing_mm)
    return along_i, along_j, along_k
