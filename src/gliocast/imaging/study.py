"""One patient, from the files to the slice stack."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gliocast.imaging.checks import room_findings, voxel_findings
from gliocast.imaging.files import SUFFIXES, open_file
from gliocast.imaging.findings import Finding, Refused, RefusedPatient, refuse_if_any
from gliocast.imaging.grid import AXES, Region, whole
from gliocast.imaging.intensity import normalise
from gliocast.imaging.lesion import Lesion, largest_section_mm
from gliocast.imaging.localiser import Located, locate_lesion
from gliocast.imaging.masks import check_on_head, read_mask
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.patterns import is_folder
from gliocast.imaging.planes import slice_planes, slice_positions_mm
from gliocast.imaging.sampling import sample_mask, sample_slices
from gliocast.imaging.source import ImageSource, StudyFiles
from gliocast.imaging.stack import SliceStack
from gliocast.imaging.volume import Volume

EXCHANGED = (
    "that of another patient of the clinical table",
    "the patient's own, or one that the table does not have",
    "Find out whose images these are; where PatientID follows another numbering, remove it from the files.",
)


def extract_stack(
    source: ImageSource,
    patient_id: str,
    central_slice_mm: float | None,
    parameters: SliceParameters,
    everyone: Collection[str] = (),
) -> SliceStack | RefusedPatient:
    """Read, check, cut and normalise one patient's study.

    Args:
        source: where the study is.
        patient_id: whose.
        central_slice_mm: position of the central slice, RAS mm, where a person has chosen it; it overrides every mask.
        parameters: the slice rule.
        everyone: the patients of the clinical table; a series that names another of them is not this one's.

    Returns:
        The slice stack, or every reason why there is none. Nothing else is raised for a bad file.

    Raises:
        ConfigurationError: the lesion's labels are names, and the lesion mask is of a kind that has none.
    """
    try:
        study = source.study(patient_id)
    except Refused as refused:
        return RefusedPatient(patient_id, refused.findings)
    try:
        stack = _extracted(study, patient_id, central_slice_mm, parameters, everyone)
    except Refused as refused:
        return RefusedPatient(patient_id, study.told(refused.findings))
    except OSError as error:
        return RefusedPatient(patient_id, study.told([study.inaccessible(error)]))
    except MemoryError:
        finding = Finding("out_of_memory", "the study", "larger than the memory", "a study that fits into the memory")
        return RefusedPatient(patient_id, (finding,))
    return replace(stack, doubts=study.told(stack.doubts))


def open_volume(study: StudyFiles, parameters: SliceParameters) -> Volume:
    """The study's volume, its header checked and its voxels not yet read."""
    if study.volume.name.lower().endswith(SUFFIXES) and not is_folder(study.volume):
        return open_file(study.volume, parameters.geometry, study.spacing_mm)
    from gliocast.imaging.dicom_volume import DicomVolume

    return DicomVolume(study.volume, parameters, study.spacing_mm)


def _extracted(
    study: StudyFiles,
    patient_id: str,
    central_slice_mm: float | None,
    parameters: SliceParameters,
    everyone: Collection[str],
) -> SliceStack:
    volume, lesion = _volume_and_lesion(study, parameters)
    if is_another_patients(volume, patient_id, everyone):
        raise Refused(Finding("other_patient", "PatientID of the series", *EXCHANGED))
    refuse_if_any(room_findings(volume.grid, volume.name, parameters))
    located = _located(volume, lesion, central_slice_mm, parameters)
    axis = AXES[parameters.axis]
    positions = slice_positions_mm(located.centre_mm, volume.grid.span_mm(axis), parameters)
    outline = located.lesion or lesion
    centre = outline.centroid_mm if outline and parameters.centre == "lesion" else volume.grid.centre_mm
    raw = sample_slices(volume, positions, centre, parameters)
    pixels, statistics = normalise(raw, parameters.intensity)
    planes = slice_planes(positions, centre, parameters)
    inside = np.zeros(raw.shape, dtype=bool) if outline is None else sample_mask(outline.voxels, outline.grid, planes)
    if study.lesion_mask is not None:
        check_on_head(raw, inside, study.lesion_mask.name)
    record = {
        "center_slice_mm": located.centre_mm,
        "first_slice_mm": float(positions[0]),
        "last_slice_mm": float(positions[-1]),
        "source": located.source,
        "confidence": located.confidence,
        "shifted": bool(abs(positions[parameters.count // 2] - located.centre_mm) > 1e-6),
        **_lesion_record(lesion, located.area_mm2),
        **_volume_record(volume),
        **statistics,
    }
    doubts = (*volume.doubts, *located.doubts, *(lesion.doubts if lesion else ()))
    return SliceStack(patient_id, pixels.astype(np.float16), inside, record, doubts)


def is_another_patients(volume: Volume, patient_id: str, everyone: Collection[str]) -> bool:
    """Whether the headers name another patient of the study: folders were exchanged, and outcomes with them."""
    origin = volume.origin
    return origin is not None and not origin.is_of(patient_id) and any(map(origin.is_of, everyone))


def _volume_and_lesion(study: StudyFiles, parameters: SliceParameters) -> tuple[Volume, Lesion | None]:
    """A mask is unpacked while the volume's headers are read: in a DICOM series, both take about as long."""
    from concurrent.futures import ThreadPoolExecutor

    if study.lesion_mask is None:
        return open_volume(study, parameters), None
    with ThreadPoolExecutor(1) as beside:
        mask = beside.submit(read_mask, study.lesion_mask, study.lesion_labels, parameters.geometry, study.spacing_mm)
        volume = open_volume(study, parameters)
        return volume, mask.result()(volume)


def _located(
    volume: Volume, lesion: Lesion | None, central_slice_mm: float | None, parameters: SliceParameters
) -> Located:
    """Where the central slice lies: where a person put it, else by the mask, else by the localiser."""
    if central_slice_mm is not None:
        return Located(central_slice_mm, "column", 1.0)
    if lesion is not None:
        centre, area = largest_section_mm(lesion, AXES[parameters.axis], volume.grid)
        return Located(centre, "mask", 1.0, area_mm2=area)
    return locate_lesion(volume, parameters)


def _lesion_record(lesion: Lesion | None, area_mm2: float | None) -> dict[str, Any]:
    volume_mm3, parts = (lesion.volume_mm3, lesion.n_parts) if lesion else (None, None)
    return {"lesion_area_mm2": area_mm2, "lesion_volume_mm3": volume_mm3, "lesion_parts": parts}


def _volume_record(volume: Volume) -> dict[str, Any]:
    spacing = volume.grid.spacing_mm
    known: Mapping[str, Any] = volume.record
    return {
        "format": known.get("format"),
        "series": known.get("series", "the only volume"),
        "orientation": known.get("orientation"),
        "spacing_i_mm": float(spacing[0]),
        "spacing_j_mm": float(spacing[1]),
        "spacing_k_mm": float(spacing[2]),
        "image_sha256": image_sha256(volume),
    }


def image_sha256(volume: Volume) -> str:
    """A digest of the volume's middle slice as stored: two patients with the same one share an image."""
    i, j, _ = whole(volume.grid)
    middle = volume.grid.shape[2] // 2
    region: Region = (i, j, slice(middle, middle + 1))
    voxels = volume.read(region)
    refuse_if_any(finding for finding in voxel_findings(voxels, volume.name) if finding.code == "not_finite")
    return hashlib.sha256(np.ascontiguousarray(voxels.T, dtype="<f4").tobytes()).hexdigest()
