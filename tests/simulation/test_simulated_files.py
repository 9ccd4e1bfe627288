from dataclasses import replace

import numpy as np
import pytest

from gliocast.cohort.simulation.provenance import read_record
from gliocast.cohort.simulation.studies import SimulatedStudy, phantoms, write_study
from gliocast.cohort.simulation.truth import truth


@pytest.fixture
def a_study(a_simulation):
    return SimulatedStudy("SIM-001", 0, 0.3, 1.5, False, 1, "f" * 64, a_simulation())


def read_ras(path):
    import SimpleITK

    if path.is_dir():
        names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(path))
        return SimpleITK.DICOMOrient(SimpleITK.ReadImage(names), "RAS")
    return SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), "RAS")


def written(study, folder):
    folder.mkdir()
    write_study(study, folder)
    return folder


def test_dicom_and_nifti_hold_the_same_physical_volume(a_study, tmp_path):
    import SimpleITK

    nifti = read_ras(written(a_study, tmp_path / "nifti") / "t1gd.nii.gz")
    dicom = read_ras(written(replace(a_study, as_dicom=True), tmp_path / "dicom") / "t1gd")
    assert (SimpleITK.GetArrayFromImage(nifti) == SimpleITK.GetArrayFromImage(dicom)).all()
    for property_mm in ("GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(nifti, property_mm)() == pytest.approx(getattr(dicom, property_mm)(), abs=1e-4)


@pytest.mark.parametrize("as_dicom", [False, True])
def test_mask_lies_on_the_lesion_in_scanner_coordinates(a_study, tmp_path, as_dicom):
    import SimpleITK

    study = replace(a_study, as_dicom=as_dicom)
    folder = written(study, tmp_path / "patient")
    mask, volume = read_ras(folder / "lesion_mask.nii.gz"), study.render()
    inside = np.argwhere(SimpleITK.GetArrayFromImage(mask))[:, ::-1]
    center = mask.TransformContinuousIndexToPhysicalPoint(inside.mean(axis=0).tolist())
    expected = np.argwhere(volume.lesion_mask)[:, ::-1].mean(axis=0) * volume.spacing_mm + volume.origin_mm
    assert center == pytest.approx([-expected[0], -expected[1], expected[2]], abs=1e-3)  # SimpleITK counts in LPS
    assert read_record(folder / "simulation.json")["largest_section_mm"] == pytest.approx(volume.largest_section_mm)


def test_patients_differ_in_how_their_axes_are_stored(a_study, tmp_path):
    import SimpleITK

    found = set()
    for index in range(8):
        path = written(replace(a_study, index=index), tmp_path / str(index)) / "t1gd.nii.gz"
        direction = SimpleITK.ReadImage(str(path)).GetDirection()
        found.add(SimpleITK.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(direction))
    assert found == {"RAS", "LPS", "LAS"}


def test_dicom_series_says_what_it_is_and_names_nobody(a_study, tmp_path):
    import pydicom

    folder = written(replace(a_study, as_dicom=True), tmp_path / "patient") / "t1gd"
    slices = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    first = slices[0]
    assert len(slices) == first.Rows // 2 == 16
    assert first.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert (first.Modality, first.ContrastBolusAgent, first.BurnedInAnnotation) == ("MR", "DOTAREM", "NO")
    assert "simulated" in first.SeriesDescription
    assert (first.RepetitionTime, first.EchoTime, first.FlipAngle) == (2070, 3.15, 15)  # section 2.2
    assert str(first.PatientName) == first.PatientID == "SIM-001"
    assert not (first.PatientBirthDate or first.StudyDate or first.ReferringPhysicianName)
    assert len({part.SOPInstanceUID for part in slices}) == 16
    assert np.diff([part.ImagePositionPatient[2] for part in slices]) == pytest.approx([10] * 15)


def test_writing_a_study_twice_gives_the_same_bytes(a_study, tmp_path):
    for as_dicom in (False, True):
        study = replace(a_study, as_dicom=as_dicom)
        one, two = written(study, tmp_path / f"one{as_dicom}"), written(study, tmp_path / f"two{as_dicom}")
        files = [path.relative_to(one) for path in sorted(one.rglob("*")) if path.is_file()]
        assert files
        assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)


def test_record_beside_the_images_does_not_tell_the_planted_score(a_study, tmp_path):
    record = read_record(written(a_study, tmp_path / "patient") / "simulation.json")
    assert record["simulated"] is True
    assert "image_score" not in record


def test_share_of_patients_written_as_dicom_is_exact(table1, figure1, a_simulation):
    record = truth(table1, figure1, a_simulation(n_patients=40, dicom_share=0.1), seed=1)
    studies = [study for batch in phantoms(record) for study in batch.studies]
    assert sum(study.as_dicom for study in studies) == 4
    assert [study.patient_id for study in studies] == [patient["patient_id"] for patient in record["patients"]]
