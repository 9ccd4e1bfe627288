"""A network that cannot be trained here is refused before anything is done for it, with all that is wrong at once."""

from __future__ import annotations

import sys

import pytest
import torch
from model_fakes import three_channel_state, tiny

from gliocast.errors import ConfigurationError
from gliocast.model.backbone import import_timm
from gliocast.model.device import choose_devices
from gliocast.model.readiness import refuse_untrainable_network
from gliocast.model.weights import pinned
from gliocast.persistence.fingerprints import sha256_of_file
from gliocast.persistence.tensor_files import save_tensors

FIT = {"test_byobnet": 16, "resnet51q": 256, "efficientnet_lite0": 64, "vit_tiny_patch16_224": 224}


@pytest.mark.parametrize(("backbone", "side_px"), FIT.items())
def test_a_network_that_can_be_trained_passes(backbone, side_px):
    refuse_untrainable_network(tiny(backbone=backbone), side_px)


@pytest.mark.parametrize(
    ("wrong", "side_px", "where"),
    [
        ({"weights": "absent.safetensors"}, 32, ["model.weights"]),
        ({"backbone": "resnet51"}, 32, ["model.backbone"]),
        ({"backbone": "vit_tiny_patch16_224"}, 64, ["model.backbone"]),
        ({"backbone": "test_convnext"}, 16, ["model.backbone"]),
        ({"backbone": "dla34", "pooling": "attention"}, 64, ["model.backbone"]),
        ({"devices": ("cuda:7", "cpu")}, 32, ["model.devices"]),
        ({"precision": "bfloat16", "devices": ("cpu",)}, 16, ["model.precision"]),
        ({"backbone": "resnet51", "devices": ("cuda:7", "cuda:8")}, 32, ["model.devices"] * 2 + ["model.backbone"]),
    ],
)
def test_everything_that_training_would_refuse_is_told_at_once(wrong, side_px, where):
    with pytest.raises(ConfigurationError) as refused:
        refuse_untrainable_network(tiny(**wrong), side_px)
    assert [problem.where for problem in refused.value.problems] == where


def test_a_file_that_is_no_safetensors_or_another_one_than_pinned_is_told_beside_the_rest(tmp_path):
    pickled = tmp_path / "weights.pth"
    torch.save(three_channel_state()[1], pickled)
    digest = sha256_of_file(pickled)
    for sha256, found in ((digest, "no safetensors file"), ("0" * 64, digest[:16])):
        wrong = tiny(weights=str(pickled), weights_sha256=sha256, backbone="resnet51")
        with pytest.raises(ConfigurationError, match=rf"^2 problems [\s\S]*weights\.pth: {found}"):
            refuse_untrainable_network(wrong, 32)


@pytest.mark.parametrize(("compiled", "told"), [(False, []), (True, ["model.compile"])])
def test_a_machine_without_a_compiler_is_told_beside_the_rest(compiled, told):
    wrong = tiny(compile=compiled, backbone="resnet51")
    with torch._inductor.config.patch({"cpp.cxx": ("absent-compiler",)}), pytest.raises(ConfigurationError) as refused:
        refuse_untrainable_network(wrong, 32)
    assert [problem.where for problem in refused.value.problems] == [*told, "model.backbone"]


def test_weights_of_another_backbone_or_without_numbers_are_told_beside_the_rest(tmp_path):
    path, state = tmp_path / "weights.safetensors", three_channel_state()[1]
    save_tensors(state, path)
    of_another = tiny(weights=str(path), backbone="test_resnet", devices=("cuda:7",))
    with pytest.raises(ConfigurationError, match=r"^2 problems [\s\S]*expected the weights of test_resnet"):
        refuse_untrainable_network(pinned(of_another), 32)
    for other, found in (
        ({}, "without any weight"),
        (state | {"stem.conv.weight": state["stem.conv.weight"] / 0}, r"no finite numbers in stem\.conv\.weight"),
    ):
        save_tensors(other, path)
        with pytest.raises(ConfigurationError, match=found):
            refuse_untrainable_network(pinned(tiny(weights=str(path))), 32)


@pytest.mark.parametrize("backbone", ["mobilenetv5_300m_enc", "deepseek_vit_412m_enc", "gemma4_vit_167m_enc"])
def test_an_encoder_is_refused_as_one(backbone):
    with pytest.raises(ConfigurationError, match=rf"model\.backbone: {backbone}; expected .* ends in a classifier"):
        refuse_untrainable_network(tiny(backbone=backbone), 224)


@pytest.mark.filterwarnings("ignore:CSATv2 is designed for 3-channel")
def test_a_network_that_takes_colours_alone_is_not_blamed_on_the_size_of_the_slices():
    with pytest.raises(ConfigurationError, match="slices of one channel") as refused:
        refuse_untrainable_network(tiny(backbone="csatv2"), 224)
    assert "size_px" not in str(refused.value)


def test_learning_curves_without_tensorboard_are_refused_at_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigurationError, match=r"model\.tensorboard_folder: curves, and no package"):
        refuse_untrainable_network(tiny(tensorboard_folder="curves"), 32)


def test_a_folder_for_learning_curves_that_cannot_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"model\.tensorboard_folder: .*file/curves: Not a directory"):
        refuse_untrainable_network(tiny(tensorboard_folder=str(tmp_path / "file" / "curves")), 32)


def test_looking_takes_no_weights_into_memory(monkeypatch):
    devices, timm = [], import_timm()
    make = timm.create_model

    def noting(*given, **options):
        network = make(*given, **options)
        devices.append({weight.device.type for weight in network.parameters()})
        return network

    monkeypatch.setattr(timm, "create_model", noting)
    refuse_untrainable_network(tiny(backbone="vit_giant_patch14_224"), 224)
    assert devices == [{"meta"}]


def test_cards_that_torch_cannot_use_are_told_and_the_processor_trains(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_devices(["auto"]) == [torch.device("cpu")]
    refuse_untrainable_network(tiny(), 32)
    assert "Graphics cards here: 1, none of which" in caplog.text


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device that can be used")
def test_a_card_that_is_listed_and_cannot_be_used_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(ConfigurationError, match=r"model.devices: cuda:0: .*; expected a device that torch can use"):
        refuse_untrainable_network(tiny(devices=("auto",)), 32)


@pytest.mark.parametrize(("threads", "told"), [(None, False), (2, False), (3, True)])
def test_more_threads_than_the_processor_has_cores_are_told(monkeypatch, caplog, threads, told):
    monkeypatch.setattr("gliocast.model.readiness.n_cores", lambda: 2)
    refuse_untrainable_network(tiny(threads=threads), 32)
    assert ("model.threads is 3, and 2 processor cores are at hand" in caplog.text) == told
