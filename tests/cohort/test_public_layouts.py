"""The shipped configuration of each public cohort on invented rows and empty files in the publisher's layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from gliocast.cohort.parameters import CohortParameters
from gliocast.cohort.table import read_cohort

CONF = Path(__file__).parents[2] / "conf"

UPENN = """ID,Gender,Age_at_scan_years,{SURVIVAL},Survival_Status,Survival_Censor,IDH1,MGMT,KPS,{GTR}
UPENN-GBM-90001_11,F,52.16,960,Deceased,Not Available,Wildtype,NA,90,Y
UPENN-GBM-90002_11,M,61.3,Not Available,Alive,200,NOS/NEC,Methylated,Not Available,N
UPENN-GBM-90002_21,M,62.1,Not Available,Alive,200,NOS/NEC,Methylated,Not Available,Not Applicable
"""
UPENN = UPENN.replace("{GTR}", "GTR_over90percent").replace("{SURVIVAL}", "Survival_from_surgery_days_UPDATED")
UCSF = """ID,Sex,Age at MRI,WHO CNS Grade,Final pathologic diagnosis (WHO 2021),MGMT status,IDH,1-dead 0-alive,OS,EOR
UCSF-PDGM-901,M,66,4,"Glioblastoma, IDH-wildtype",negative,wildtype,1,960,GTR
UCSF-PDGM-902,F,80,4,"Glioblastoma, IDH-wildtype",unknown,wildtype,0,200,biopsy
UCSF-PDGM-0902_FU003d,F,80,4,"Glioblastoma, IDH-wildtype",unknown,wildtype,0,200,biopsy
UCSF-PDGM-903,F,30,2,"Astrocytoma, IDH-mutant",unknown,IDH1 p.R132H,0,900,STR
"""
BRATS = """Brats20ID,Age,Survival_days,Extent_of_Resection
BraTS20_Training_901,60.463,960,GTR
BraTS20_Training_902,52.26,ALIVE (361 days later),NA
"""
TCGA = """
bcr_patient_barcode gender vital_status last_contact_days_to death_days_to {AGE} karnofsky_score
bcr_patient_barcode gender vital_status days_to_last_followup days_to_death {AGE} karnofsky_performance_score
CDE_ID:2003301 CDE_ID:2200604 CDE_ID:5 CDE_ID:3008273 CDE_ID:3165475 CDE_ID:2006657 CDE_ID:2003853
TCGA-90-0001 MALE Dead [Unknown] 960 66 80
TCGA-90-0002 FEMALE Alive 200 [Unknown] 50 [Unknown]
"""
TCGA = TCGA.strip().replace("{AGE}", "age_at_initial_pathologic_diagnosis").replace(" ", "\t")
TABLES = {
    "upenn_gbm": UPENN,
    "ucsf_pdgm": UCSF,
    "brats2020": BRATS,
    "tcga_gbm": TCGA,
}
FILES = {
    "upenn_gbm": ("images_structural/{0}_11/{0}_11_T1GD.nii.gz", "automated_segm/{0}_11_automated_approx_segm.nii.gz"),
    "ucsf_pdgm": ("{0}_nifti/{0}_T1c.nii.gz", "{0}_nifti/{0}_tumor_segmentation.nii.gz"),
    "brats2020": ("{0}/{0}_t1ce.nii", "{0}/{0}_seg.nii"),
    "tcga_gbm": ("{0}/{0}_1996.08.23_t1Gd.nii.gz", "{0}/{0}_1996.08.23_GlistrBoost_ManuallyCorrected.nii.gz"),
}
PATIENTS = {
    "upenn_gbm": ["UPENN-GBM-90001", "UPENN-GBM-90002"],
    "ucsf_pdgm": ["UCSF-PDGM-0901", "UCSF-PDGM-0902"],
    "brats2020": ["BraTS20_Training_901", "BraTS20_Training_902"],
    "tcga_gbm": ["TCGA-90-0001", "TCGA-90-0002"],
}


@pytest.fixture(params=sorted(TABLES))
def site(request, monkeypatch, tmp_path):
    """The name of a public cohort, its parameters, and its catalog below a folder of our own."""
    from kedro.config import OmegaConfigLoader

    from gliocast.settings import CONFIG_LOADER_ARGS

    monkeypatch.setenv("GLIOCAST_DATA", str(tmp_path))
    loader = OmegaConfigLoader(str(CONF), env=request.param, **CONFIG_LOADER_ARGS)
    return request.param, loader["parameters"], loader["catalog"]


def read(site):
    name, parameters, _ = site
    return read_cohort(TABLES[name], CohortParameters(**parameters["cohort"]), "stop")


def test_each_table_gives_one_row_a_patient(site):
    cohort, exclusions, _ = read(site)
    assert cohort["patient_id"].tolist() == PATIENTS[site[0]]
    assert set(exclusions["stage"]) <= {"row_selection"}


def test_each_table_gives_survival_and_fate(site):
    cohort, *_ = read(site)
    assert cohort["survival_days"][0] == 960
    assert cohort["survival_days"][1] == (361 if site[0] == "brats2020" else 200)
    assert cohort["event_observed"].tolist() == [True, False]


def test_a_patient_alive_before_the_threshold_is_undetermined_everywhere(site):
    cohort, *_ = read(site)
    last = cohort["outcome"][1:].fillna("undetermined").tolist()
    assert last == (["long_term"] if site[0] == "brats2020" else ["undetermined"])


def test_every_predictor_of_the_models_is_one_that_the_table_has(site):
    cohort, *_ = read(site)
    assert cohort[site[1]["hybrid"]["predictors"]].notna().any().all()


def test_the_images_are_found_where_the_publisher_puts_them(site):
    from gliocast.datasets import ImagingDataset

    name, _, catalog = site
    entry = {key: value for key, value in catalog["imaging"].items() if key != "type"}
    for patient in PATIENTS[name]:
        for file in FILES[name]:
            path = Path(entry["filepath"]) / file.format(patient)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    source = ImagingDataset(**entry).load()
    assert list(source.patient_ids()) == PATIENTS[name]
    study = source.study(PATIENTS[name][0])
    assert study.volume.is_file()
    assert study.lesion_mask is not None
