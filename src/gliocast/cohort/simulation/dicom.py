"""A simulated volume as a classic MR series: one explicit little-endian file a slice, axial, in scanner coordinates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int16

from gliocast.cohort.simulation.parameters import Acquisition
from gliocast.cohort.simulation.phantom import Volume

SERIES_DESCRIPTION = "t1_mprage_tra_gd simulated"
CONTRAST_AGENT = "DOTAREM"


def write_dicom_series(
    volume: Volume, folder: Path, patient_id: str, fingerprint: str, acquisition: Acquisition, field_t: float
) -> None:
    """Write one file a slice, from the neck upwards; the same arguments give the same bytes, UIDs included."""
    folder.mkdir()
    series = series_tags(volume, patient_id, fingerprint, acquisition, field_t)
    # DICOM counts x to the left and y backwards: rows run from the front to the back, columns from right to left.
    slices = volume.voxels[:, ::-1, ::-1]
    x, y, z = volume.origin_mm
    height, width = slices.shape[1:]
    corner = (-(x + (width - 1) * volume.spacing_mm[0]), -(y + (height - 1) * volume.spacing_mm[1]))
    for number, pixels in enumerate(slices, start=1):
        position = (*corner, z + (number - 1) * volume.spacing_mm[2])
        dataset = slice_dataset(series, pixels, position, number, uid(fingerprint, patient_id, number))
        dataset.save_as(folder / f"{number:04d}.dcm", enforce_file_format=True)


def uid(*parts: object) -> Any:
    """A unique identifier that follows from its parts."""
    from pydicom.uid import generate_uid

    return generate_uid(entropy_srcs=[str(part) for part in parts])


def series_tags(
    volume: Volume, patient_id: str, fingerprint: str, acquisition: Acquisition, field_t: float
) -> dict[str, Any]:
    """The tags that all slices share. No name, date or place: there is nobody."""
    from pydicom.uid import MRImageStorage

    return {
        "SOPClassUID": MRImageStorage,
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "StudyDate": "",
        "StudyTime": "",
        "AccessionNumber": "",
        "Modality": "MR",
        "Manufacturer": "gliocast simulation",
        "ReferringPhysicianName": "",
        "SeriesDescription": SERIES_DESCRIPTION,
        "PatientName": patient_id,
        "PatientID": patient_id,
        "PatientBirthDate": "",
        "PatientSex": "",
        "PatientIdentityRemoved": "YES",
        "ContrastBolusAgent": CONTRAST_AGENT,
        "BodyPartExamined": "HEAD",
        "ScanningSequence": ["GR", "IR"],
        "SequenceVariant": "MP",
        "ScanOptions": "",
        "MRAcquisitionType": "3D",
        "SliceThickness": decimal(volume.spacing_mm[2]),
        "SpacingBetweenSlices": decimal(volume.spacing_mm[2]),
        "RepetitionTime": decimal(acquisition.repetition_time_ms),
        "EchoTime": decimal(acquisition.echo_time_ms),
        "FlipAngle": decimal(acquisition.flip_angle_degrees),
        "MagneticFieldStrength": decimal(field_t),
        "EchoTrainLength": "1",
        "PatientPosition": "HFS",
        "StudyInstanceUID": uid(fingerprint, patient_id, "study"),
        "SeriesInstanceUID": uid(fingerprint, patient_id, "series"),
        "FrameOfReferenceUID": uid(fingerprint, patient_id, "frame"),
        "PositionReferenceIndicator": "",
        "StudyID": "1",
        "SeriesNumber": "1",
        "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
        "PixelSpacing": [decimal(volume.spacing_mm[1]), decimal(volume.spacing_mm[0])],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "BurnedInAnnotation": "NO",
    }


def slice_dataset(
    series: dict[str, Any],
    pixels: Int16[np.ndarray, "height width"],
    position_mm: tuple[float, float, float],
    number: int,
    instance_uid: Any,
) -> Any:
    """One slice as a DICOM data set."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword, value in series.items():
        setattr(dataset, keyword, value)
    dataset.SOPInstanceUID = instance_uid
    dataset.InstanceNumber = str(number)
    dataset.ImagePositionPatient = [decimal(place) for place in position_mm]
    dataset.SliceLocation = decimal(position_mm[2])
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = np.ascontiguousarray(pixels, dtype="<i2").tobytes()
    return dataset


def decimal(number: float) -> str:
    """A decimal string of DICOM: at most 16 characters."""
    return f"{number:.10g}"
