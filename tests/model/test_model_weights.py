"""Weights to start from: fetched once, known by their digests, and never a silent random start."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from click.testing import CliRunner
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from model_fakes import a_full_disk, three_channel_state, tiny
from safetensors.torch import save_file
from served_hub import served_hub

from gliocast.cli import cli
from gliocast.datasets.files import JsonDataset
from gliocast.datasets.workspace import StageRecordsDataset
from gliocast.errors import ArtefactError, ConfigurationError
from gliocast.hooks import pin_weights
from gliocast.model import weights
from gliocast.model.backbone import import_timm
from gliocast.model.weights import fetch_weights, pinned, pretrained_weights
from gliocast.persistence.fingerprints import sha256_of_file
from gliocast.persistence.stages import StageRecord
from gliocast.runner import parameters_of


def test_weights_none_is_a_random_start():
    assert pretrained_weights(tiny(weights="none")) is None


def stored_weights(folder, name="test_byobnet.safetensors", classes=1000):
    path = folder / name
    save_file({key: tensor.contiguous() for key, tensor in three_channel_state(classes)[1].items()}, path)
    return path


def test_weights_of_a_local_file_are_read(tmp_path):
    loaded = pretrained_weights(tiny(weights=str(stored_weights(tmp_path))))
    assert loaded.keys() == three_channel_state()[1].keys()


def test_an_absent_file_is_an_error_and_no_random_start(tmp_path):
    with pytest.raises(ConfigurationError, match=r"absent or without its record; expected a file on this machine"):
        pretrained_weights(tiny(weights=str(tmp_path / "none.safetensors")))


def test_imagenet_weights_never_fetched_are_an_error_that_says_how_to_get_them(tmp_path):
    with pytest.raises(ConfigurationError, match="kedro fetch-weights --backbone test_byobnet"):
        pretrained_weights(tiny(weights="imagenet", weights_folder=str(tmp_path)))


def test_a_file_that_is_not_the_pinned_one_is_refused(tmp_path):
    path = stored_weights(tmp_path)
    with pytest.raises(ConfigurationError, match="SHA-256 of test_byobnet"):
        pretrained_weights(tiny(weights=str(path), weights_sha256="0" * 64))


def test_a_file_that_is_no_safetensors_is_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"\x80\x04 a pickle")
    with pytest.raises(ConfigurationError, match="no safetensors file"):
        pretrained_weights(tiny(weights=str(path)))


class Release:
    """timm's description of published weights, and a file of them on this machine."""

    hf_hub_id = None

    def __init__(self, folder, digest=None, classes=1000, content=None):
        path = folder / "release.pth"
        torch.save(three_channel_state(classes)[1], path)
        if content:
            path.write_bytes(content)
        self.sha256 = sha256_of_file(path)
        published = path.rename(folder / f"test_byobnet-{digest or self.sha256[:8]}.pth")
        self.url = published.as_uri()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub on this machine that publishes weights, asked by the hub's own client."""
    with served_hub(stored_weights(tmp_path).read_bytes()) as (address, published_file):
        download = partial(huggingface_hub.hf_hub_download, endpoint=address, cache_dir=tmp_path / "cache")
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
        yield published_file


def published(monkeypatch, release):
    timm = import_timm()
    monkeypatch.setattr(timm, "get_pretrained_cfg", lambda backbone: release)


def test_fetched_weights_are_pinned_and_used_without_a_network(tmp_path, monkeypatch):
    published(monkeypatch, Release(tmp_path))
    folder = tmp_path / "06_models" / "pretrained"  # neither is there in a fresh clone
    path = fetch_weights("test_byobnet", folder)
    assert json.loads((folder / "test_byobnet.json").read_text())["sha256"] == sha256_of_file(path)
    loaded = pretrained_weights(tiny(weights="imagenet", weights_folder=str(folder)))
    assert torch.equal(loaded["stem.conv.weight"], three_channel_state()[1]["stem.conv.weight"])


def test_fetched_weights_changed_afterwards_are_refused(tmp_path, monkeypatch):
    published(monkeypatch, Release(tmp_path))
    path = fetch_weights("test_byobnet", tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # safetensors itself would not notice
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="SHA-256 of test_byobnet"):
        pretrained_weights(tiny(weights="imagenet", weights_folder=str(tmp_path)))


def test_a_release_that_is_not_the_published_file_is_refused_and_nothing_is_stored(tmp_path, monkeypatch):
    published(monkeypatch, Release(tmp_path, digest="deadbeef"))
    with pytest.raises(ConfigurationError, match="cut off on its way, or another file"):
        fetch_weights("test_byobnet", tmp_path / "pretrained")
    assert not (tmp_path / "pretrained" / "test_byobnet.safetensors").exists()


def test_a_file_fetched_again_is_the_same_or_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "pretrained"
    published(monkeypatch, Release(tmp_path))
    before = fetch_weights("test_byobnet", folder).read_bytes()
    published(monkeypatch, Release(tmp_path, classes=7))
    with pytest.raises(ConfigurationError, match="Nothing was stored"):
        fetch_weights("test_byobnet", folder)
    assert (folder / "test_byobnet.safetensors").read_bytes() == before


def test_another_file_is_taken_where_its_digest_is_given(tmp_path, monkeypatch):
    folder = tmp_path / "pretrained"
    published(monkeypatch, Release(tmp_path))
    before = fetch_weights("test_byobnet", folder).read_bytes()
    other = Release(tmp_path, classes=7)
    published(monkeypatch, other)
    assert fetch_weights("test_byobnet", folder, other.sha256.upper()).read_bytes() != before
    assert json.loads((folder / "test_byobnet.json").read_text())["source_sha256"] == other.sha256


def test_the_command_takes_the_digest_of_the_published_file(tmp_path, monkeypatch):
    release = Release(tmp_path)
    published(monkeypatch, release)
    asked = ["fetch-weights", "--backbone", "test_byobnet", "--folder", str(tmp_path / "pretrained"), "--sha256"]
    refused = CliRunner().invoke(cli, [*asked, "0" * 64])
    assert refused.exit_code == 2
    assert release.sha256 in refused.output
    assert not (tmp_path / "pretrained").exists()
    assert CliRunner().invoke(cli, [*asked, release.sha256]).exit_code == 0


def test_a_hubs_weights_are_fetched_once_and_used_without_it(tmp_path, hub):
    path = fetch_weights("test_byobnet", tmp_path / "pretrained")
    record = json.loads(path.with_suffix(".json").read_text())
    assert (record["source"], record["source_sha256"]) == ("timm/test_byobnet.r160_in1k", hub.sha256)
    hub.content = b"gone"
    loaded = pretrained_weights(tiny(weights="imagenet", weights_folder=str(path.parent)))
    assert torch.equal(loaded["stem.conv.weight"], three_channel_state()[1]["stem.conv.weight"])


def test_a_hubs_file_is_held_against_the_digest_that_the_hub_gives(tmp_path, hub):
    hub.content = hub.content[:-1] + b" "
    with pytest.raises(ConfigurationError, match="cut off on its way, or another file"):
        fetch_weights("test_byobnet", tmp_path / "pretrained")


def test_a_release_whose_name_bears_no_digest_is_passed_over_for_the_hubs_file(tmp_path, monkeypatch, hub):
    torch.save({"stem": torch.zeros(1)}, tmp_path / "test_byobnet.pth")
    released = SimpleNamespace(url=(tmp_path / "test_byobnet.pth").as_uri(), hf_hub_id="timm/test_byobnet")
    published(monkeypatch, released)
    path = fetch_weights("test_byobnet", tmp_path / "pretrained")
    assert json.loads(path.with_suffix(".json").read_text())["source"] == "timm/test_byobnet"


@pytest.mark.parametrize("described", [None, SimpleNamespace(url=None, hf_hub_id=None)])
def test_a_backbone_without_published_weights_is_refused(tmp_path, monkeypatch, described):
    published(monkeypatch, described)
    with pytest.raises(ConfigurationError, match="test_byobnet; expected a timm model with published weights"):
        fetch_weights("test_byobnet", tmp_path)


def test_a_published_file_that_is_no_weights_is_refused(tmp_path, monkeypatch):
    published(monkeypatch, Release(tmp_path, content=b"\x80\x04 a pickle"))
    with pytest.raises(ConfigurationError, match="no weights"):
        fetch_weights("test_byobnet", tmp_path / "pretrained")


def test_a_random_start_goes_by_no_digest_and_a_pinned_one_by_its_own():
    assert pinned(tiny(weights="none", weights_sha256="a" * 64)) == tiny(weights="none")
    assert pinned(tiny(weights="imagenet", weights_sha256="a" * 64)).weights_sha256 == "a" * 64


def test_another_local_file_is_another_parameter(tmp_path):
    params = tiny(weights=str(stored_weights(tmp_path)))
    before = pinned(params)
    assert before.weights_sha256 == sha256_of_file(Path(params.weights))
    stored_weights(tmp_path, classes=7)
    assert pinned(params) != before
    with pytest.raises(ConfigurationError, match="SHA-256 of test_byobnet"):
        pretrained_weights(before)


def test_fetched_weights_are_pinned_by_their_record_and_refused_without_one(tmp_path, monkeypatch):
    published(monkeypatch, Release(tmp_path))
    path = fetch_weights("test_byobnet", tmp_path)
    params = tiny(weights="imagenet", weights_folder=str(tmp_path))
    assert pinned(params).weights_sha256 == sha256_of_file(path)
    path.with_suffix(".json").write_text("half a rec")
    with pytest.raises(ConfigurationError, match="fetch the weights again"):
        pretrained_weights(params)
    path.with_suffix(".json").unlink()
    with pytest.raises(ConfigurationError, match="without its record"):
        pretrained_weights(params)


@pytest.mark.parametrize("step", ["_download", "_as_safetensors"])  # the disk is full when it begins
def test_a_full_disk_ends_in_a_sentence_and_keeps_the_old_weights(tmp_path, monkeypatch, step):
    folder, asked = tmp_path / "pretrained", tiny(weights="imagenet", weights_folder=str(tmp_path / "pretrained"))
    published(monkeypatch, Release(tmp_path))
    fetch_weights("test_byobnet", folder)
    other, take = Release(tmp_path, classes=7), getattr(weights, step)
    published(monkeypatch, other)
    with a_full_disk() as fill:
        monkeypatch.setattr(weights, step, lambda *given: fill() or take(*given))
        with pytest.raises(ArtefactError, match=r"pretrained/test_byobnet.safetensors: .*fetch the weights again"):
            fetch_weights("test_byobnet", folder, other.sha256)
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".safetensors"]
    assert len(pretrained_weights(asked)["head.fc.bias"]) == 1000


@pytest.mark.parametrize("folder", ["taken", "taken/below"])
def test_a_file_in_the_place_of_the_folder_ends_in_a_sentence(tmp_path, monkeypatch, folder):
    published(monkeypatch, Release(tmp_path))
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ArtefactError, match="Move away what stands there"):
        fetch_weights("test_byobnet", tmp_path / folder)


def test_an_unreachable_source_says_what_to_do(tmp_path, monkeypatch):
    release = Release(tmp_path)
    release.url = (tmp_path / "nowhere-deadbeef.pth").as_uri()
    published(monkeypatch, release)
    with pytest.raises(ConfigurationError, match="copy the folder, or set") as told:
        fetch_weights("test_byobnet", tmp_path)
    assert "training" not in told.value.headline()


def test_a_run_that_lacks_its_weights_ends_before_any_work_and_says_how_to_get_them(project):
    ended = project.run("cnn_training", model__weights="imagenet")
    assert ended.returncode == 2
    assert "kedro fetch-weights --backbone test_byobnet" in ended.stderr
    assert not project.path("01_raw").exists()


def a_start(params, image_score="cnn", reads="params:model", makes=("cnn_ensemble",), **done):
    """What a run's catalog holds once the run has been let through."""
    catalog = DataCatalog()
    slices = SimpleNamespace(size_px=16)
    known = {"params:model": params, "params:slices": slices, "params:image_score": image_score, "parameters": {}}
    for name, value in (known | done).items():
        catalog[name] = value
    catalog["stage_records"] = StageRecordsDataset("none")
    run = Pipeline([Node(lambda given: given, [reads], list(makes), name="train")])
    pin_weights(run, catalog)
    return catalog


@pytest.mark.parametrize(
    ("reads", "image_score", "expected"),
    [("params:model", "cnn", True), ("params:model", "features", False), ("params:seed", "cnn", False)],
)
def test_the_weights_are_read_where_a_run_that_needs_them_starts_and_nowhere_else(
    tmp_path, reads, image_score, expected
):
    params = tiny(weights=str(stored_weights(tmp_path)))
    catalog = a_start(params, image_score, reads)
    known = catalog.load("params:model")
    assert (known == pinned(params)) == expected
    assert catalog.load("parameters") == ({"model": known} if expected else {})


def test_what_training_would_refuse_is_refused_before_slices_are_made_for_it():
    lacking = tiny(backbone="resnet51", devices=("cuda:7",))
    with pytest.raises(ConfigurationError, match=r"^2 problems .* nothing was run"):
        a_start(lacking)
    with pytest.raises(ConfigurationError, match=r"^2 problems"):
        a_start(lacking, slice_manifest="made")  # the search and the trainings may take days
    with pytest.raises(ConfigurationError, match=r"^2 problems"):
        a_start(lacking, makes=("hyperparameters", "cnn_ensemble"), hyperparameters="found")
    with pytest.raises(ConfigurationError, match=r"^2 problems"):
        a_start(lacking, makes=("hyperparameters",))
    with pytest.raises(ConfigurationError, match=r"^2 problems"):
        a_start(lacking, cnn_ensemble="trained")


LACKING = tiny(backbone="resnet51", devices=("cuda:7",))
STAGES = Pipeline(
    [
        Node(lambda given: given, "params:slices", "slice_stacks", name="cut"),
        Node(lambda given: given, "params:model", "cnn_ensemble", name="train"),
    ]
)


def trained(folder, params=LACKING):
    """The catalog of a run after one that has trained; a look at its network would end it."""
    catalog = DataCatalog({"stage_records": StageRecordsDataset(str(folder / "stages"))})
    slices, made = SimpleNamespace(size_px=16), {name: JsonDataset(str(folder / name)) for name in STAGES.all_outputs()}
    known = {"params:model": params, "params:slices": slices, "params:image_score": "cnn", "parameters": {}}
    for name, entry in (known | made).items():
        catalog[name] = entry
    for node in STAGES.nodes:
        catalog.save(node.outputs[0], "made")
        catalog.load("stage_records").write(node.name, StageRecord("", parameters_of(node, catalog), {}, {}))
    return catalog


def test_what_was_trained_with_these_parameters_is_not_looked_at_again(tmp_path):
    pin_weights(STAGES, trained(tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        lambda catalog: catalog["params:model"].save(tiny(backbone="resnet52", devices=("cuda:7",))),
        lambda catalog: catalog["params:slices"].save(SimpleNamespace(size_px=32)),
        lambda catalog: catalog["cnn_ensemble"].filepath.unlink(),
    ],
    ids=["another network", "other slices", "nothing is left"],
)
def test_what_will_be_trained_again_is_looked_at_again(tmp_path, change):
    catalog = trained(tmp_path)
    change(catalog)
    with pytest.raises(ConfigurationError, match=r"^2 problems .* nothing was run"):
        pin_weights(STAGES, catalog)


def test_weights_that_are_gone_are_told_before_what_was_trained_from_them_is_reused(tmp_path):
    catalog = trained(tmp_path, tiny(weights="gone.safetensors"))
    with pytest.raises(ConfigurationError, match=r"model\.weights"):
        pin_weights(STAGES, catalog)
