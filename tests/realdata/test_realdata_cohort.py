"""The real clinical tables, read with the shipped configuration, against counts made by hand with pandas alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from gliocast.cohort.parameters import CohortParameters, PartitionParameters
from gliocast.cohort.partition_checks import check_partition
from gliocast.cohort.partitions import partition_patients
from gliocast.cohort.selection import exclusions
from gliocast.cohort.table import read_cohort
from gliocast.errors import CohortError
from gliocast.pipelines.preprocessing import nodes

pytestmark = pytest.mark.realdata
CONF = Path(__file__).parents[2] / "conf"
NO_FINDINGS = exclusions((), "imaging", (), ())


class Site:
    """A public cohort: its table as text, its parameters, and the same table as pandas reads it."""

    def __init__(self, environment: str, table: Path) -> None:
        from kedro.config import OmegaConfigLoader

        from gliocast.settings import CONFIG_LOADER_ARGS

        if not table.is_file():
            pytest.skip(f"no {table.name}")
        self.configured = OmegaConfigLoader(str(CONF), env=environment, **CONFIG_LOADER_ARGS)["parameters"]
        self.text = table.read_text(encoding="utf-8")
        self.raw = pd.read_csv(table, dtype=str, keep_default_na=False)

    def parameters(self, **changes) -> CohortParameters:
        return CohortParameters(**self.configured["cohort"] | changes)

    def read(self, **changes):
        return read_cohort(self.text, self.parameters(**changes), "exclude")

    def study(self, image_score: str, features: pd.DataFrame):
        cohort, left, notes = self.read()
        columns = self.configured["hybrid"]["features"]
        return nodes.select_patients(
            cohort,
            left,
            notes,
            pd.DataFrame(),
            NO_FINDINGS,
            features,
            self.parameters(),
            image_score,
            "exclude",
            columns["id_column"],
            columns["id_pattern"],
            columns["ignore_columns"],
        )


@pytest.fixture(scope="module")
def upenn(data_root):
    """UPENN-GBM."""
    return Site("upenn_gbm", data_root / "upenn_gbm" / "UPENN-GBM_clinical_info_v2.1.csv")


@pytest.fixture(scope="module")
def upenn_features(data_root):
    """The radiomic features of UPENN-GBM."""
    return pd.read_csv(data_root / "upenn_gbm" / "Radiomic_Features_CaPTk_segm_FLAIR_NC.csv", dtype={"SubjectID": str})


@pytest.fixture(scope="module")
def ucsf(data_root):
    """UCSF-PDGM."""
    return Site("ucsf_pdgm", data_root / "ucsf_pdgm" / "UCSF-PDGM-metadata_v5.csv")


def test_upenn_keeps_the_baseline_scans_and_drops_the_follow_up_scans(upenn):
    cohort, left, _ = upenn.read()
    baseline = upenn.raw["ID"].str.endswith("_11")
    assert cohort["patient_id"].tolist() == sorted(upenn.raw.loc[baseline, "ID"].str.removesuffix("_11"))
    assert left["code"].value_counts().to_dict() == {"follow_up_scan": int((~baseline).sum())}
    assert len(cohort) + len(left) == len(upenn.raw)


def test_upenn_survival_is_that_of_death_or_else_of_the_last_contact(upenn):
    cohort = upenn.read()[0].set_index("patient_id")
    raw = upenn.raw[upenn.raw["ID"].str.endswith("_11")]
    dead = raw["Survival_Status"] == "Deceased"
    days = raw["Survival_from_surgery_days_UPDATED"].where(dead, raw["Survival_Censor"]).astype(int)
    days.index = pd.Index(raw["ID"].str.removesuffix("_11"))
    assert (cohort["survival_days"].astype(int) == days.reindex(cohort.index)).all()
    assert int(cohort["event_observed"].sum()) == int(dead.sum()) == 283


def test_upenn_patients_lost_before_the_threshold_have_no_outcome(upenn):
    cohort = upenn.read()[0]
    undetermined = cohort[cohort["outcome"].isna()]
    assert sorted(undetermined["survival_days"]) == [26, 141, 142, 203]
    assert (cohort["outcome"] == "short_term").sum() == (
        cohort["event_observed"] & (cohort["survival_days"] < 332)
    ).sum()


def test_upenn_missing_values_in_all_their_spellings_are_missing(upenn):
    cohort, _, notes = upenn.read()
    raw = upenn.raw[upenn.raw["ID"].str.endswith("_11")]
    known = raw["KPS"].str.fullmatch(r"\d+")
    assert cohort["who_status"].notna().sum() == known.sum() == notes["who_status_from_karnofsky"] == 34
    assert cohort["surgery"].value_counts().to_dict() == {
        "complete": (raw["GTR_over90percent"] == "Y").sum(),
        "incomplete": (raw["GTR_over90percent"] == "N").sum(),
    }
    assert cohort["mgmt"].notna().sum() == (raw["MGMT"] != "Not Available").sum()


def test_upenn_ages_are_cut_and_plausible(upenn):
    ages = upenn.read()[0]["age_years"]
    assert ages.notna().all()
    assert ages.between(18, 89).all()


def test_upenn_study_of_image_features_has_the_patients_of_both_tables(upenn, upenn_features):
    study_cohort, flow, _, unclassed = upenn.study("features", upenn_features)
    assert set(study_cohort["patient_id"]) == set(upenn_features["SubjectID"].str.removesuffix("_11"))
    assert [stage["n"] for stage in flow["stages"]] == [326, 296, 112, 112]
    assert unclassed.empty  # four patients were last seen alive too early, and none of them has image features


def test_ucsf_keeps_glioblastoma_idh_wildtype_with_one_row_a_patient(ucsf):
    cohort, left, _ = ucsf.read()
    raw = ucsf.raw
    wanted = (raw["Final pathologic diagnosis (WHO 2021)"] == "Glioblastoma, IDH-wildtype") & ~raw["ID"].str.contains(
        "FU"
    )
    assert len(cohort) == int((wanted & (raw["OS"] != "")).sum()) == 268
    assert cohort["patient_id"].is_unique
    assert left["code"].value_counts().to_dict() == {
        "other_diagnosis": 86,
        "second_scan": 4,
        "survival_missing": 1,
    }
    assert len(cohort) + len(left) == len(raw)


def test_ucsf_identifiers_are_those_of_the_images_folders(ucsf):
    cohort = ucsf.read()[0]
    assert cohort["patient_id"].str.fullmatch(r"UCSF-PDGM-0\d{3}").all()


def test_ucsf_second_scans_that_are_not_dropped_are_told_as_the_same_patient(ucsf):
    with pytest.raises(CohortError) as error:
        ucsf.read(keep=[])
    told = [problem for problem in error.value.problems if "2 rows" in problem.found]
    assert [problem.patient for problem in told] == [f"UCSF-PDGM-0{number}" for number in (429, 409, 431, 391)]
    assert all("written" not in problem.found for problem in told)  # the identifiers are the same once they are read


def test_ucsf_second_scans_under_names_of_their_own_are_told_as_alike(ucsf):
    rule = ucsf.configured["cohort"]["keep"][1:]
    notes = ucsf.read(keep=rule, identifier={"pattern": ".*", "digits": 0, "scan_mark": None})[2]
    assert notes["n_groups_alike"] == 4
    assert all(any("_FU" in patient for patient in group) for group in notes["patients_alike"])


def test_ucsf_patients_alive_before_the_threshold_have_no_outcome(ucsf):
    cohort = ucsf.read()[0]
    raw = ucsf.raw[~ucsf.raw["ID"].str.contains("FU") & (ucsf.raw["OS"] != "")]
    raw = raw[raw["Final pathologic diagnosis (WHO 2021)"] == "Glioblastoma, IDH-wildtype"]
    days, dead = raw["OS"].astype(int), raw["1-dead 0-alive"] == "1"
    expected = {
        "long_term": int((days >= 332).sum()),
        "short_term": int((dead & (days < 332)).sum()),
        "undetermined": int((~dead & (days < 332)).sum()),
    }
    assert cohort["outcome"].fillna("undetermined").value_counts().to_dict() == expected
    assert expected == {"long_term": 139, "short_term": 76, "undetermined": 53}


def test_ucsf_surgery_is_that_of_the_table(ucsf):
    cohort = ucsf.read()[0].set_index("patient_id")
    assert cohort.loc["UCSF-PDGM-0004", "surgery"] == "incomplete"  # STR
    assert cohort.loc["UCSF-PDGM-0005", "surgery"] == "biopsy"
    assert set(cohort["surgery"].dropna()) == {"biopsy", "incomplete", "complete"}


def test_ucsf_tumour_grade_is_not_read_as_performance_status(ucsf):
    cohort, _, notes = ucsf.read()
    assert cohort["who_status"].isna().all()
    assert "WHO CNS Grade" in notes["columns_ignored"]
    with pytest.raises(CohortError, match="the performance status, not the grade"):
        ucsf.read(columns=ucsf.configured["cohort"]["columns"] | {"who_status": "WHO CNS Grade"})


@pytest.mark.parametrize("scheme", ["holdout", "nested_cv"])
def test_real_patients_are_parted_soundly(upenn, upenn_features, ucsf, scheme):
    studies = (upenn.study("features", upenn_features)[0], ucsf.study("none", pd.DataFrame())[0])
    for study_cohort in studies:
        parameters = PartitionParameters(**ucsf.configured["partition"] | {"scheme": scheme})
        partition = partition_patients(study_cohort, parameters, seed=1)
        assert check_partition(partition) == []
        assert partition.patients == tuple(sorted(study_cohort["patient_id"]))
