"""The registered pipelines on real, public patients: image features, a censored table, and twelve volumes."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

pytestmark = pytest.mark.realdata

TWELVE_SCANS = """
clinical_table:
  type: gliocast.datasets.ClinicalTableDataset
  filepath: scans/clinical.csv
imaging:
  type: gliocast.datasets.ImagingDataset
  filepath: scans/imaging
  spacing_mm: [0.94, 0.94, 6.5]   # the headers claim 1 × 1 × 1 mm
"""
FEW_PATIENTS = "partition:\n  inner_folds: 3\n"


def metrics_of(project):
    return json.loads(project.path("08_reporting/metrics.json").read_text())


def test_the_hybrid_study_of_upenn_ends_with_honest_numbers(project, data_root):
    quick = "evidence.n_bootstrap=200,hybrid.pre_operative_models=false,hybrid.robustness.explained_patients=0"
    quick += ",hybrid.robustness.repeats=0"
    ended = project.kedro("run", "--pipeline", "hybrid", "--env", "upenn_gbm", "--params", quick)
    assert ended.returncode == 0, ended.stderr[-3000:]
    metrics = metrics_of(project)
    assert metrics["cohort"]["n_patients"] == 112  # the patients with image features and a known outcome
    assert metrics["protocol"]["n_test_patients_seen_in_training"] == 0
    assert 0.60 < metrics["models"]["clinical"]["patient"]["auc"]["value"] < 0.85
    assert 0.40 < metrics["models"]["image_features"]["patient"]["auc"]["value"] < 0.75
    assert 0.50 < metrics["models"]["hybrid"]["patient"]["auc"]["value"] < 0.85


def test_the_baseline_of_ucsf_keeps_censored_patients_out_of_the_classes(project, data_root):
    ended = project.kedro("run", "--pipeline", "baseline", "--env", "ucsf_pdgm")
    assert ended.returncode == 0, ended.stderr[-3000:]
    table = pd.read_csv(data_root / "ucsf_pdgm/UCSF-PDGM-metadata_v5.csv")
    disease = table["Final pathologic diagnosis (WHO 2021)"] == "Glioblastoma, IDH-wildtype"
    patients = table[disease & ~table["ID"].str.contains("FU")].drop_duplicates("ID")
    died, days = patients["1-dead 0-alive"] == 1, patients["OS"]
    cohort = metrics_of(project)["cohort"]
    assert cohort["n_long_term"] == (days >= 332).sum()
    assert cohort["n_short_term"] == (died & (days < 332)).sum()
    assert cohort["n_undetermined"] == (~died & (days < 332)).sum()


@pytest.fixture
def twelve_scans(project, data_root):
    """Twelve real volumes with a clinical table that is simulated: nobody knows these patients' survival."""
    rows = []
    for number in range(1, 7):
        for date in ("Pre", "Post"):
            # Two dates of one patient under two names: allowed here alone, where the outcome is invented.
            patient_id = f"BTP{number:02}{date}"
            folder = project.folder / "scans/imaging" / patient_id
            folder.mkdir(parents=True)
            source = data_root / f"brain_tumor_progression/{number:02}"
            shutil.copy(source / f"{date}_Scan_T1.nii.gz", folder / "t1gd.nii.gz")
            shutil.copy(source / f"{date}_Mask.nii.gz", folder / "lesion_mask.nii.gz")
            rows.append([patient_id, 60 + number, "FM"[number % 2], 1, "biopsy", 200 if number % 2 else 500])
    columns = ["patient_id", "age_years", "sex", "who_status", "surgery", "survival_days"]
    pd.DataFrame(rows, columns=columns).to_csv(project.folder / "scans/clinical.csv", index=False)
    project.write("conf/local/catalog.yml", TWELVE_SCANS)
    project.write("conf/local/parameters.yml", FEW_PATIENTS)
    return project


def largest_section_mm(project, patient_id):
    """Position of the largest lesion section, read here by hand from the mask and the true slice distance."""
    import numpy as np
    import SimpleITK

    mask = SimpleITK.ReadImage(str(project.folder / "scans/imaging" / patient_id / "lesion_mask.nii.gz"))
    area = (SimpleITK.GetArrayFromImage(mask) > 0).sum(axis=(1, 2))
    return mask.GetOrigin()[2] + np.flatnonzero(area == area.max()) * 6.5 * mask.GetDirection()[8]


def test_twelve_real_volumes_give_nine_slices_around_the_largest_lesion_section(twelve_scans):
    ended = twelve_scans.run("cnn_training", tuning__trials=0, model__epochs=2, evidence__n_bootstrap=200)
    assert ended.returncode == 0, ended.stderr[-3000:]
    manifest = pd.read_parquet(twelve_scans.path("04_feature/slice_manifest.parquet"))
    assert len(manifest) == 12
    assert (manifest["source"] == "mask").all()
    assert (manifest["last_slice_mm"] - manifest["first_slice_mm"]).round(3).eq(8.0).all()
    for row in manifest.itertuples():
        distance = abs(largest_section_mm(twelve_scans, row.patient_id) - row.center_slice_mm).min()
        assert distance < 0.1, row.patient_id
    assert metrics_of(twelve_scans)["models"]["cnn"]["slice"]["n"] > 0
