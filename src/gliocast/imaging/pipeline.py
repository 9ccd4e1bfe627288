"""A cohort's studies, patient by patient, on all processor cores, with one patient in memory a core."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from gliocast.imaging.findings import PASSING, UNCLAIMED, Finding, Refused, RefusedPatient
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.source import ImageSource
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.study import extract_stack, image_sha256, open_volume
from gliocast.imaging.workers import worker_pool
from gliocast.processes import n_cores
from gliocast.progress import counted

FEW_PATIENTS = 16  # below, starting worker processes takes longer than they save
AHEAD = 4  # patients a worker that are under way: a slow one does not leave the others without work

Result: TypeAlias = SliceStack | RefusedPatient

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Extraction:
    """The slice stacks of a cohort, described but not yet made: whoever stores them asks only for those it lacks.

    Attributes:
        source: where the studies are.
        central_slice_mm: every patient of the cohort, with the central slice's position where a person has chosen it.
        parameters: the slice rule.
        code: fingerprint of the code that makes a stack.
        others: patients with an image who are not in the cohort.
    """

    source: ImageSource
    central_slice_mm: Mapping[str, float | None]
    parameters: SliceParameters
    code: str = ""
    others: tuple[str, ...] = ()

    def keys(self) -> dict[str, str]:
        """What each patient's stack depends on: files (names, sizes, times), the chosen slice, parameters, code."""
        return {patient_id: self._key(patient_id) for patient_id in self.central_slice_mm}

    def run(self, patient_ids: Sequence[str], doing: str = "Cutting slices") -> Iterator[Result]:
        """Make the stacks of `patient_ids`, in their order; `doing` says in the bar and in the log what for."""
        chosen = {patient_id: self.central_slice_mm[patient_id] for patient_id in patient_ids}
        everyone = tuple(self.central_slice_mm)
        yield from counted(extract_slices(self.source, chosen, self.parameters, everyone), len(chosen), doing)

    def unclaimed(self) -> list[RefusedPatient]:
        """Images without a patient: listed, so that the counts of both sides add up."""
        where, expected = "imaging", "a patient of the cohort (absent from the clinical table, or excluded from it)"
        remedy = "Add the row, or remove the image."
        finding = Finding(UNCLAIMED, where, "an image without a patient", expected, remedy)
        return [RefusedPatient(patient_id, (finding,)) for patient_id in self.others]

    def _key(self, patient_id: str) -> str:
        try:
            study = self.source.study(patient_id)
            files: Any = [study.listing(self.source.root), study.lesion_labels, study.spacing_mm]
        except Refused as refused:
            files = [str(finding) for finding in refused.findings]
        rule = self.parameters.model_dump(mode="json", exclude={"workers"})
        parts = [files, self.central_slice_mm[patient_id], rule, self.code]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def extract_slices(
    source: ImageSource,
    central_slice_mm: Mapping[str, float | None],
    parameters: SliceParameters,
    everyone: Sequence[str] = (),
) -> Iterator[Result]:
    """Each patient's slice stack, or the reasons why there is none, in the order of `central_slice_mm`.

    Args:
        source: where the studies are.
        central_slice_mm: patients, with the position (RAS mm) of the central slice where a person has chosen it.
        parameters: the slice rule, and the number of workers.
        everyone: the patients of the clinical table, those with a stack already, too.
    """
    workers = min(parameters.workers or n_cores(), len(central_slice_mm))
    if workers < 2 or len(central_slice_mm) < FEW_PATIENTS:
        asked = central_slice_mm.items()
        return (extract_stack(source, who, centre_mm, parameters, everyone) for who, centre_mm in asked)
    return _in_parallel(source, central_slice_mm, parameters, workers, everyone)


def _in_parallel(
    source: ImageSource,
    central_slice_mm: Mapping[str, float | None],
    parameters: SliceParameters,
    workers: int,
    everyone: Sequence[str] = (),
) -> Iterator[Result]:
    """Worker processes, each with one patient; `AHEAD` a worker are under way, so that memory stays flat.

    A worker that dies (mostly for want of memory) takes the pool with it: everyone under way is then tried alone, and
    whoever ends a process of their own is refused.
    """
    from concurrent.futures.process import BrokenProcessPool

    extract = partial(extract_stack, source, parameters=parameters, everyone=everyone)
    waiting = deque(central_slice_mm.items())
    while waiting:
        under_way: deque[tuple[str, float | None, Future[Result]]] = deque()
        try:
            yield from _pooled(extract, waiting, under_way, workers)
        except BrokenProcessPool:
            for patient_id, centre_mm, _ in under_way:
                yield _alone(extract, patient_id, centre_mm)


def _pooled(
    extract: Callable[[str, float | None], Result],
    waiting: deque[tuple[str, float | None]],
    under_way: deque[tuple[str, float | None, Future[Result]]],
    workers: int,
) -> Iterator[Result]:
    """Results in order; `waiting` and `under_way` always tell who has none yet."""
    with worker_pool(workers) as pool:
        try:
            while waiting or under_way:
                while waiting and len(under_way) < AHEAD * workers:
                    patient_id, centre_mm = waiting[0]
                    under_way.append((patient_id, centre_mm, pool.submit(extract, patient_id, centre_mm)))
                    waiting.popleft()
                result = under_way[0][2].result()
                under_way.popleft()
                yield result
        finally:
            for _, _, future in under_way:
                future.cancel()


def _alone(extract: Callable[[str, float | None], Result], patient_id: str, centre_mm: float | None) -> Result:
    from concurrent.futures.process import BrokenProcessPool

    try:
        with worker_pool(1) as pool:
            return pool.submit(extract, patient_id, centre_mm).result()
    except BrokenProcessPool:
        found, expected = "a process that was killed, mostly for want of memory", "a study that can be read"
        return RefusedPatient(patient_id, (Finding("worker_died", "the study", found, expected),))


def check_studies(
    extraction: Extraction, look_at: Callable[[SliceStack], object]
) -> tuple[list[RefusedPatient], dict[str, int]]:
    """Read and cut every study as for training, and keep nothing but who cannot be used, and where lesions come from.

    The same image under two patients is named at the second one, even where one is refused for something else, such as
    the lesion mask. `look_at` is shown each stack that can be used.

    Returns:
        Everyone who cannot be used, and why. Of the other studies, `n_with_mask` have a lesion mask, in `n_localised`
        the lesion was localised, in `n_doubtful` of these doubtfully.
    """
    refused: list[RefusedPatient] = []
    seen: dict[str, str] = {}
    counts = Counter(n_with_mask=0, n_localised=0, n_doubtful=0)
    for result in extraction.run(list(extraction.central_slice_mm), "Checking studies"):
        image = _image_sha256(extraction, result)
        twin = seen.setdefault(image, result.patient_id) if image else result.patient_id
        shared = () if twin == result.patient_id else (_shared_image(twin),)
        if isinstance(result, RefusedPatient):
            refused.append(RefusedPatient(result.patient_id, (*result.findings, *shared)))
        elif shared:
            refused.append(RefusedPatient(result.patient_id, shared))
        else:
            counts.update(_lesion_comes_from(result))
            look_at(result)
    numbers = len(extraction.central_slice_mm), len(refused), *counts.values()
    _log.info("checked %d studies: %d cannot be used, %d have a lesion mask, %d are localised, %d doubtfully", *numbers)
    return [*refused, *extraction.unclaimed()], dict(counts)


def _image_sha256(extraction: Extraction, result: Result) -> str | None:
    """The digest of the image; None where it cannot be read, or reading it has filled the memory."""
    if not isinstance(result, RefusedPatient):
        return str(result.record["image_sha256"])
    if any(finding.code in PASSING for finding in result.findings):
        return None
    try:
        return image_sha256(open_volume(extraction.source.study(result.patient_id), extraction.parameters))
    except (Refused, OSError):
        return None


def _lesion_comes_from(stack: SliceStack) -> Iterator[str]:
    if stack.record["lesion_volume_mm3"] is not None:
        yield "n_with_mask"
    if stack.record["source"] == "localiser":
        yield "n_localised"
    if any(doubt.code == "lesion_uncertain" for doubt in stack.doubts):
        yield "n_doubtful"


def _shared_image(twin: str) -> Finding:
    expected, remedy = "an image of each patient's own", "Find out whose it is, and remove it from the other."
    return Finding("shared_image", "imaging", f"the image of {twin}", expected, remedy)
