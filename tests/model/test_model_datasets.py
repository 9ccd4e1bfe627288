"""Networks and checkpoints on the disk: what was written is read, what was changed is refused."""

from __future__ import annotations

import json
import logging

import pytest
import torch
from model_fakes import tiny

from gliocast.datasets.checkpoints import CheckpointFolder, CheckpointsDataset
from gliocast.datasets.cnn_ensemble import CnnEnsembleDataset
from gliocast.errors import ArtefactError
from gliocast.model.checkpoints import Checkpoint
from gliocast.model.ensemble import Ensemble, Member


def an_ensemble():
    members = tuple(
        Member(f"holdout/fold{fold}", "holdout", {"weight": torch.full((2, 2), float(fold))}, ("P1", "P2"), 0.2)
        for fold in range(2)
    )
    return Ensemble(tiny(), members)


@pytest.fixture
def stored(tmp_path):
    dataset = CnnEnsembleDataset(str(tmp_path / "ensemble"))
    dataset.save(an_ensemble())
    return dataset


def test_networks_come_back_with_their_parameters_and_whom_they_have_seen(stored):
    loaded, ensemble = stored.load(), an_ensemble()
    assert loaded.params == ensemble.params
    assert [member.fitted_on for member in loaded.members] == [("P1", "P2")] * 2
    assert all(torch.equal(one.weights["weight"], two.weights["weight"])
               for one, two in zip(loaded.members, ensemble.members, strict=True))  # fmt: skip


def test_networks_that_are_passed_on_name_no_folder_of_the_machine(tmp_path):
    dataset = CnnEnsembleDataset(str(tmp_path / "ensemble"))
    dataset.save(Ensemble(tiny(weights_folder="/home/anna.meier/weights"), an_ensemble().members))
    assert "anna.meier" not in (dataset.filepath / "manifest.json").read_text(encoding="utf-8")
    assert dataset.load().params.weights_folder == "…/weights"


def test_an_ensemble_of_no_network_says_why(tmp_path):
    dataset = CnnEnsembleDataset(str(tmp_path / "ensemble"))
    dataset.save(Ensemble(tiny(), (), "image_score is none"))
    assert dataset.load().reason == "image_score is none"
    assert dataset.load().members == ()


def test_one_flipped_bit_in_a_network_is_refused(stored):
    file = stored.filepath / "model_1.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(Exception, match=r"model_1\.safetensors: changed since it was written"):
        stored.load()


def test_every_missing_network_is_named(stored):
    for number in range(2):
        (stored.filepath / f"model_{number}.safetensors").unlink()
    with pytest.raises(Exception, match=r"(?s)model_0\.safetensors: absent.*model_1\.safetensors: absent"):
        stored.load()


@pytest.mark.parametrize("elsewhere", ["../model_0.safetensors", "/model_0.safetensors"], ids=["relative", "absolute"])
def test_a_network_is_read_from_its_own_folder_wherever_the_manifest_points(stored, elsewhere):
    """What was checked is what is read: else a manifest from elsewhere would name any file of the machine."""
    manifest = stored.filepath / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"model_0.safetensors"', json.dumps(elsewhere)))
    assert torch.equal(stored.load().members[0].weights["weight"], torch.zeros(2, 2))


def test_networks_of_another_version_are_refused(stored):
    manifest = stored.filepath / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"schema_version": 99}))
    with pytest.raises(Exception, match="schema version 99; expected schema version 1"):
        stored.load()


def test_the_manifest_names_backbone_and_positive_class(stored):
    manifest = json.loads((stored.filepath / "manifest.json").read_text())
    assert manifest["backbone"] == "test_byobnet"
    assert manifest["positive_class"] == "long_term"


def moment(number):
    return Checkpoint({"model.weight": torch.full((3,), float(number))}, {"epoch": number, "loss_sum": 0.1})


@pytest.fixture
def folder(tmp_path):
    return CheckpointFolder(tmp_path / "checkpoints")


def test_the_dataset_is_a_handle_that_needs_nothing_on_the_disk(tmp_path):
    dataset = CheckpointsDataset(str(tmp_path / "never"))
    assert dataset.load().load("holdout/fold0") is None


def test_free_room_is_that_of_the_disk_the_folder_will_lie_on(folder):
    assert not folder.folder.exists()
    assert folder.free_bytes() > 0


def test_the_last_checkpoint_is_loaded_and_the_one_before_is_kept(folder):
    for number in (1, 2, 3):
        folder.save("holdout/fold0", moment(number))
    assert folder.load("holdout/fold0").record == {"epoch": 3, "loss_sum": 0.1}
    assert len(list(folder.folder.rglob("*.safetensors"))) == 2


def test_a_layer_that_a_network_uses_in_several_places_is_stored_under_each_of_its_names(folder):
    """As the families of CoaT do with their positional encodings."""
    layer = torch.arange(3.0)
    folder.save("fold", Checkpoint({"first": layer, "second": layer}, {"epoch": 1}))
    stored = folder.load("fold").tensors
    assert torch.equal(stored["first"], layer) and torch.equal(stored["second"], layer)


def test_trainings_do_not_see_each_others_checkpoints(folder):
    folder.save("holdout/fold0", moment(1))
    assert folder.load("holdout/fold1") is None


@pytest.mark.parametrize(
    ("suffix", "damaged"),
    [
        ("safetensors", lambda content: content[:-1] + bytes([content[-1] ^ 1])),
        ("json", lambda content: content.replace(b'"loss_sum": 0.1', b'"loss_sum": 0.3')),
        ("json", lambda content: content[:-1]),
        ("json", lambda _: b"[]"),
        ("json", lambda _: b"{}"),
    ],
    ids=["a flipped bit", "another number", "cut short", "a list", "nothing"],
)
def test_a_damaged_last_checkpoint_is_warned_of_and_the_one_before_is_taken(folder, suffix, damaged, caplog):
    for number in (1, 2, 3):
        folder.save("fold", moment(number))
    last = sorted(folder.folder.rglob(f"*.{suffix}"))[-1]
    last.write_bytes(damaged(last.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert folder.load("fold").record["epoch"] == 2
    assert "damaged; the one before is taken" in caplog.text


def test_a_damaged_checkpoint_never_takes_the_place_of_the_sound_one_before(folder):
    for number in (1, 2):
        folder.save("fold", moment(number))
    sorted(folder.folder.rglob("*.safetensors"))[-1].write_bytes(b"damaged")
    folder.load("fold")
    folder.save("fold", moment(3))
    sorted(folder.folder.rglob("*.safetensors"))[-1].write_bytes(b"damaged")
    assert folder.load("fold").record["epoch"] == 1


def test_a_kill_while_the_first_record_is_written_leaves_no_checkpoint_and_can_be_gone_on_from(folder):
    folder.save("fold", moment(1))
    record = next(folder.folder.rglob("*.json"))
    record.rename(record.with_name(f".{record.stem}-x1y2.json"))  # the name that it has while it is written
    assert folder.load("fold") is None
    folder.save("fold", moment(2))
    assert folder.load("fold").record["epoch"] == 2
    assert not list(folder.folder.rglob(".*"))


def test_when_every_checkpoint_is_damaged_nothing_starts_from_scratch_in_silence(folder):
    folder.save("fold", moment(1))
    for file in folder.folder.rglob("*.safetensors"):
        file.write_bytes(b"damaged")
    with pytest.raises(ArtefactError, match=r"all damaged.*Remove the folder"):
        folder.load("fold")


def test_a_kill_between_tensors_and_record_leaves_the_checkpoint_before(folder):
    folder.save("fold", moment(1))
    (folder.folder / "fold" / "00000002.safetensors").write_bytes(b"half")
    assert folder.load("fold").record["epoch"] == 1
    folder.save("fold", moment(2))
    assert folder.load("fold").record["epoch"] == 2
