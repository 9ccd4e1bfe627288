"""Phantoms as DICOM: classic and enhanced series, compressed or not, segmentations and structure sets."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
    RTStructureSetStorage,
    generate_uid,
)

from gliocast.imaging.grid import Grid

TRANSFER_SYNTAXES = {
    "uncompressed": ExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg2000": JPEG2000Lossless,
    "jpeg_ls": JPEGLSLossless,
    "jpeg_lossless": JPEGLosslessSV1,
}


def lps(grid: Grid) -> np.ndarray:
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.affine


def write_series(
    folder: Path,
    grid: Grid,
    voxels: np.ndarray,
    syntax: str = "uncompressed",
    change: Callable[[int, Dataset], None] | None = None,
    **tags: Any,
) -> list[Path]:
    """One file a slice (the last stored axis), voxels as int16; `change(index, dataset)` may spoil a file."""
    folder.mkdir(parents=True, exist_ok=True)
    series, frame_of_reference, study = generate_uid(), generate_uid(), generate_uid()
    files = []
    for index in range(grid.shape[2]):
        header = _common(grid, MRImageStorage, series, study)
        header.FrameOfReferenceUID = frame_of_reference
        header.InstanceNumber = index + 1
        header.ImagePositionPatient = list(lps(grid)[:3] @ [0, 0, index, 1])
        header.ImageOrientationPatient = _orientation(grid)
        header.PixelSpacing = [grid.spacing_mm[1], grid.spacing_mm[0]]
        header.SliceThickness = grid.spacing_mm[2]
        for name, value in tags.items():
            setattr(header, name, value)
        _set_pixels(header, voxels[:, :, index].T, syntax)
        if change is not None:
            change(index, header)
        files.append(folder / f"{generate_uid()[-12:]}-{index:03d}.dcm")  # names do not tell the order
        header.save_as(files[-1], enforce_file_format=True)
    return files


def write_enhanced(path: Path, grid: Grid, voxels: np.ndarray, shuffled: bool = True) -> Path:
    """One enhanced multi-frame file; its frames are in no particular order."""
    header = _common(grid, EnhancedMRImageStorage, generate_uid(), generate_uid())
    order = np.random.default_rng(1).permutation(grid.shape[2]) if shuffled else np.arange(grid.shape[2])
    header.NumberOfFrames = grid.shape[2]
    header.InstanceNumber = 1
    header.PixelData = np.ascontiguousarray(voxels[:, :, order].T.astype("<i2")).tobytes()
    orientation, measures, shared = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = _orientation(grid)
    measures.PixelSpacing = [grid.spacing_mm[1], grid.spacing_mm[0]]
    measures.SliceThickness = grid.spacing_mm[2]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([orientation]), Sequence([measures])
    header.SharedFunctionalGroupsSequence = Sequence([shared])
    header.PerFrameFunctionalGroupsSequence = Sequence([_frame_place(grid, int(index)) for index in order])
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)
    return path


def write_segmentation(path: Path, images: list[Path], masks: list[np.ndarray], kind: str = "BINARY") -> Path:
    """A DICOM SEG over a classic series by highdicom, one segment a mask (i, j, k); empty frames are left out."""
    import highdicom
    import pydicom
    from pydicom.sr.codedict import codes

    sources = sorted((pydicom.dcmread(image) for image in images), key=lambda image: image.InstanceNumber)
    segments = [
        highdicom.seg.SegmentDescription(
            number,
            f"part {number}",
            codes.SCT.Tissue,
            codes.SCT.Tissue,
            highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number in range(1, len(masks) + 1)
    ]
    stacked = np.stack([mask.T for mask in masks], axis=-1)
    segmentation = highdicom.seg.Segmentation(
        sources,
        stacked.astype(np.float32 if kind == "FRACTIONAL" else np.uint8),
        kind,
        segments,
        generate_uid(),
        1,
        generate_uid(),
        1,
        "gliocast",
        "phantom",
        "1",
        "1",
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    segmentation.save_as(path)
    return path


def write_structures(path: Path, structures: dict[str, list[np.ndarray]]) -> Path:
    """An RTSTRUCT: for each structure its closed contours, each (points, 3) in RAS mm."""
    header = _empty(RTStructureSetStorage)
    header.Modality, header.StructureSetLabel = "RTSTRUCT", "phantom"
    header.StructureSetROISequence, header.ROIContourSequence = Sequence(), Sequence()
    for number, (name, contours) in enumerate(structures.items(), start=1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        drawn.ReferencedROINumber, drawn.ContourSequence = number, Sequence()
        for points in contours:
            contour = Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(points)
            contour.ContourData = [f"{value:.4f}" for value in (points * [-1, -1, 1]).ravel()]
            drawn.ContourSequence.append(contour)
        header.StructureSetROISequence.append(roi)
        header.ROIContourSequence.append(drawn)
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)
    return path


def _empty(sop_class: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    header.PatientID, header.PatientName, header.PatientBirthDate = "MRN-000123", "ZZCANARY^NAME", "19500101"
    header.PatientSex, header.StudyID, header.AccessionNumber = "O", "1", "1"
    header.StudyDate, header.StudyTime = "20200101", "120000"
    header.ReferringPhysicianName, header.Manufacturer = "", "phantom"
    return header


def _common(grid: Grid, sop_class: str, series: str, study: str) -> FileDataset:
    header = _empty(sop_class)
    header.Modality, header.SeriesNumber, header.SeriesDescription = "MR", 5, "t1 gd"
    header.ContrastBolusAgent = "gadolinium"
    header.SeriesInstanceUID, header.StudyInstanceUID = series, study
    header.Columns, header.Rows = grid.shape[0], grid.shape[1]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
    return header


def _orientation(grid: Grid) -> list[float]:
    directions = lps(grid)[:3, :3] / grid.spacing_mm
    return [round(float(value), 9) for value in (*directions[:, 0], *directions[:, 1])]


def _frame_place(grid: Grid, index: int) -> Dataset:
    position, groups = Dataset(), Dataset()
    position.ImagePositionPatient = list(lps(grid)[:3] @ [0, 0, index, 1])
    groups.PlanePositionSequence = Sequence([position])
    return groups


def _set_pixels(header: FileDataset, picture: np.ndarray, syntax: str) -> None:
    pixels = np.ascontiguousarray(picture.astype("<i2"))
    header.PixelData = pixels.tobytes()
    header["PixelData"].VR = "OW"
    if syntax == "jpeg_lossless":
        _borrow_from_gdcm(header, pixels)
    elif syntax != "uncompressed":
        header.compress(TRANSFER_SYNTAXES[syntax], generate_instance_uid=False)


def _borrow_from_gdcm(header: FileDataset, pixels: np.ndarray) -> None:
    """Lossless JPEG has no encoder in pydicom; ITK's DICOM writer has one."""
    import pydicom
    import SimpleITK

    with tempfile.TemporaryDirectory() as folder:
        writer = SimpleITK.ImageFileWriter()
        writer.SetFileName(f"{folder}/slice.dcm")
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        writer.Execute(SimpleITK.GetImageFromArray(pixels[None]))
        compressed = pydicom.dcmread(f"{folder}/slice.dcm")
    header.PixelData = compressed.PixelData
    header["PixelData"].is_undefined_length = True
    header.file_meta.TransferSyntaxUID = compressed.file_meta.TransferSyntaxUID
