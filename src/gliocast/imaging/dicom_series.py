"""From the headers of a folder to one regular series: which one, in which order, and whether it is a volume.

A series is a regular volume when its slices are parallel, stacked straight along their normal, and equally far apart,
each to a share of the slice distance (1 %, the rule of highdicom's `get_volume`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from jaxtyping import Float64

from gliocast.imaging.dicom_headers import SECONDARY_CAPTURE, Frame, Instance
from gliocast.imaging.findings import Finding, Refused
from gliocast.imaging.grid import AXES, Grid
from gliocast.imaging.parameters import SeriesParameters

BRIGHT_IS_LARGE = "MONOCHROME2"
MODALITY = r"[A-Z]{2}|SEG|RT[A-Z]+|–"  # of DICOM PS3.3, C.7.3.1.1.1; anything else may be a name
PARALLEL = 1e-3  # largest difference of direction cosines within a series; scanners write six digits


def choose_series(instances: Sequence[Instance], name: str, rule: SeriesParameters) -> tuple[list[Instance], str]:
    """The instances of the one series that the rule allows, and a sentence about the choice.

    Of several that are not refused, those without a doubt go first.

    Raises:
        Refused: the series are of several patients, none is eligible, or several are and the rule does not choose.
    """
    if len({instance.patient_digest for instance in instances} - {""}) > 1:
        raise Refused(_mixed_patients("the folder"))
    series: dict[str, list[Instance]] = {}
    for instance in instances:
        series.setdefault(instance.series, []).append(instance)
    if len(series) == 1:
        return list(instances), "the only series"
    eligible = _eligible(list(series.values()), name, rule)
    ranked = sorted(eligible, key=lambda members: (-_n_frames(members), members[0].series))
    tied = len(ranked) > 1 and _n_frames(ranked[0]) == _n_frames(ranked[1])
    if len(ranked) > 1 and (rule.choose == "refuse" or tied):
        found = ", ".join(f"series {members[0].series_number} ({_n_frames(members)} slices)" for members in ranked)
        remedy = "Set slices.series.description, or slices.series.choose: most_slices."
        raise Refused(Finding("several_series", name, found, "one eligible series", remedy))
    chosen = ranked[0]
    return chosen, f"series {chosen[0].series_number} of {len(series)}, {len(eligible)} eligible"


def _eligible(series: Sequence[list[Instance]], name: str, rule: SeriesParameters) -> list[list[Instance]]:
    """The series that are not refused; where some of these are beyond doubt, they alone."""
    findings = [list(ineligible(members, rule)) for members in series]
    refusals = [[finding for finding in found if not finding.doubt] for found in findings]
    left = [members for members, refused in zip(series, refusals, strict=True) if not refused]
    if not left:
        reasons = "; ".join(sorted(f"{finding.where} is {finding.found}" for found in refusals for finding in found))
        remedy = "Change slices.series where it asks too much, or exclude the patient."
        found, expected = f"none of {len(series)} series ({reasons})", "one that slices.series allows"
        raise Refused(Finding("no_eligible_series", name, found, expected, remedy))
    beyond_doubt = [members for members, found in zip(series, findings, strict=True) if not found]
    return beyond_doubt or left


def ineligible(members: Sequence[Instance], rule: SeriesParameters) -> Iterator[Finding]:
    """Why a series is not the contrast-enhanced T1 of the study."""
    first, where = _first_whole(members), f"series {members[0].series_number}"
    others = sorted({member.modality for member in members} - {rule.modality})
    descriptions, kinds = {member.description for member in members}, {member.image_type for member in members}
    if others:
        shown = dict.fromkeys(other if re.fullmatch(MODALITY, other) else "another" for other in others)
        yield Finding("wrong_modality", where, " and ".join(shown), rule.modality)
    for tag, texts in (("description", descriptions), ("ImageType", kinds)):
        if rule.refuse_description and any(_says(rule.refuse_description, text) for text in texts):
            found, expected = "one that is refused", "a contrast-enhanced T1, as acquired"
            remedy = "Export that, correct slices.series.refuse_description, or exclude the patient."
            yield Finding("wrong_sequence", f"{tag} of {where}", found, expected, remedy)
    if rule.description and not all(_says(rule.description, text) for text in descriptions):
        yield Finding("wrong_sequence", f"description of {where}", "another", "one that fits slices.series.description")
    if rule.orientation != "any" and first.frames and (plane := _plane(first)) != rule.orientation:
        yield Finding("wrong_orientation", where, plane, rule.orientation)
    if any(member.burned_in or member.sop_class.startswith(SECONDARY_CAPTURE) for member in members):
        yield Finding("burned_in", where, "a screenshot, or text within the pixels", "an image as acquired")
    if any(member.samples != 1 for member in members):
        yield Finding("not_scalar", where, f"{first.samples} values a pixel", "one grey value a pixel")
    elif other := {member.grey_scale for member in members} - {BRIGHT_IS_LARGE, ""}:
        found = "MONOCHROME1 (large values are dark)" if "MONOCHROME1" in other else "of colours"
        tag, remedy = f"PhotometricInterpretation of {where}", "Export it so, or exclude the patient."
        yield Finding("not_bright", tag, found, f"{BRIGHT_IS_LARGE} (large values are bright)", remedy)
    if rule.contrast != "ignore":
        yield from _without_contrast(members, f"ContrastBolusAgent of {where}", kept=rule.contrast == "warn")


def _says(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def _without_contrast(members: Sequence[Instance], tag: str, kept: bool) -> Iterator[Finding]:
    """No contrast agent, none recorded (which may be `kept` as a doubt), or slices with one among others without."""
    n_with = sum(member.contrast_agent is True for member in members)
    expected = "a contrast agent"
    remedy = (
        "Export the series with contrast, or exclude the patient; slices.series.contrast: ignore passes over the tag."
    )
    if 0 < n_with < len(members):
        found = f"recorded in {n_with} of {len(members)} files"
        yield Finding("mixed_contrast", tag, found, "one acquisition, all of it after the contrast agent", remedy)
    elif any(member.contrast_agent is False for member in members):
        yield Finding("no_contrast", tag, "said to be none", expected, remedy)
    elif not n_with:
        yield Finding("contrast_unknown", tag, "not recorded", expected, doubt=kept)


def series_grid(
    instances: Sequence[Instance], name: str, tolerance: float
) -> tuple[Grid | None, list[Frame], list[Finding]]:
    """Sort the frames along their normal and check that they are a regular volume.

    Returns:
        The grid (stored axes: column, row, slice), its frames in the order of the last axis, and all findings; no grid
        where the findings leave none.
    """
    findings = list(_mixed(instances))
    frames = [frame for instance in instances for frame in instance.frames]
    findings += [] if findings else list(_not_parallel(frames, name))
    if len(frames) < 2 and not findings:
        findings.append(Finding("too_few_slices", name, f"{len(frames)} slice", "a stack of slices"))
    if findings:
        return None, frames, findings
    normal = np.cross(frames[0].orientation[:3], frames[0].orientation[3:])
    frames.sort(key=lambda frame: float(frame.position_mm @ normal))
    findings = list(_irregular(frames, normal, tolerance))
    grid = None if findings else _grid(frames, instances[0].shape)
    return grid, frames, [*findings, *_interleaved(frames, instances)]


def _plane(instance: Instance) -> str:
    """The plane of acquisition: the anatomical one whose normal is nearest to the slices'."""
    orientation = instance.frames[0].orientation
    nearest = int(np.abs(np.cross(orientation[:3], orientation[3:])).argmax())
    return next(name for name, axis in AXES.items() if axis == nearest)


def _first_whole(members: Sequence[Instance]) -> Instance:
    return next((member for member in members if member.fault is None), members[0])


def _n_frames(members: Sequence[Instance]) -> int:
    """Slices of a series, damaged ones too: damage must not make another series the longest."""
    return sum(member.n_frames for member in members)


def _mixed(instances: Sequence[Instance]) -> Iterator[Finding]:
    if len({instance.patient_digest for instance in instances}) > 1:
        yield _mixed_patients("the series")
    if len({instance.frame_of_reference for instance in instances}) > 1:
        found, expected = "more than one in the series", "one, in which all positions are told"
        yield Finding("mixed_coordinates", "FrameOfReferenceUID", found, expected, "Separate the files.")
    shapes = sorted({instance.shape for instance in instances})
    if len(shapes) > 1:
        yield Finding("mixed_shapes", "Rows and Columns", " and ".join(map(str, shapes)), "one size in the series")


def _mixed_patients(where: str) -> Finding:
    return Finding("mixed_patients", "PatientID", f"more than one in {where}", "one patient", "Separate the files.")


def _not_parallel(frames: Sequence[Frame], name: str) -> Iterator[Finding]:
    first = frames[0]
    lengths = [np.linalg.norm(first.orientation[:3]), np.linalg.norm(first.orientation[3:])]
    off = max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(first.orientation[:3] @ first.orientation[3:]))
    if off > PARALLEL:
        yield Finding(
            "bad_orientation",
            f"ImageOrientationPatient in {name}",
            f"{off:.3f} off",
            "two unit vectors at a right angle",
        )
    turned = np.abs([frame.orientation - first.orientation for frame in frames]).max(axis=1) > PARALLEL
    spacings = np.array([frame.spacing_mm for frame in frames])
    scaled = (np.abs(spacings - spacings[0]) > 1e-3 * np.abs(spacings[0])).any(axis=1)
    for code, where, tag, expected in (
        ("mixed_orientation", turned, "ImageOrientationPatient", "parallel slices"),
        ("mixed_spacing", scaled, "PixelSpacing", "one spacing in the series"),
    ):
        for at in np.flatnonzero(where)[:1]:
            yield Finding(code, tag, f"instances {first.number} and {frames[at].number} differ", expected)


def _irregular(frames: Sequence[Frame], normal: Float64[np.ndarray, "3"], tolerance: float) -> Iterator[Finding]:
    """The first fault of each kind, with the two instances that show it."""
    steps = np.diff([frame.position_mm for frame in frames], axis=0)
    along = steps @ normal
    usual = float(np.median(along))
    allowed = tolerance * usual
    sideways = np.linalg.norm(steps - along[:, None] * normal, axis=1)
    n_missing = np.round(along / usual) - 1 if usual > 0 else np.zeros(len(along))
    gap = (n_missing > 0) & (np.abs(along - (n_missing + 1) * usual) <= allowed * (n_missing + 1))
    doubled = along <= max(allowed, 1e-6)
    uneven = (np.abs(along - usual) > allowed) & ~gap & ~doubled
    evenly = f"{usual:.3f} mm apart, to {tolerance:.0%}"
    for code, where, found, expected in (
        ("duplicate_position", doubled, "at the same position", "one slice a position"),
        ("missing_slice", gap, "{missing:.0f} missing between them", evenly),
        ("uneven_slices", uneven, "{along:.3f} mm apart", evenly),
        ("gantry_tilt", sideways > max(allowed, 1e-3), "shifted by {sideways:.3f} mm", "stacked along their normal"),
    ):
        for at in np.flatnonzero(where)[:1]:
            pair = f"instances {frames[at].number} and {frames[at + 1].number}"
            measures = {"missing": n_missing[at], "along": along[at], "sideways": sideways[at]}
            yield Finding(code, pair, found.format(**measures), expected)


def _interleaved(frames: Sequence[Frame], instances: Sequence[Instance]) -> Iterator[Finding]:
    """Acquisitions whose slices lie between each other's: two scans, or passes of one that a scanner numbers."""
    acquisition = {instance.path: instance.acquisition for instance in instances}
    runs = [number for number, _ in groupby(acquisition[frame.path] for frame in frames)]
    if len(runs) > len(set(runs)):
        found, expected = f"{len(set(runs))} acquisitions, with slices between each other's", "one acquisition"
        remedy = "Look at it; where they are two scans, separate the files."
        yield Finding("mixed_acquisitions", "AcquisitionNumber", found, expected, remedy, doubt=True)


def _grid(frames: Sequence[Frame], shape: tuple[int, int]) -> Grid:
    first, last = frames[0], frames[-1]
    columns = np.stack(
        [
            first.orientation[:3] * first.spacing_mm[1],
            first.orientation[3:] * first.spacing_mm[0],
            (last.position_mm - first.position_mm) / (len(frames) - 1),
        ],
        axis=1,
    )
    return Grid.from_lps((*shape, len(frames)), columns, first.position_mm)
