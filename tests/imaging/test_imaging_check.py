"""The check of a site before any work: whatever is wrong with the table and with the images, in one ending."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from gliocast.cohort.parameters import CohortParameters
from gliocast.errors import ImagingError, InputError, Problem
from gliocast.hybrid.parameters import HybridParameters
from gliocast.pipelines.preprocessing.check_nodes import check_images, in_words
from gliocast.pipelines.preprocessing.imaging_nodes import extract_slices
from imaging_dicom import write_series
from imaging_phantoms import Site, a_grid, a_site, ellipsoid
from shipped import section

BASE = Path(__file__).parents[2] / "conf/base/parameters_preprocessing.yml"
HEADER = "patient_id,age_years,sex,who_status,surgery,survival_days,event_observed"
SOUND = ",65,M,1,biopsy,331,1"


@pytest.fixture
def site(tmp_path) -> Site:
    return a_site(tmp_path / "site", 3)


def table(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *(row if "," in row else row + SOUND for row in rows)]) + "\n"


PREDICTORS = ("age_years", "sex", "who_status", "surgery", "mgmt")
HYBRID = HybridParameters(**section("hybrid") | {"predictors": PREDICTORS})


def check(
    site: Site,
    clinical_table: str | pd.DataFrame,
    policy: str = "exclude",
    image_score: str = "cnn",
    image_features: pd.DataFrame | None = None,
    ignore_columns: tuple[str, ...] = (),
    **changes,
):
    cohort = CohortParameters(**yaml.safe_load(BASE.read_text(encoding="utf-8"))["cohort"] | changes)
    features = pd.DataFrame() if image_features is None else image_features
    read = HYBRID.features.model_copy(update={"ignore_columns": ignore_columns})
    hybrid = HYBRID.model_copy(update={"features": read})
    return check_images(
        clinical_table, site.source, features, cohort, site.parameters, hybrid, image_score, policy, True
    )


def problems(*arguments, **named) -> list[tuple[str, str]]:
    """Who and where, of every problem."""
    with pytest.raises(InputError) as raised:
        check(*arguments, **named)
    told: list[Problem] = list(raised.value.problems)
    return [(problem.patient, problem.where.partition(" (")[0]) for problem in told]


def spoil(site: Site, patient_id: str) -> None:
    (site.root / patient_id / "t1gd.nii.gz").write_bytes(b"no volume")


def test_every_problem_of_the_images_is_named(site):
    spoil(site, "P1")
    (site.root / "P2/t1gd.nii.gz").unlink()
    assert problems(site, table("P1", "P2", "P3")) == [("P1", "t1gd.nii.gz"), ("P2", "imaging")]


def test_a_check_is_not_logged_as_the_cutting_of_slices(site, caplog):
    caplog.set_level("INFO")
    check(site, table("P1", "P2", "P3"))
    assert "Checking studies: 3 of 3 patients" in caplog.messages
    assert not [line for line in caplog.messages if line.startswith("Cutting")]


def test_identifiers_that_have_lost_their_zeros_are_told_with_the_parameter_that_gives_them_back(site):
    for number in (1, 2, 3):
        (site.root / f"P{number}").rename(site.root / f"00{number}")
    with pytest.raises(InputError) as raised:
        check(site, table("1", "2", "3"))
    first = raised.value.problems[0]
    assert (first.found, first.expected) == ("3 identifiers without zeros", "numbers of 3 digits, as in the images")
    assert "cohort.identifier.digits: 3" in first.remedy
    digits = {"pattern": ".*", "digits": 3, "scan_mark": None}
    assert check(site, table("1", "2", "3"), identifier=digits)["n_checked"] == 3


def test_one_image_under_two_patients_is_named(site):
    (site.root / "P3/t1gd.nii.gz").write_bytes((site.root / "P1/t1gd.nii.gz").read_bytes())
    with pytest.raises(InputError, match="P3: imaging: the image of P1"):
        check(site, table("P1", "P2", "P3"))


@pytest.mark.parametrize("refused", ["P1", "P3"])
def test_one_image_under_two_patients_is_named_though_a_lesion_mask_is_wrong_too(site, refused):
    (site.root / "P3/t1gd.nii.gz").write_bytes((site.root / "P1/t1gd.nii.gz").read_bytes())
    (site.root / refused / "lesion_mask.nii.gz").write_bytes(b"no mask")
    told = problems(site, table("P1", "P2", "P3"))
    assert sorted(told) == sorted([(refused, "lesion_mask.nii.gz"), ("P3", "imaging")])


def test_nearly_one_image_under_two_patients_is_named_before_anything_is_worked_on(tmp_path):
    site, grid = a_site(tmp_path, 0), a_grid(shape=(24, 24, 30), spacing_mm=(2.0, 2.0, 1.0))
    heads = np.random.default_rng(1).integers(100, 1000, (4, *grid.shape)).astype(np.float32)
    heads[3] = 1.01 * heads[1] + 3.0  # saved again with other grey values
    patients = ["P1", "P2", "P3", "P4"]
    for patient_id, voxels in zip(patients, heads, strict=True):
        site.add(patient_id, grid, voxels)
        site.add_mask(patient_id, grid, ellipsoid(grid, (3.0, -7.0, 20.0), (8.0, 8.0, 3.4)))
    assert problems(site, table(*patients)) == [("P2 = P4", "imaging")]
    cohort = pd.DataFrame({"patient_id": patients})
    with pytest.raises(ImagingError, match="P2 = P4"):
        extract_slices(site.source, cohort, site.parameters, "cnn", "stop")


def test_a_wrong_cell_and_a_wrong_image_are_told_together(site):
    spoil(site, "P3")
    wrong_age = "P2,675,M,1,biopsy,331,1"
    assert problems(site, table("P1", wrong_age, "P3")) == [("P2", "age_years"), ("P3", "t1gd.nii.gz")]


def test_an_absent_column_does_not_hide_the_images(site):
    spoil(site, "P3")
    text = table("P1", "P2", "P3", header=HEADER.replace("sex", "religion"))
    assert problems(site, text) == [("–", "column sex"), ("P3", "t1gd.nii.gz")]


def test_rows_that_cannot_be_read_hide_neither_other_cells_nor_the_images_of_others(site):
    spoil(site, "P3")
    text = table("P1,65,5,M,1,biopsy,331,1", "P2,675,M,1,biopsy,331,1", "P3")
    assert problems(site, text) == [
        ("row 2", "the row"),
        ("P2", "age_years"),
        ("P3", "t1gd.nii.gz"),
        ("–", "images without a patient"),  # P1 has an image, and perhaps a row
    ]


def test_patients_before_an_open_quotation_mark_have_their_images_checked(site):
    spoil(site, "P1")
    told = problems(site, table("P1", "P2", '"P3,1'))
    assert told == [("row 4", "the file"), ("P1", "t1gd.nii.gz"), ("–", "images without a patient")]


def test_a_patient_whose_row_has_an_error_is_no_image_of_nobody(site):
    text = table("P1", "P2,675,M,1,biopsy,331,1")
    assert problems(site, text) == [("P2", "age_years"), ("P3", "imaging")]


@pytest.mark.parametrize(
    "text",
    [
        table("P1", "P2").replace(",", ";"),
        table("P1", "P2").replace("patient_id", "dossier"),
        "",
        HEADER,
        '"patient_id',
    ],
)
def test_where_nobody_can_be_read_it_is_said_that_no_image_was_checked(site, text):
    spoil(site, "P1")
    with pytest.raises(InputError, match="names no patient that can be read") as raised:
        check(site, text)
    assert raised.value.problems[-1].where == "the images"
    assert len(raised.value.problems) == 2


def test_unknown_survival_is_told_beside_all_others_where_the_policy_is_to_stop(site):
    spoil(site, "P3")
    text = table("P1,65,M,1,biopsy,,1", "P2,675,M,1,biopsy,331,1", "P3")
    assert problems(site, text, "stop") == [
        ("P2", "age_years"),
        ("P1", "survival_days"),
        ("P3", "t1gd.nii.gz"),
    ]


def test_the_rows_that_no_rule_keeps_are_not_looked_for_among_the_images(site):
    rule = {"column": "sex", "one_of": ["M"], "code": "women", "reason": "only men"}
    text = table("P1", "P2", "P3,675,M,1,biopsy,331,1", "P9,65,F,1,biopsy,331,1")
    assert problems(site, text, keep=[rule]) == [("P3", "age_years")]


def test_a_table_from_another_source_is_checked_in_the_same_way(site):
    spoil(site, "P3")
    cells = dict(zip(HEADER.split(","), ["P3", 675.0, "M", 1, "biopsy", 331, 1], strict=True))
    assert ("P3", "t1gd.nii.gz") in problems(site, pd.DataFrame([cells]))


def test_a_site_without_problems_is_told_how_many_studies_were_checked(site):
    assert check(site, table("P1", "P2", "P3"))["n_checked"] == 3


def test_without_the_network_the_table_alone_is_checked(site):
    spoil(site, "P1")
    assert check(site, table("P1"), image_score="none") == {"n_checked": 0}
    assert problems(site, table("P1,675,M,1,biopsy,331,1"), image_score="none") == [("P1", "age_years")]


def test_a_check_says_how_many_masks_were_found_and_how_many_lesions_would_be_localised(site):
    (site.root / "P2/lesion_mask.nii.gz").rename(site.root / "P2/masque.nii.gz")
    found = check(site, table("P1", "P2", "P3"))
    assert found == {"n_checked": 3, "n_with_mask": 2, "n_localised": 1, "n_doubtful": 1}  # a phantom has no lesion
    assert in_words(found).splitlines()[1] == (
        "2 of them have a lesion mask; in 1 the lesion would be localised, in 1 of these doubtfully. "
        "A mask that no pattern of `lesion_masks` finds is not read."
    )


def test_a_check_of_a_site_with_all_masks_does_not_speak_of_patterns():
    found = {"n_checked": 3, "n_with_mask": 3, "n_localised": 0, "n_doubtful": 0}
    assert in_words(found).splitlines()[1] == "3 of them have a lesion mask; in 0 the lesion would be localised."


@pytest.mark.parametrize(
    ("n_checked", "sentence"),
    [
        (0, "Checked: the clinical table. Nothing is wrong."),
        (4, "Checked: the clinical table and the image features of 4 patients. Nothing is wrong."),
    ],
)
def test_a_check_without_studies_names_what_was_looked_at(n_checked, sentence):
    assert in_words({"n_checked": n_checked}) == sentence


def test_names_of_labels_for_masks_that_have_none_are_told_once_and_beside_the_table(site):
    wrong_age = "P2,675,M,1,biopsy,331,1"
    named = replace(site.source, lesion_labels=("tumeur",))
    site = SimpleNamespace(source=named, parameters=site.parameters)
    assert problems(site, table("P1", wrong_age, "P3")) == [
        ("P2", "age_years"),
        ("–", "`lesion_labels` of the catalog entry imaging"),
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_exchanged_folders_are_told_where_the_series_names_the_other_patient(tmp_path, monkeypatch, workers):
    monkeypatch.setattr("gliocast.imaging.pipeline.FEW_PATIENTS", 1)
    site, grid = a_site(tmp_path / "site", 1), a_grid("LPS", (24, 24, 30), centre_mm=(3.0, -7.0, 21.0))
    of_whom = {"P2": "P3", "P3": "P2", "P4": "P4", "P5": "hospital 5"}
    for number, (folder, patient_id) in enumerate(of_whom.items()):
        voxels = np.random.default_rng(number).integers(100, 1000, grid.shape)
        write_series(site.root / folder / "t1gd", grid, voxels, PatientID=patient_id)
    site = SimpleNamespace(source=site.source, parameters=site.parameters.model_copy(update={"workers": workers}))
    told = table(*[f"P{number}{SOUND},20" for number in range(1, 6)], header=f"{HEADER},central_slice_mm")
    assert problems(site, told) == [("P2", "PatientID of the series"), ("P3", "PatientID of the series")]


def test_words_of_a_predictor_that_the_models_do_not_know_are_told_beside_all_else(site):
    rows = [f"P{number}{SOUND},{mgmt}" for number, mgmt in enumerate(["1", "1", "methylated"], 1)]
    told = table(*rows, "P4,675,M,1,biopsy,331,1,", header=f"{HEADER},mgmt")
    assert problems(site, told, image_score="none") == [("P4", "age_years"), ("P1, P2", "mgmt")]


def features_of(*patients: str) -> pd.DataFrame:
    return pd.DataFrame({"patient_id": patients, "volume": [f"{place}.5" for place, _ in enumerate(patients)]})


def test_with_image_features_their_table_is_checked_in_place_of_the_images(site):
    spoil(site, "P1")
    told = {"image_score": "features", "image_features": features_of("P1", "P2", "P9")}
    assert check(site, table("P1", "P2"), **told) == {"n_checked": 2}
    assert problems(site, table("P1,675,M,1,biopsy,331,1", "P2", "P3"), **told) == [
        ("P1", "age_years"),
        ("P3", "image_features"),
    ]


def test_clinical_columns_among_the_image_features_are_told_by_the_check(site):
    told = {"image_score": "features", "image_features": features_of("P1", "P3").assign(survival_days=["400", "20"])}
    assert problems(site, table("P1", "P2", "P3"), **told) == [
        ("–", "image_features: survival_days"),
        ("P2", "image_features"),
    ]


def test_a_table_of_image_features_with_another_separator_is_told_by_the_check(site):
    semicolons = pd.DataFrame({"patient_id;volume": ["P1;0,5", "P2;1,5"]})
    with pytest.raises(InputError, match="with commas between columns") as raised:
        check(site, table("P1", "P2"), image_score="features", image_features=semicolons)
    assert [problem.where for problem in raised.value.problems] == ["hybrid.features.id_column"]


def test_columns_of_image_features_that_are_to_be_ignored_and_are_not_there_are_told_beside_the_rest(site):
    told = {"image_score": "features", "image_features": features_of("P1"), "ignore_columns": ("volumes",)}
    assert problems(site, table("P1", "P2"), **told) == [
        ("–", "hybrid.features.ignore_columns"),
        ("P2", "image_features"),
    ]


def test_zeros_that_only_the_image_features_have_are_told(site):
    told = {"image_score": "features", "image_features": features_of("P01", "P02", "P10")}
    assert problems(site, table("P1", "P2", "P10"), **told) == [("–", "patient_id"), ("P1, P2", "image_features")]
