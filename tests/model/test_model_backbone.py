"""The network: one channel, one logit, a dropout that acts; weights that are never a silent random start."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from model_fakes import tiny
from safetensors.torch import save_file

from gliocast.errors import ConfigurationError, TrainingError
from gliocast.model import weights
from gliocast.model.backbone import build_network, import_timm
from gliocast.model.weights import fetch_weights, pretrained_weights


def network(dropout=0.0, pretrained=None, seed=0, **changes):
    torch.manual_seed(seed)
    return build_network(tiny(**changes), dropout, pretrained)


def slices(count=4, side=32):
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(1))


def test_the_papers_network_has_one_channel_one_logit_and_its_size():
    papers = network(backbone="resnet51q")
    assert sum(parameter.numel() for parameter in papers.parameters()) == 33_649_681
    assert papers.num_features == 2048
    assert papers.head.fc.weight.shape == (1, 2048)
    assert papers.stem.conv1.weight.shape[1] == 1


@pytest.mark.parametrize("backbone", ["test_byobnet", "test_resnet", "test_efficientnet", "test_convnext"])
def test_any_backbone_by_name_gives_one_logit_a_slice(backbone):
    assert network(backbone=backbone).eval()(slices()).shape == (4, 1)


def test_dropout_acts_in_training_and_rests_in_scoring():
    dropped = network(dropout=0.5)
    dropped.train()
    for module in dropped.modules():  # batch statistics would hide what dropout does
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    assert not torch.equal(dropped(slices()), dropped(slices()))
    dropped.eval()
    assert torch.equal(dropped(slices()), dropped(slices()))


def test_without_dropout_training_repeats_itself():
    kept = network(dropout=0.0)
    for module in kept.train().modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    assert torch.equal(kept(slices()), kept(slices()))


def test_an_unknown_backbone_is_refused_with_its_nearest():
    with pytest.raises(ConfigurationError, match=r"model\.backbone is resnet51; expected a timm .*resnet51q"):
        network(backbone="resnet51")


def three_channel_state(side=32):
    torch.manual_seed(7)
    coloured = import_timm().create_model("test_byobnet", in_chans=3, num_classes=1000)
    return coloured.eval(), coloured.state_dict()


def test_timm_turns_three_channels_into_one_that_answers_a_grey_image_alike():
    coloured, state = three_channel_state()
    grey = network(pretrained=state).eval()
    images = slices()
    expected = coloured.forward_features(images.expand(-1, 3, -1, -1))
    assert torch.allclose(grey.forward_features(images), expected, atol=1e-5)


def test_pretrained_weights_replace_the_random_start_but_for_the_new_classifier():
    _, state = three_channel_state()
    one, other = (network(pretrained=state, seed=seed).state_dict() for seed in (1, 2))
    differing = {name for name in one if not torch.equal(one[name], other[name])}
    assert differing == {"head.fc.weight"}


def test_weights_none_is_a_random_start():
    assert pretrained_weights(tiny(weights="none")) is None


def stored_weights(folder, name="test_byobnet.safetensors"):
    path = folder / name
    save_file({key: tensor.contiguous() for key, tensor in three_channel_state()[1].items()}, path)
    return path


def test_weights_of_a_local_file_are_read(tmp_path):
    loaded = pretrained_weights(tiny(weights=str(stored_weights(tmp_path))))
    assert loaded.keys() == three_channel_state()[1].keys()


def test_an_absent_file_is_an_error_and_no_random_start(tmp_path):
    with pytest.raises(TrainingError, match=r"absent; expected a file on this machine"):
        pretrained_weights(tiny(weights=str(tmp_path / "none.safetensors")))


def test_imagenet_weights_never_fetched_are_an_error_that_says_how_to_get_them(tmp_path):
    with pytest.raises(TrainingError, match="kedro fetch-weights --backbone test_byobnet"):
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

    def __init__(self, folder, digest=None):
        path = folder / "release.pth"
        torch.save(three_channel_state()[1], path)
        digest = digest or weights._sha256(path)[:8]
        published = path.rename(folder / f"test_byobnet-{digest}.pth")
        self.url = published.as_uri()


def published(monkeypatch, release):
    timm = import_timm()
    monkeypatch.setattr(timm, "get_pretrained_cfg", lambda backbone: release)


def test_fetched_weights_are_pinned_and_used_without_a_network(tmp_path, monkeypatch):
    published(monkeypatch, Release(tmp_path))
    folder = tmp_path / "pretrained"
    path = fetch_weights("test_byobnet", folder)
    assert json.loads((folder / "test_byobnet.json").read_text())["sha256"] == weights._sha256(path)
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
    with pytest.raises(TrainingError, match="not fetched"):
        fetch_weights("test_byobnet", tmp_path / "pretrained")
    assert not (tmp_path / "pretrained" / "test_byobnet.safetensors").exists()


def test_an_unreachable_source_says_what_to_do(tmp_path, monkeypatch):
    release = Release(tmp_path)
    release.url = (tmp_path / "nowhere-deadbeef.pth").as_uri()
    published(monkeypatch, release)
    with pytest.raises(TrainingError, match="copy the folder, or set"):
        fetch_weights("test_byobnet", tmp_path)


def test_attention_weighs_the_slices_of_each_patient_to_one():
    attentive = network(pooling="attention").eval()
    stacks = torch.rand(2, 3, 32, 32)
    assert attentive(stacks).shape == (2, 1)
    assert attentive.slice_logits(stacks).shape == (2, 3, 1)
    weights_of_slices = attentive.attention(attentive.slice_features(stacks))
    assert torch.allclose(weights_of_slices.sum(dim=1), torch.ones(2, 1))


def test_attention_over_equal_slices_is_the_slice_itself():
    attentive = network(pooling="attention").eval()
    stacks = torch.rand(2, 1, 32, 32).expand(-1, 3, -1, -1)
    assert torch.allclose(attentive(stacks), attentive.slice_logits(stacks)[:, 0], atol=1e-5)


def test_the_shim_is_made_only_after_the_failure():
    timm = import_timm()
    assert import_timm() is timm
    assert np.isfinite(timm.create_model("test_byobnet")(torch.zeros(2, 3, 32, 32)).detach().numpy()).all()
