"""A simulated volume as a classic MR series: one explicit little-endian file a slice, axial, in scanner coordinates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int16

from gliocast.cohort.simulation.parameters import Acquisition
from gliocast.cohort.simulation.phantom import Volume

# What every file says. No name, date or place: there is nobody.
FIXED_TAGS: dict[str, Any] = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",  # MR Image Storage
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
    "StudyDate": "",
    "StudyTime": "",
    "AccessionNumber": "",
    "Modality": "MR",
    "Manufacturer": "gliocast simulation",
    "ReferringPhysicianName": "",
    "SeriesDescription": "t1_mprage_tra_gd simulated",
    "PatientBirthDate": "",
    "PatientSex": "",
    "PatientIdentityRemoved": "YES",
    "DeidentificationMethod": "simulated: there is no patient",
    "ContrastBolusAgent": "DOTAREM",  # section 2.2
    "BodyPartExamined": "HEAD",
    "ScanningSequence": ["GR", "IR"],
    "SequenceVariant": "MP",
    "ScanOptions": "",
    "MRAcquisitionType": "3D",
    "EchoTrainLength": "1",
    "PatientPosition": "HFS",
    "PositionReferenceIndicator": "",
    "StudyID": "1",
    "SeriesNumber": "1",
    "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 1,
    "BurnedInAnnotation": "NO",
}


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
    """The tags that all slices of one series share."""
    x_mm, y_mm, z_mm = map(decimal, volume.spacing_mm)
    return {
        **FIXED_TAGS,
        "PatientName": patient_id,
        "PatientID": patient_id,
        "SliceThickness": z_mm,
        "SpacingBetweenSlices": z_mm,
        "PixelSpacing": [y_mm, x_mm],
        "RepetitionTime": decimal(acquisition.repetition_time_ms),
        "EchoTime": decimal(acquisition.echo_time_ms),
        "FlipAngle": decimal(acquisition.flip_angle_degrees),
        "MagneticFieldStrength": decimal(field_t),
        "StudyInstanceUID": uid(fingerprint, patient_id, "study"),
        "SeriesInstanceUID": uid(fingerprint, patient_id, "series"),
        "FrameOfReferenceUID": uid(fingerprint, patient_id, "frame"),
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
