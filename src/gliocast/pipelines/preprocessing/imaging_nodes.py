"""Nodes from the patients' images to slice stacks, and to who has none."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from gliocast.cohort.parameters import InvalidPatientPolicy
from gliocast.cohort.selection import EXCLUSION_COLUMNS
from gliocast.errors import ImagingError, LeakageError, Problem, raise_if_any
from gliocast.evidence.guard import check_distinct_slices, near_twins, thumbnails
from gliocast.imaging.montage import Montage, slice_quality
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.pipeline import Extraction, check_studies
from gliocast.imaging.source import ImageSource
from gliocast.imaging.storage import SliceStackStore
from gliocast.persistence.code import module_fingerprint
from gliocast.persistence.pseudonyms import pseudonym
from gliocast.types import Figure, ImageScoreKind

INTERNAL_COLUMNS = ("shard", "row", "key")


def extract_slices(
    imaging: ImageSource,
    cohort: pd.DataFrame,
    slices: SliceParameters,
    image_score: ImageScoreKind,
    on_invalid_patient: InvalidPatientPolicy,
) -> Extraction:
    """Describe the slice stacks of the cohort; the catalog entry makes and stores those that it lacks.

    Args:
        imaging: where the studies are.
        cohort: `patient_id`, and `central_slice_mm` where people have chosen slices.
        slices: the slice rule.
        image_score: nothing is extracted unless it is `cnn`.
        on_invalid_patient: `stop` checks every study first, and raises with all problems.

    Raises:
        ImagingError: the imaging folder is absent, or the check has found problems.
    """
    extraction = extraction_of(imaging, cohort, slices) if image_score == "cnn" else Extraction(imaging, {}, slices)
    if on_invalid_patient == "stop":
        raise_if_any(checked(extraction)[0], ImagingError)
    return extraction


def summarise_slices(
    slice_stacks: SliceStackStore, on_invalid_patient: InvalidPatientPolicy
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The slice manifest, one row a patient with a stack, and the exclusions, one row a reason.

    Raises:
        ImagingError: somebody has no stack, and `on_invalid_patient` is `stop`.
        LeakageError: the same image, or nearly the same, stands under two patients.
    """
    manifest, refused = slice_stacks.manifest.drop(columns=list(INTERNAL_COLUMNS)), slice_stacks.refused
    raise_if_any(shared_images(manifest), LeakageError)
    check_distinct_slices(slice_stacks.patient_ids, slice_stacks.load)
    columns = ("patient_id", "where", "found", "expected", "remedy")
    problems = [Problem(*(str(row[name]) for name in columns)) for _, row in refused.iterrows()]
    if on_invalid_patient == "stop":
        raise_if_any(problems, ImagingError)
    reasons = pd.Series([problem.reason for problem in problems], index=refused.index, dtype="string")
    exclusions = refused[["patient_id", "code"]].assign(stage="imaging", reason=reasons)
    return manifest, exclusions[list(EXCLUSION_COLUMNS)]


def shared_images(manifest: pd.DataFrame) -> list[Problem]:
    """Patients whose image is another patient's: one of the two could be trained on, and the other tested."""
    if "image_sha256" not in manifest:
        return []
    twins = manifest[manifest["image_sha256"].duplicated(keep=False)]
    expected, remedy = "an image of each patient's own", "Find out whose it is, and remove it from the others."
    return [
        Problem(" = ".join(members["patient_id"]), "imaging", "the same image", expected, remedy)
        for _, members in twins.groupby("image_sha256")
    ]


def extraction_of(imaging: ImageSource, cohort: pd.DataFrame, slices: SliceParameters) -> Extraction:
    """The slice stacks of these patients, described; ImagingError where the imaging folder is absent."""
    imaging.check()
    patient_ids = [str(patient_id) for patient_id in cohort["patient_id"]]
    chosen = cohort["central_slice_mm"] if "central_slice_mm" in cohort else [None] * len(patient_ids)
    centres = {who: None if pd.isna(centre) else float(centre) for who, centre in zip(patient_ids, chosen, strict=True)}
    others = tuple(sorted(set(imaging.patient_ids()) - set(patient_ids)))
    return Extraction(imaging, centres, slices, module_fingerprint("gliocast.imaging.study"), others)


def checked(extraction: Extraction) -> tuple[list[Problem], dict[str, int]]:
    """All problems of the studies, who cannot be used and who is nearly somebody else; and counts of the others."""
    seen: dict[str, np.ndarray] = {}
    refused, counts = check_studies(
        extraction, lambda stack: seen.update({stack.patient_id: thumbnails(stack.pixels[None])[0]})
    )
    problems = [finding.problem(patient.patient_id) for patient in refused for finding in patient.findings]
    return [*problems, *near_twins([*seen], [*seen.values()])], counts


def draw_slice_montage(
    slice_stacks: SliceStackStore, imaging_exclusions: pd.DataFrame, pseudonym_key: str
) -> tuple[Montage, pd.DataFrame, Figure]:
    """The pages on which a person looks at every patient's slices, who is who on them, and a figure of counts alone."""
    montage = Montage(slice_stacks, imaging_exclusions, partial(pseudonym, key=pseudonym_key))
    everyone = sorted({*slice_stacks.patient_ids, *imaging_exclusions["patient_id"]})
    names = [pseudonym(who, pseudonym_key) for who in everyone]
    who_is_who = pd.DataFrame({"pseudonym": names, "patient_id": everyone}, dtype="string")
    return montage, who_is_who, slice_quality(slice_stacks.manifest, imaging_exclusions)
