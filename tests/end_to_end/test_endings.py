"""What a user sees when something is wrong, or when a run is cut off."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from project_copy import SMALL_VOLUMES, copy_of_the_project

QUICK = {"simulation__n_patients": 30, **SMALL_VOLUMES}


@pytest.fixture(scope="module")
def simulated_once(tmp_path_factory):
    made = copy_of_the_project(tmp_path_factory.mktemp("simulated"))
    assert made.run("simulation", **QUICK).returncode == 0
    return made.path(".")


@pytest.fixture
def simulated(project, simulated_once):
    """A project in which a small cohort was simulated."""
    shutil.copytree(simulated_once, project.path("."), dirs_exist_ok=True)
    return project


@pytest.fixture
def site(simulated):
    """A project with a raw cohort in place."""
    for record in simulated.path("01_raw").rglob("simulation.json"):
        record.unlink()  # from now on the files are the site's own
    return simulated


def clinical(site):
    return site.path("01_raw/clinical.csv")


def edit(path, pattern, replacement):
    path.write_text(re.sub(pattern, replacement, path.read_text(), count=1))


WRONG = {"hybrid__predictrs": "[]", "profil": "paper", "partition__scheme": "random", "seed": -1}
WRONG_SAID = ("4 problems", "Did you mean `predictors`?", "Did you mean `profile`?", "'holdout'", "Correct `seed`")


@pytest.mark.parametrize(
    ("parameters", "said"), [(WRONG, WRONG_SAID), ({"profile": "papre"}, ("1 problem", "demo or paper"))]
)
def test_wrong_parameters_end_before_any_work(project, parameters, said):
    ended = project.run("baseline", **parameters)
    assert ended.returncode == 2
    assert "nothing was run" in ended.stderr
    assert [text for text in said if text not in ended.stderr] == []
    assert "Traceback" not in ended.stderr
    assert not project.path("08_reporting").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pipeline", "baseline", "--nodes", "read_chort"], "read_chort"),
        (["--pipeline", "baseline", "--env", "nowhere"], "a folder of conf/: brats2020"),
    ],
)
def test_a_name_that_is_not_there_ends_in_a_table(project, options, said):
    ended = project.kedro("run", *options)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


WRONG_ENTRIES = """
clinical_table: {type: gliocast.datasets.ClinicalTableDataset, filepath: a.csv, encoding: utf8-x}
cohort: {type: gliocast.datasets.TableDataset, path: b.csv}
patient_flow: {type: gliocast.datasets.Json, filepath: c.json}
"""
WRONG_ENTRIES_SAID = (
    "3 problems", "clinical_table: encoding", "utf8-x", "an unknown argument", "'Json' not found",
)  # fmt: skip


@pytest.mark.parametrize(
    ("catalog", "said"),
    [
        (WRONG_ENTRIES, WRONG_ENTRIES_SAID),
        ("clinical_table:\n  type: x\n filepath: y\n", ("conf/local/catalog.yml, line 3", "valid YAML")),
        ("clinical_table: /data/patients.csv", ("conf/local/catalog.yml, line 1: clinical_table", "a value")),
        (
            "tuning_study: {type: gliocast.datasets.StudyDataset, filepath: a.log, credentials: the_database}",
            ("Unable to find credentials 'the_database'",),
        ),
        (
            "clinical_tabel: {type: gliocast.datasets.ClinicalTableDataset, filepath: a.csv}",
            ("clinical_tabel", "`clinical_table`, which points to no data of yours"),
        ),
    ],
    ids=["wrong entries", "no YAML", "a path in place of an entry", "no credentials", "a misspelt name"],
)
def test_a_wrong_catalog_ends_before_any_work(project, catalog, said):
    project.write("conf/local/catalog.yml", catalog)
    ended = project.run("baseline")
    assert ended.returncode == 2
    assert all(text in ended.stderr for text in said), ended.stderr
    assert "Traceback" not in ended.stderr
    assert not project.path("01_raw").exists(), "nothing is simulated in place of data that a site has pointed to"


def test_absent_data_of_an_environment_are_not_to_be_pointed_to_where_it_does_not_look(project, tmp_path):
    ended = project.kedro("run", "--pipeline", "baseline", "--env", "upenn_gbm", GLIOCAST_DATA=str(tmp_path))
    assert ended.returncode == 2
    assert "conf/NAME/catalog.yml with --env NAME" in ended.stderr


def test_a_profile_set_where_it_cannot_act_is_refused(project):
    project.write("conf/local/parameters.yml", "profile: paper\n")
    ended = project.run("baseline")
    assert ended.returncode == 2
    assert "globals.yml" in ended.stderr


def test_all_problems_of_a_clinical_table_stand_in_one_table(site):
    path = clinical(site)
    edit(path, r"complete", "totale")
    edit(path, r"(?m)^SIM-003,([^,]*),", "SIM-003,675,")
    ended = site.run("baseline", on_invalid_patient="stop")
    assert ended.returncode == 2
    assert "2 problems" in ended.stderr
    assert "totale" in ended.stderr
    assert "675" in ended.stderr


def test_a_wrong_separator_is_named(site):
    path = clinical(site)
    path.write_text(path.read_text().replace(",", ";"))
    ended = site.run("baseline")
    assert ended.returncode == 2
    assert "separator" in ended.stderr


def test_a_clinical_table_may_be_an_excel_sheet(site):
    import pandas as pd

    table = pd.read_csv(clinical(site))
    table.to_excel(site.folder / "patients.xlsx", index=False)
    clinical(site).unlink()
    entry = "clinical_table: {type: pandas.ExcelDataset, filepath: patients.xlsx, load_args: {dtype: str}}\n"
    site.write("conf/local/catalog.yml", entry)
    ended = site.run("baseline")
    assert ended.returncode == 0, ended.stderr
    assert "SIMULATED" not in ended.stdout
    cohort = pd.read_parquet(site.path("02_intermediate/cohort.parquet"))
    assert sorted(cohort["patient_id"]) == sorted(table["patient_id"])
    assert (
        cohort.set_index("patient_id")["age_years"].loc["SIM-001"]
        == table.set_index("patient_id")["age_years"].loc["SIM-001"]
    )


@pytest.mark.parametrize(
    "kind", ["SQLTableDataset, table_name: patients", "SQLQueryDataset, sql: select * from patients"]
)
def test_a_clinical_table_may_lie_in_a_database_and_counts_by_what_it_holds(site, kind):
    table, file = pd.read_csv(clinical(site)), site.folder / "patients.db"
    clinical(site).unlink()
    site.write("conf/local/catalog.yml", f"clinical_table: {{type: pandas.{kind}, credentials: database}}\n")
    site.write("conf/local/credentials.yml", f"database: {{con: 'sqlite:///{file}'}}\n")
    with closing(sqlite3.connect(file)) as database:
        for held, reason in ((table, "it has no valid result"), (table[1:], "input clinical_table has changed")):
            held.to_sql("patients", database, index=False, if_exists="replace")
            assert f"read_cohort: runs, {reason}" in site.run("baseline").stderr
            assert "read_cohort: reused, nothing has changed" in site.run("baseline").stderr


@pytest.mark.parametrize(
    ("kind", "address", "found"),
    [
        ("SQLTableDataset, table_name: patients", "sqlite:////nowhere/of/ours.db", "unreachable: OperationalError"),
        ("SQLQueryDataset, sql: select 1", "sqlite:////nowhere/of/ours.db", "unreadable: OperationalError"),
        ("SQLQueryDataset, sql: select 1", "mysql+pymysql://me:secret@of/ours", "unreadable: pymysql is not installed"),
    ],
)
def test_a_database_that_cannot_be_read_ends_in_a_table_without_its_address(site, kind, address, found):
    site.write("conf/local/catalog.yml", f"clinical_table: {{type: pandas.{kind}, credentials: database}}\n")
    site.write("conf/local/credentials.yml", f"database: {{con: '{address}'}}\n")
    ended = site.run("baseline")
    assert ended.returncode == 2, ended.stderr
    assert "catalog entry clinical_table" in ended.stderr and found in ended.stderr
    assert "Traceback" not in ended.stderr and "of/ours" not in ended.stderr


def test_a_file_that_is_no_excel_sheet_is_named_without_what_it_holds(site):
    clinical(site).rename(site.folder / "patients.xlsx")
    site.write("conf/local/catalog.yml", "clinical_table: {type: pandas.ExcelDataset, filepath: patients.xlsx}\n")
    ended = site.run("baseline")
    assert ended.returncode == 2, ended.stderr
    assert "catalog entry clinical_table" in ended.stderr and "unreadable" in ended.stderr
    assert "Traceback" not in ended.stderr and "SIM-0" not in ended.stderr


def test_images_without_a_clinical_table_are_no_simulated_cohort(site):
    clinical(site).unlink()
    ended = site.run("hybrid")
    assert ended.returncode == 2
    assert "clinical_table" in ended.stderr


@pytest.mark.parametrize("part", ["clinical.csv", "imaging"])
def test_a_part_taken_away_from_the_simulated_cohort_is_no_reason_to_simulate_again(simulated, part):
    simulated.path(f"01_raw/{part}").rename(simulated.folder / "away")
    ended = simulated.run("preprocessing", **QUICK)
    assert ended.returncode == 2
    assert f"data/01_raw/{part}" in ended.stderr


def test_a_part_of_a_pipeline_never_goes_on_from_what_is_stale(site):
    assert site.run("baseline", cohort__survival_threshold_days=300).returncode == 0
    changed = ("--params", "cohort.survival_threshold_days=400")
    ended = site.kedro("run", "--pipeline", "baseline", "--from-nodes", "compile_metrics", *changed)
    assert ended.returncode == 0, ended.stderr
    counted = json.loads(site.path("08_reporting/metrics.json").read_text())["cohort"]
    days = pd.read_csv(clinical(site))["survival_days"]
    assert counted["n_long_term"] == (days >= 400).sum()


def test_a_missing_image_stops_or_is_accounted_for(site):
    shutil.rmtree(site.path("01_raw/imaging/SIM-004"))
    stopped = site.run("preprocessing", on_invalid_patient="stop")
    assert stopped.returncode == 2
    assert "SIM-004" in stopped.stderr
    left_out = site.run("preprocessing", on_invalid_patient="exclude")
    assert left_out.returncode == 0, left_out.stderr[-2000:]
    assert '"n": 1' in site.path("08_reporting/patient_flow.json").read_text()


def test_a_truncated_image_and_an_image_of_nobody_are_both_named(site):
    volume = next(path for path in sorted(site.path("01_raw/imaging").glob("*/t1gd.nii.gz")))
    volume.write_bytes(volume.read_bytes()[:2000])
    (site.path("01_raw/imaging") / "NOBODY").mkdir()
    shutil.copy(volume, site.path("01_raw/imaging/NOBODY/t1gd.nii.gz"))
    ended = site.run("preprocessing", on_invalid_patient="stop")
    assert ended.returncode == 2
    assert volume.parent.name in ended.stderr
    assert "NOBODY" in ended.stderr


def test_a_check_tells_what_is_wrong_with_the_table_and_with_the_images_in_one_ending(site):
    sound = clinical(site).read_text()
    volume = next(path for path in sorted(site.path("01_raw/imaging").glob("*/t1gd.nii.gz")))
    volume.write_bytes(volume.read_bytes()[:2000])
    edit(clinical(site), r"(?m)^SIM-003,([^,]*),", "SIM-003,675,")
    ended = site.run("preprocessing", check_only="true")
    assert ended.returncode == 2
    assert "2 problems in the input; nothing was run" in ended.stderr
    assert "675" in ended.stderr
    assert volume.parent.name in ended.stderr
    clinical(site).write_text(sound.replace(",", ";"))
    unread = site.run("preprocessing", check_only="true")
    assert unread.returncode == 2
    assert "separator" in unread.stderr
    assert "not checked" in unread.stderr
    assert not site.path("04_feature").exists()


def test_other_data_are_swapped_in_by_the_local_catalog(site):
    elsewhere = site.folder / "hospital"
    site.path("01_raw").rename(elsewhere)
    site.write(
        "conf/local/catalog.yml",
        "clinical_table:\n  type: gliocast.datasets.ClinicalTableDataset\n  filepath: hospital/patients.csv\n"
        "imaging:\n  type: gliocast.datasets.ImagingDataset\n  filepath: hospital/scans\n"
        '  volumes: ["<patient_id>/t1gd.<nii.gz|nii>", "<patient_id>/t1gd/"]\n',
    )
    site.write("conf/local/parameters.yml", 'cohort:\n  separator: ";"\n  columns: {surgery: operation}\n')
    (elsewhere / "imaging").rename(elsewhere / "scans")
    table = (elsewhere / "clinical.csv").read_text().replace(",", ";").replace("surgery", "operation", 1)
    (elsewhere / "patients.csv").write_text(table)
    ended = site.run("preprocessing")
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert site.path("04_feature/slice_manifest.parquet").exists()
    assert not site.path("01_raw").exists()


def test_absent_data_of_a_site_are_never_replaced_by_the_simulated_cohort(project):
    project.write(
        "conf/local/catalog.yml",
        "clinical_table:\n  type: gliocast.datasets.ClinicalTableDataset\n  filepath: hospital/patients.csv\n",
    )
    ended = project.run("baseline")
    assert ended.returncode == 2
    assert "hospital/patients.csv" in ended.stderr
    assert not project.path("01_raw").exists()


@pytest.mark.parametrize("interruption", [signal.SIGINT, signal.SIGTERM])
def test_a_run_interrupted_by_the_user_or_a_batch_system_says_how_to_resume(project, interruption):
    kedro = str(Path(sys.executable).with_name("kedro"))
    command = [kedro, "run", "--pipeline", "preprocessing"]
    bare = os.environ | {"PATH": str(Path(kedro).parent)}  # no `pgrep`, as in a minimal container
    run = subprocess.Popen(
        command, cwd=project.folder, env=bare, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    wait_for(project.path("01_raw/imaging"), run)
    run.send_signal(interruption)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "kedro run --pipeline preprocessing" in said


def heed_interrupts():
    """A shell makes what it starts in the background deaf to Ctrl-C, tests and all that they start included."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_run_killed_in_the_middle_ends_as_the_uninterrupted_one(project, tmp_path_factory):
    from project_copy import copy_of_the_project

    parameters = [f"{name.replace('__', '.')}={value}" for name, value in QUICK.items()]
    command = [str(Path(sys.executable).with_name("kedro")), "run", "--pipeline", "preprocessing", "--params"]
    run = subprocess.Popen(
        [*command, ",".join(parameters)], cwd=project.folder, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_for(project.path("01_raw/imaging"), run)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert project.run("preprocessing", **QUICK).returncode == 0
    whole = copy_of_the_project(tmp_path_factory.mktemp("whole"))
    assert whole.run("preprocessing", **QUICK).returncode == 0
    for name in ("01_raw/clinical.csv", "03_primary/partition.json", "08_reporting/patient_flow.json"):
        assert project.path(name).read_bytes() == whole.path(name).read_bytes()


def wait_for(path, run):
    """Wait until the run has begun to write `path`."""
    while not path.exists() and run.poll() is None:
        time.sleep(0.02)
    assert run.poll() is None, "the run ended before it could be cut off"
