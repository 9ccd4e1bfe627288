import inspect
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import pytest
from kedro.io import DatasetError

from gliocast.cohort.simulation.provenance import simulation_state
from gliocast.datasets.clinical_table import ClinicalTableDataset
from gliocast.datasets.simulated_imaging import SimulatedImagingDataset, SimulationTruthDataset
from gliocast.errors import ArtefactError, ConfigurationError
from gliocast.pipelines.simulation.nodes import describe_truth, simulate_patients, tabulate_patients
from gliocast.refusals import input_error


class Raw:
    """A raw folder and the three entries that the simulation writes there."""

    def __init__(self, folder: Path, paper, workers: int = 1):
        self.folder, self.paper = folder, paper
        self.truth = SimulationTruthDataset(str(folder / "simulation.json"))
        self.imaging = SimulatedImagingDataset(str(folder / "imaging"), workers)
        self.clinical = ClinicalTableDataset(str(folder / "clinical.csv"))

    def simulate(self, simulation, seed=1):
        self.truth.save(describe_truth(self.paper, simulation, seed))
        for batch in simulate_patients(self.truth.load()):
            self.imaging.save(batch)
        self.clinical.save(tabulate_patients(self.imaging.load(), self.paper, simulation, seed))

    @property
    def state(self):
        return simulation_state(self.folder)

    def content(self):
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


@contextmanager
def refused():
    with pytest.raises(DatasetError, match="the simulation has not written") as caught:  # wrapped by Kedro
        yield
    assert isinstance(caught.value.__cause__, ConfigurationError)


@pytest.fixture
def a_raw_folder(tmp_path, paper):
    return lambda name="raw", workers=1: Raw(tmp_path / name, paper, workers)


def test_whole_cohort_lies_where_the_raw_entries_look_for_it(a_raw_folder, a_simulation):
    raw = a_raw_folder()
    assert raw.state == "absent"
    raw.simulate(a_simulation(n_patients=6, dicom_share=0.34))
    assert raw.state == "complete"
    folders = sorted((raw.folder / "imaging").iterdir())
    assert [folder.name for folder in folders] == [f"SIM-00{number}" for number in range(1, 7)]
    assert sum((folder / "t1gd").is_dir() for folder in folders) == 2
    assert sum((folder / "t1gd.nii.gz").is_file() for folder in folders) == 4
    assert all((folder / "lesion_mask.nii.gz").is_file() for folder in folders)
    assert raw.clinical.load().count("\n") == 7


def test_truth_is_written_first_and_the_clinical_table_last(a_raw_folder, a_simulation):
    raw, simulation = a_raw_folder(), a_simulation()
    raw.truth.save(describe_truth(raw.paper, simulation, 1))
    assert raw.state == "incomplete"
    for batch in simulate_patients(raw.truth.load()):
        raw.imaging.save(batch)
    assert raw.state == "incomplete"
    raw.clinical.save(tabulate_patients(raw.imaging.load(), raw.paper, simulation, 1))
    assert raw.state == "complete"


def test_several_processes_write_the_same_bytes_as_one(a_raw_folder, a_simulation):
    alone, together = a_raw_folder("alone"), a_raw_folder("together", workers=2)
    alone.simulate(a_simulation())
    together.simulate(a_simulation())
    assert alone.content() == together.content()


def test_killed_in_the_middle_and_resumed_it_ends_with_the_same_bytes(a_raw_folder, a_simulation):
    simulation = a_simulation(n_patients=24)
    whole, broken = a_raw_folder("whole"), a_raw_folder("broken")
    whole.simulate(simulation)
    broken.truth.save(describe_truth(broken.paper, simulation, 1))
    worker = subprocess.Popen([sys.executable, "-c", WRITE_IMAGES, str(broken.folder)], start_new_session=True)
    imaging, deadline = broken.folder / "imaging", time.monotonic() + 60
    while len(list(imaging.glob("SIM-*"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    assert 5 <= len(list(imaging.glob("SIM-*"))) < 24
    assert broken.state == "incomplete"
    first = (imaging / "SIM-001" / "lesion_mask.nii.gz").stat().st_mtime_ns
    broken.simulate(simulation)
    assert broken.content() == whole.content()
    assert (imaging / "SIM-001" / "lesion_mask.nii.gz").stat().st_mtime_ns == first  # kept, not made again


WRITE_IMAGES = """
import sys
from gliocast.datasets.simulated_imaging import SimulatedImagingDataset, SimulationTruthDataset
from gliocast.pipelines.simulation.nodes import simulate_patients
folder = sys.argv[1]
imaging = SimulatedImagingDataset(folder + "/imaging", workers=1)
for batch in simulate_patients(SimulationTruthDataset(folder + "/simulation.json").load()):
    imaging.save(batch)
"""


def test_a_full_disk_is_told_in_our_words(a_raw_folder, a_simulation, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pydicom.filewriter.write_data_element", full)  # pydicom hides it in an error of its own
    with pytest.raises(DatasetError) as caught:
        a_raw_folder().simulate(a_simulation(dicom_share=1.0))
    assert "No space left on device; expected a writable disk" in str(input_error(caught.value))


def test_changed_parameters_replace_our_cohort_and_nobody_of_the_old_one_stays(a_raw_folder, a_simulation):
    raw, fresh = a_raw_folder(), a_raw_folder("fresh")
    raw.simulate(a_simulation(n_patients=8))
    raw.simulate(a_simulation(n_patients=5, image_auc=0.5))
    fresh.simulate(a_simulation(n_patients=5, image_auc=0.5))
    assert raw.state == "complete"
    assert raw.content() == fresh.content()


def test_killed_between_an_old_cohort_and_its_replacement_it_is_ours_still(a_raw_folder, a_simulation):
    raw = a_raw_folder()
    raw.simulate(a_simulation(n_patients=5))
    raw.truth.save(describe_truth(raw.paper, a_simulation(n_patients=4), 1))
    assert raw.state == "incomplete"


def test_clinical_table_of_a_site_is_never_touched(a_raw_folder, a_simulation):
    raw = a_raw_folder()
    raw.folder.mkdir()
    (raw.folder / "clinical.csv").write_text("patient_id\nP001\n")
    assert raw.state == "foreign"
    with refused():
        raw.simulate(a_simulation())
    assert raw.content() == {"clinical.csv": b"patient_id\nP001\n"}


def test_edited_simulated_table_counts_as_a_site_s_own(a_raw_folder, a_simulation):
    raw = a_raw_folder()
    raw.simulate(a_simulation())
    raw.clinical.save(raw.clinical.load().replace("biopsy", "complete"))
    assert raw.state == "foreign"
    with refused():
        raw.simulate(a_simulation(n_patients=5))


def test_images_of_a_site_are_never_touched(a_raw_folder, a_simulation):
    raw = a_raw_folder()
    scan = raw.folder / "imaging" / "SIM-002" / "t1gd.nii.gz"
    scan.parent.mkdir(parents=True)
    scan.write_bytes(b"a real patient")
    assert raw.state == "foreign"
    with refused():
        raw.simulate(a_simulation())
    batch = next(simulate_patients(describe_truth(raw.paper, a_simulation(), 1)))
    with refused():
        raw.imaging.save(batch)
    assert scan.read_bytes() == b"a real patient"


def test_patient_removed_by_hand_makes_the_cohort_incomplete_and_is_named(a_raw_folder, a_simulation):
    raw, simulation = a_raw_folder(), a_simulation()
    raw.simulate(simulation)
    (raw.folder / "imaging" / "SIM-003").rename(raw.folder / "elsewhere")
    assert raw.state == "incomplete"
    with pytest.raises(ArtefactError, match="SIM-003"):
        tabulate_patients(raw.imaging.load(), raw.paper, simulation, 1)


def test_fingerprint_follows_the_content_and_not_the_place(a_raw_folder, a_simulation):
    here, there, other = a_raw_folder("here"), a_raw_folder("there"), a_raw_folder("other")
    here.simulate(a_simulation())
    there.simulate(a_simulation())
    other.simulate(a_simulation(), seed=2)
    assert here.imaging.fingerprint() == there.imaging.fingerprint() != other.imaging.fingerprint()


def test_memory_does_not_grow_with_the_number_of_patients(a_raw_folder, a_simulation):
    assert inspect.isgenerator(simulate_patients(describe_truth(a_raw_folder().paper, a_simulation(), 1)))
    peaks = []
    for n_patients in (4, 4, 16):  # the first one loads what is loaded once
        raw = a_raw_folder(f"{len(peaks)}")
        tracemalloc.start()
        raw.simulate(a_simulation(n_patients=n_patients, dicom_share=0))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.1 * peaks[1]
