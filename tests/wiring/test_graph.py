"""The graph as Kedro-Viz draws it: layers without a way back, and previews of aggregates alone."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import AbstractDataset

from gliocast.pipeline_registry import register_pipelines
from gliocast.runner import configuration
from gliocast.settings import CONFIG_LOADER_ARGS
from project_copy import ROOT

PIPELINES = register_pipelines()
CATALOG = OmegaConfigLoader(str(ROOT / "conf"), env="base", **CONFIG_LOADER_ARGS)["catalog"]


def layer_of(name):
    return CATALOG[name]["metadata"]["kedro-viz"]["layer"]


def stored(names):
    return [name for name in names if not name.startswith("params:") and name != "parameters"]


@pytest.mark.parametrize("name", PIPELINES)
def test_every_result_has_an_entry_with_a_layer(name):
    assert all(layer_of(entry) for entry in stored(PIPELINES[name].datasets()))


@pytest.mark.parametrize("name", PIPELINES)
def test_layers_lead_one_way(name):
    before = {}
    for node in PIPELINES[name].nodes:
        for output in stored(node.outputs):
            before.setdefault(layer_of(output), set()).update(layer_of(entry) for entry in stored(node.inputs))
    ordered = {layer: earlier - {layer} for layer, earlier in before.items()}
    assert list(TopologicalSorter(ordered).static_order())


def test_no_entry_outside_the_reports_has_a_preview():
    shown = [name for name, entry in CATALOG.items() if "08_reporting" not in str(entry.get("filepath", ""))]
    viz = {name: CATALOG[name].get("metadata", {}).get("kedro-viz", {}) for name in shown}
    ours = [name for name in shown if CATALOG[name]["type"].startswith("gliocast.")]
    assert sorted(ours) == sorted(shown)  # and ours have no preview outside data/08_reporting, by their class
    assert not [name for name, settings in viz.items() if settings.get("preview") is True]


def test_the_audit_judges_the_rule_of_choice_that_the_hybrid_models_follow():
    assert {"params:hybrid.choice"} <= PIPELINES["audit"].inputs()


WORKSPACES = {"tuning_study", "cnn_checkpoints", "robustness_answers", "test_openings_ledger"}
RECORDS_OF_OTHER_RUNS = {"simulation_record", "audit_record"}
SECRETS = {"pseudonym_key"}  # the site's own, made when first needed


@pytest.mark.parametrize("name", ["preprocessing", "baseline", "tuning", "cnn_training", "hybrid"])
def test_a_pipeline_holds_the_whole_chain_from_raw_data(name):
    free = set(stored(PIPELINES[name].inputs())) - WORKSPACES - RECORDS_OF_OTHER_RUNS - SECRETS
    assert free <= {"clinical_table", "imaging", "image_features"}


@pytest.mark.parametrize("name", sorted(CATALOG))
def test_an_entry_stays_the_same_where_the_project_is_moved(name):
    def entry_in(folder):
        place = {key: f"{folder}/{value}" for key, value in CATALOG[name].items() if key == "filepath"}
        return configuration(AbstractDataset.from_config(name, CATALOG[name] | place))

    assert entry_in("/home/project") == entry_in("/elsewhere")


@pytest.mark.parametrize("made", ["hyperparameters", "cnn_test_scores", "fitted_models", "predictions"])
def test_nothing_that_fits_chooses_or_scores_comes_after_the_outcomes_of_test_patients(made):
    before = PIPELINES["hybrid"].to_outputs(made)
    assert "test_outcomes" not in before.all_outputs() | before.inputs()
