"""Names, record numbers, birth dates and addresses stay in the raw data: planted ones are found in nothing else."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pydicom
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from closed_network import closed_network
from leaks import leaks
from project_copy import SMALL_VOLUMES, Project, copy_of_the_project

NAME, RECORD, BORN, ADDRESS = "ZZCANARY", "MRN-ZZ-7734251", "19311224", "17 Canary Mews"
WORDS = (NAME, RECORD, BORN, "1931-12-24", ADDRESS, hashlib.sha256(RECORD.encode()).hexdigest()[:16])
SMALL = {"simulation__n_patients": 40, "simulation__dicom_share": 0.3, **SMALL_VOLUMES}
QUICK = f"""
cohort:
  keep:
    - {{column: patient_id, none_of: [{RECORD}], code: withdrawn, reason: consent withdrawn}}
    - {{column: patient_id, lacks: "^{NAME}$", code: withdrawn, reason: consent withdrawn}}
tuning: {{trials: 1, epochs: 1}}
model: {{backbone: test_resnet, epochs: 1, explained_patients: 1}}
hybrid:
  classifiers: [gaussian_nb]
  inner_folds: 2
  workers: 1
  pre_operative_models: false
  robustness: {{repeats: 0, explained_patients: 2}}
evidence: {{n_bootstrap: 200, sweep_days: [332], horizons_days: [332]}}
"""
LOCAL = "conf/local/parameters.yml"
CATALOG = """
imaging:
  type: gliocast.datasets.ImagingDataset
  filepath: data/01_raw/imaging
  volumes: ["<patient_id>/*t1gd.<nii.gz|nii>", "<patient_id>/t1gd/"]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Project:
    """A site whose every header and table names its patients; the whole study has been run there, without a network."""
    project = copy_of_the_project(tmp_path_factory.mktemp("site"))
    made = project.run("simulation", **SMALL)
    assert made.returncode == 0, made.stderr
    for record in project.path("01_raw").rglob("simulation.json"):
        record.unlink()
    plant(project)
    project.write(LOCAL, QUICK)
    project.write("conf/local/catalog.yml", CATALOG)
    with closed_network(tmp_path_factory.mktemp("closed")) as asked:
        log(project, "hybrid", 0)
    assert asked.read_text() == ""
    return project


def plant(project: Project) -> None:
    for folder in sorted(project.path("01_raw/imaging").iterdir()):
        (folder / f"{NAME}.json").write_text(json.dumps({"PatientName": NAME, "PatientBirthDate": BORN}))
    for number, file in enumerate(sorted(project.path("01_raw/imaging").rglob("*.dcm"))):
        plant_in_dicom(file)
        file.rename(file.with_name(f"{NAME}_JO_{number:05d}.dcm"))
    for volume in project.path("01_raw/imaging").rglob("*.nii.gz"):
        plant_in_nifti(volume)
    for volume in project.path("01_raw/imaging").rglob("t1gd.nii.gz"):
        volume.rename(volume.with_name(f"{NAME}_{BORN}_t1gd.nii.gz"))
    table = project.path("01_raw/clinical.csv")
    said = {"name": NAME, "record_number": RECORD, "birth_date": "1931-12-24", "address": ADDRESS}
    pd.read_csv(table, dtype=str, keep_default_na=False).assign(**said).to_csv(table, index=False)


def plant_in_dicom(file: Path) -> None:
    header = pydicom.dcmread(file)
    header.PatientName, header.PatientID, header.PatientBirthDate = f"{NAME}^JO", RECORD, BORN
    header.PatientAddress = header.InstitutionAddress = ADDRESS
    header.OtherPatientIDs, header.ReferringPhysicianName, header.ImageComments = RECORD, NAME, NAME
    header.SeriesDescription = f"t1 gd {NAME}"
    header.private_block(0x0019, NAME, create=True).add_new(0x01, "LO", f"{NAME} {ADDRESS}")
    header.save_as(file)


def plant_in_nifti(file: Path) -> None:
    """Into `db_name`, `descrip`, `aux_file` and `intent_name` of the NIfTI-1 header."""
    raw = bytearray(gzip.decompress(file.read_bytes()))
    for start, size, word in (
        (14, 18, RECORD),
        (148, 80, f"{NAME} {BORN} {ADDRESS}"),
        (228, 24, NAME),
        (328, 16, NAME),
    ):
        raw[start : start + size] = word.encode().ljust(size, b"\0")[:size]
    file.write_bytes(gzip.compress(bytes(raw), 1))


def log(project: Project, pipeline: str, expected: int, **parameters: object) -> str:
    """Run a pipeline; what it says lies among the project's files, to be searched with them."""
    ended = project.run(pipeline, **parameters)
    assert ended.returncode == expected, ended.stderr[-3000:]
    said = ended.stdout + ended.stderr
    with project.path("said.log").open("a") as file:
        file.write(said)
    return said


def left_behind(project: Project) -> list[Path]:
    """Everything but the raw data, what a clone holds, and the site's own configuration."""
    kept = project.path("01_raw"), project.folder / "src", project.folder / "conf/base", project.folder / LOCAL
    files = [path for path in project.folder.rglob("*") if path.is_file()]
    return [path for path in files if not any(path.is_relative_to(folder) for folder in kept)]


def test_whoever_asks_a_closed_network_is_refused_and_noted(tmp_path):
    asks = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9')"
    with closed_network(tmp_path) as asked:
        ended = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True)
    assert "Network is unreachable" in ended.stderr
    assert asked.read_text() == "127.0.0.1 9 0 1\n"


def test_the_words_are_in_the_raw_data(site):
    found = leaks((path for path in site.path("01_raw").rglob("*") if path.is_file()), WORDS)
    assert {word for _, word in found} == set(WORDS[:5])
    assert {name.split(".", 1)[1] for name, _ in found} >= {"dcm", "nii.gz", "csv"}


def test_no_result_page_store_or_log_names_a_patient(site):
    files = left_behind(site)
    kinds = {".html", ".parquet", ".json", ".csv", ".safetensors", ".skops", ".log"}
    assert {path.suffix for path in files} >= kinds
    left = {path.relative_to(site.path("")).as_posix() for path in files if path.is_relative_to(site.path(""))}
    assert {
        "06_models/tuning_study.log",
        "06_models/cnn_checkpoints/holdout-fold0/00000001.safetensors",
        "06_models/bundle/bundle.json",
        "06_models/fitted_models/manifest.json",
        "08_reporting/provenance.json",
        "08_reporting/report.html",
    } <= left
    assert leaks(files, WORDS) == []


def test_an_image_that_cannot_be_read_names_nobody(site):
    folder = site.path("01_raw/imaging")
    nifti, (displaced, cut) = min(folder.glob("*/*t1gd.nii.gz")), one_file_each(folder)[:2]
    whole = {path: path.read_bytes() for path in (nifti, displaced, cut)}
    nifti.write_bytes(whole[nifti][:3000])
    cut.write_bytes(whole[cut][:200])
    header = pydicom.dcmread(displaced)
    header.ImagePositionPatient = [0, 0, 999]
    header.save_as(displaced)
    try:
        said = log(site, "preprocessing", 2, on_invalid_patient="stop")
        assert {path.relative_to(folder).parts[0] for path in whole} <= set(re.findall(r"SIM-\d+", said))
        log(site, "preprocessing", 0, on_invalid_patient="exclude")
        assert leaks(left_behind(site), WORDS) == []
    finally:
        for path, content in whole.items():
            path.write_bytes(content)


def one_file_each(folder: Path) -> list[Path]:
    """The first file of every DICOM series."""
    return [min(series.iterdir()) for series in sorted(folder.glob("*/t1gd"))]


def test_a_wrong_clinical_table_names_nobody(site):
    table = site.path("01_raw/clinical.csv")
    whole = table.read_text()
    header, first, second, third, *others = whole.splitlines()
    doubled = first.replace(ADDRESS, "another address")
    unnamed = ",".join([f"{NAME} {BORN}", *second.split(",")[1:]])
    wrong = third.replace(third.split(",")[1], "675", 1)
    table.write_text("\n".join([header, first, doubled, unnamed, wrong, *others]) + "\n")
    try:
        said = log(site, "baseline", 2)
        assert "675" in said
        assert "address" in said  # the column in which the two rows differ, not what stands in it
        assert leaks(left_behind(site), WORDS) == []
    finally:
        table.write_text(whole)


@pytest.mark.parametrize("kind", ["plain", "gzip", "zip", "png", "parquet", "sqlite", "page", "utf16", "name"])
def test_a_word_is_found_wherever_it_is_hidden(tmp_path, kind):
    word, path = f"of {NAME}.", tmp_path / "file"
    if kind == "gzip":
        path.write_bytes(gzip.compress(word.encode()))
    elif kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inner.gz", gzip.compress(word.encode()))
    elif kind == "png":
        text = PngInfo()
        text.add_text("Comment", word, zip=True)
        Image.new("L", (8, 8)).save(path, "PNG", pnginfo=text)
    elif kind == "parquet":
        pd.DataFrame({"series": [word]}).to_parquet(path)
    elif kind == "sqlite":
        connection = sqlite3.connect(path)
        connection.execute("create table trial (note text)")
        connection.execute("insert into trial values (?)", (word,))
        connection.commit()
        connection.close()
    elif kind == "page":
        path.write_text(f'<img src="data:image/png;base64,{base64.b64encode(word.encode() * 3).decode()}">')
    elif kind == "name":
        path = tmp_path / f"{NAME}.json"
        path.write_text("{}")
    else:
        path.write_bytes(word.encode("utf-16-le" if kind == "utf16" else "utf-8"))
    assert {found for _, found in leaks([path], WORDS)} == {NAME}
