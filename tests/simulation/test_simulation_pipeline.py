import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from gliocast.cohort.simulation.parameters import PaperParameters, SimulationParameters
from gliocast.cohort.simulation.provenance import simulation_state
from gliocast.datasets.clinical_table import ClinicalTableDataset
from gliocast.datasets.simulated_imaging import SimulatedImagingDataset, SimulationTruthDataset
from gliocast.imaging.parameters import SliceParameters
from gliocast.imaging.pipeline import extract_slices
from gliocast.imaging.source import ImageSource
from gliocast.pipelines.simulation import create_pipeline
from gliocast.pipelines.simulation.nodes import describe_truth, simulate_patients
from shipped import section


def test_pipeline_makes_a_whole_cohort(tmp_path, paper, a_simulation):
    given = {
        "params:paper": paper,
        "params:simulation": a_simulation(n_patients=9),
        "params:seed": 4,
    }
    catalog = DataCatalog(
        {
            **{name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()},
            "simulation_truth": SimulationTruthDataset(str(tmp_path / "simulation.json")),
            "simulated_imaging": SimulatedImagingDataset(str(tmp_path / "imaging"), workers=1),
            "simulated_clinical_table": ClinicalTableDataset(str(tmp_path / "clinical.csv")),
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    assert simulation_state(tmp_path) == "complete"
    assert len(catalog.load("simulated_imaging")) == 9


@pytest.mark.parametrize(("profile", "geometry"), [("demo", (96, 40, 256 / 96)), ("paper", (512, 208, 0.5))])
def test_configured_volumes_of_both_profiles(profile, geometry):
    simulation = SimulationParameters.model_validate(section("simulation", profile=profile))
    found = simulation.geometry
    assert (found.size_px, found.slices, found.spacing_mm) == geometry
    assert found.size_px * found.spacing_mm == pytest.approx(256)
    assert simulation.n_patients == 175


def test_all_results_of_the_paper_are_typed(paper):
    table2 = PaperParameters.model_validate(paper).table2
    assert table2.tp + table2.fp + table2.fn + table2.tn == paper["table1"]["all"]["n"]


def test_nine_slices_are_centred_on_the_largest_section_that_the_simulation_knows(tmp_path, paper, a_simulation):
    truth = describe_truth(paper, a_simulation(n_patients=6, size_px=64, slices=40, dicom_share=0.34), 1)
    simulated = SimulatedImagingDataset(str(tmp_path), workers=1)
    simulated.save(simulate_patients(truth))
    slices = SliceParameters.model_validate(section("slices"))
    source = ImageSource(tmp_path)
    stacks = extract_slices(source, dict.fromkeys(source.patient_ids()), slices)
    found = {stack.patient_id: stack.record for stack in stacks}
    for patient_id, record in simulated.load().items():
        assert found[patient_id]["source"] == "mask"
        # one slice of 4 mm: two neighbours may have the same area
        assert found[patient_id]["center_slice_mm"] == pytest.approx(record["largest_section_mm"], abs=4.01)
