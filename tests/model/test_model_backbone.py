"""The network: one channel, one logit, a dropout that acts, and weights that are all taken over or refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from model_fakes import three_channel_state, tiny

from gliocast.errors import ConfigurationError
from gliocast.model.backbone import build_network, import_timm


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


@pytest.mark.parametrize("backbone", ["test_efficientnet", "mobilenetv3_small_050", "dla34", "rexnet_100"])
@pytest.mark.parametrize("outputs", [{}, {"classes": 3, "loss": "softmax", "survival_cut_points_days": (200, 500)}])
def test_a_classifier_that_timm_draws_for_a_thousand_classes_starts_undecided(backbone, outputs):
    weight = network(backbone=backbone, **outputs).get_classifier().weight
    assert 0 < weight.abs().max() <= weight[0].numel() ** -0.5  # as torch draws a linear layer


@pytest.mark.parametrize("backbone", ["test_byobnet", "resnet51q", "resnet10t", "test_convnext", "test_vit"])
def test_any_other_classifier_stays_as_timm_draws_it(backbone):
    started = network(backbone=backbone).state_dict()
    torch.manual_seed(0)
    plain = import_timm().create_model(backbone, in_chans=1, num_classes=1).state_dict()
    assert all(torch.equal(started[name], tensor) for name, tensor in plain.items())


def test_a_network_with_two_classifiers_takes_over_weights_too():
    torch.manual_seed(0)
    published = import_timm().create_model("levit_128s").state_dict()
    started = network(pretrained=published, backbone="levit_128s").state_dict()
    ours = {name for name in started if not torch.equal(started[name].expand_as(published[name]), published[name])}
    assert ours == {"stem.conv1.linear.weight", "head.linear.weight", "head_dist.linear.weight"}


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
    with pytest.raises(ConfigurationError, match=r"model\.backbone: resnet51; expected a timm .*resnet51q"):
        network(backbone="resnet51")


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


def test_weights_that_would_leave_the_network_at_random_are_refused():
    _, state = three_channel_state()
    with pytest.raises(ConfigurationError, match=r"expected the weights of test_resnet"):
        network(pretrained=state, backbone="test_resnet")
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    with pytest.raises(ConfigurationError, match=r"without stem\.conv\.weight and \d+ more"):
        network(pretrained=wrapped)
    without_one = {name: tensor for name, tensor in state.items() if name != "stem.conv.weight"}
    with pytest.raises(ConfigurationError, match=r"without stem\.conv\.weight and 0 more"):
        network(pretrained=without_one)


@pytest.mark.parametrize("absent", ["stem.bn.running_var", "stem.bn.bias"])
def test_weights_without_what_belongs_to_a_batch_normalisation_are_refused(absent):
    state = {name: tensor for name, tensor in three_channel_state()[1].items() if name != absent}
    with pytest.raises(ConfigurationError, match=rf"without {absent} and 0 more"):
        network(pretrained=state)


def test_weights_of_before_batches_were_counted_are_taken():
    state = {name: tensor for name, tensor in three_channel_state()[1].items() if "num_batches" not in name}
    assert network(pretrained=state)


def test_weights_of_other_shapes_are_refused():
    _, state = three_channel_state()
    wider = state | {"stem.conv.weight": torch.zeros(3, 3, 3, 3)}
    with pytest.raises(ConfigurationError, match="of other shapes"):
        network(pretrained=wider)


def test_weights_of_a_transformer_with_other_layers_are_refused():
    state = import_timm().create_model("test_coatnet").state_dict()
    with pytest.raises(ConfigurationError, match="or other layers; expected the weights of test_maxvit"):
        network(pretrained=state, backbone="test_maxvit")


def test_a_file_without_any_weight_is_refused_and_nothing_is_fetched_in_its_place(monkeypatch):
    from timm.models import _builder

    monkeypatch.setattr(_builder, "load_pretrained", lambda *_, **__: pytest.fail("timm went to fetch weights"))
    with pytest.raises(ConfigurationError, match="without any weight"):
        network(pretrained={})


@pytest.mark.parametrize("broken", ["stem.conv.weight", "stem.bn.running_var"])
def test_weights_that_are_no_numbers_are_refused(broken):
    _, state = three_channel_state()
    with pytest.raises(ConfigurationError, match=rf"no finite numbers in {broken} and 0 more"):
        network(pretrained=state | {broken: state[broken] * float("nan")})


@pytest.mark.parametrize("kind", [torch.int8, torch.float8_e4m3fn])
def test_quantised_weights_are_refused(kind):
    state = three_channel_state()[1]
    state["stem.conv.weight"] = (100 * state["stem.conv.weight"]).to(kind)
    with pytest.raises(
        ConfigurationError, match=r"quantised, with (int8|float8_e4m3fn) in stem.conv.weight and 0 more"
    ):
        build_network(tiny(), 0.0, state)


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_weights_of_another_precision_are_taken_over_as_float32(kind):
    state = {name: tensor.to(kind) for name, tensor in three_channel_state()[1].items() if tensor.is_floating_point()}
    weight = build_network(tiny(), 0.0, state).get_submodule("stages.1.0.conv2_kxk.conv").weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, state["stages.1.0.conv2_kxk.conv.weight"].float())


def test_attention_weighs_the_slices_of_each_patient_to_one():
    attentive = network(pooling="attention").eval()
    stacks = torch.rand(2, 3, 32, 32)
    assert attentive(stacks).shape == (2, 1)
    assert attentive.logits(stacks)[0].shape == (2, 3, 1)
    weights_of_slices = attentive.attention(attentive.slice_features(stacks))
    assert torch.allclose(weights_of_slices.sum(dim=1), torch.ones(2, 1))


def test_attention_over_equal_slices_is_the_slice_itself():
    attentive = network(pooling="attention").eval()
    stacks = torch.rand(2, 1, 32, 32).expand(-1, 3, -1, -1)
    assert torch.allclose(attentive(stacks), attentive.logits(stacks)[0][:, 0], atol=1e-5)


@pytest.mark.parametrize("backbone", ["test_byobnet", "lcnetv2_small", "efficientvit_m0"])
def test_dropout_acts_once_on_the_features_that_attention_weighs(backbone):
    """Some of timm's networks give features of before their dropout, others of after it."""
    attentive, stacks = network(dropout=0.5, pooling="attention", backbone=backbone), torch.rand(2, 3, 64, 64)
    whole = attentive.eval().slice_features(stacks)
    for module in attentive.train().modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    dropped = attentive.slice_features(stacks)
    factors = (dropped / whole)[whole != 0]
    assert {round(factor, 2) for factor in factors.tolist()} == {0, 2}


@pytest.mark.parametrize("backbone", ["dla34", "levit_128s", "repvit_m0_9", "volo_d1_224"])
def test_attention_is_refused_for_a_network_that_does_not_end_in_one_linear_layer(backbone):
    with pytest.raises(ConfigurationError, match=rf"model\.backbone: {backbone}; .* linear layer.* model\.pooling"):
        network(pooling="attention", backbone=backbone)


def test_the_shim_is_made_only_after_the_failure():
    timm = import_timm()
    assert import_timm() is timm
    assert np.isfinite(timm.create_model("test_byobnet")(torch.zeros(2, 3, 32, 32)).detach().numpy()).all()
