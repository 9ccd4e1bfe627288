"""The network: any timm backbone with one input channel, and what pools nine slices into a patient."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from functools import cache, partial
from types import ModuleType
from typing import Any

from gliocast.errors import ConfigurationError, Problem
from gliocast.model.parameters import ModelParameters
from gliocast.model.tensors import Device, Module, Tensor


def import_timm() -> ModuleType:
    """Import timm, also beside a CPU build of torch.

    timm imports torchvision, and torchvision fails where torch lacks its compiled operators. timm needs none of them:
    declaring the two missing operators lets the import pass. It is done after the failure only.
    """
    try:
        import timm
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _declare_missing_operators()
        import timm
    return timm


NARROW_GROUP = 16  # channels
WIDE = 4  # times the spread that torch gives a linear layer

_declared: list[Any] = []  # a torch library forgets its operators once it is collected


def _declare_missing_operators() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)


def build_network(params: ModelParameters, dropout: float, pretrained: Mapping[str, Tensor] | None = None) -> Module:
    """The network of a fold: `params.backbone` with one input channel and `params.outputs` logits.

    Args:
        params: the model's parameters.
        dropout: rate of the dropout before the classifier, which timm applies as `drop_rate`; with attention, ours.
        pretrained: a state of the backbone to start from, converted by timm to one channel and a new classifier;
            None starts from random weights, drawn from torch's current seed.

    Returns:
        A module that takes `[batch, 1, height, width]` (slices) or, with attention, `[batch, slices, height, width]`.

    Raises:
        ConfigurationError: timm knows no such backbone, it ends in no classifier, the state is another network's, or
            attention is asked of a backbone that ends in more than one linear layer.
    """
    timm = timm_with(params.backbone)
    of_timm = 0.0 if params.pooling == "attention" else dropout
    make = partial(_classifying, timm, params.backbone, in_chans=1, num_classes=params.outputs, drop_rate=of_timm)
    backbone = make() if pretrained is None else _started_from(pretrained, make, params)
    _start_undecided(backbone)
    if params.pooling != "attention":
        return backbone
    from gliocast.model.attention import AttentionNetwork, ends_linearly

    if not ends_linearly(backbone):
        raise ConfigurationError(_not_for_attention(params.backbone))
    return AttentionNetwork(backbone, dropout)


@cache
def in_narrow_groups(backbone: str) -> bool:
    """Whether most spatial convolutions of a network see fewer than 16 channels each, as depthwise ones see one.

    Raises:
        ConfigurationError: timm knows no such backbone.
    """
    import torch

    timm = timm_with(backbone)
    with torch.device("meta"):  # its structure alone, without weights
        layers = list(timm.create_model(backbone).modules())
    spatial = [layer for layer in layers if isinstance(layer, torch.nn.Conv2d) and max(layer.kernel_size) > 1]
    narrow = [layer for layer in spatial if layer.groups > 1 and layer.in_channels // layer.groups < NARROW_GROUP]
    return len(narrow) > len(spatial) / 2


def timm_with(backbone: str) -> ModuleType:
    """Timm, which knows this backbone.

    Raises:
        ConfigurationError: it does not.
    """
    timm = import_timm()
    if not timm.is_model(backbone):
        raise ConfigurationError(_unknown_backbone(backbone, timm.list_models()))
    return timm


def _classifying(timm: ModuleType, backbone: str, **options: Any) -> Any:
    """The backbone, which ends in a classifier: a few of timm's are encoders, and give features alone."""
    try:
        made = timm.create_model(backbone, **options)
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        made = None  # it has no classifier for a dropout to stand before
    if not hasattr(made, "get_classifier"):
        raise ConfigurationError(_without_classifier(backbone))
    return made


def _started_from(pretrained: Mapping[str, Tensor], make: Callable[..., Any], params: ModelParameters) -> Any:
    """The backbone with every weight but the classifier's taken from `pretrained`.

    timm is lenient where the classifier is new: a weight that the state does not hold, or holds under another name,
    would stay at random without a word. The same draws once more show which ones have. Biases and the statistics of
    batches start at nought and one, and no draw tells; a state that names all else by timm's names lacks them.
    """
    import torch

    _refuse_no_numbers(pretrained, params)
    with torch.random.fork_rng([]):
        drawn = make()
    try:
        backbone = make(pretrained=True, pretrained_cfg_overlay={"state_dict": dict(pretrained)})
    except (RuntimeError, KeyError, AttributeError) as error:  # as timm says that shapes or layers are others
        raise ConfigurationError(_other_network(params, "of other shapes, or other layers")) from error
    new = {id(weight) for layer in classifiers(backbone) for weight in layer.parameters()}
    unnamed = {
        name: weight
        for name, weight in backbone.state_dict(keep_vars=True).items()
        if weight.is_floating_point() and name not in pretrained and id(weight) not in new
    }
    as_drawn = drawn.state_dict()
    drawn_ones = [name for name, weight in unnamed.items() if weight.ndim > 1]
    lacking = [name for name in drawn_ones if torch.equal(unnamed[name], as_drawn[name])] if drawn_ones else [*unnamed]
    if lacking:
        raise ConfigurationError(_other_network(params, f"without {lacking[0]} and {len(lacking) - 1} more"))
    return backbone


def _refuse_no_numbers(pretrained: Mapping[str, Tensor], params: ModelParameters) -> None:
    """Refuse a state without any weight, for which timm would go and fetch one, and weights that are no numbers.

    A quantised file holds its weights in eight bits, and their scale elsewhere. What is counted (batches, positions) is
    an int64 in timm's networks.
    """
    import torch

    if not pretrained:
        raise ConfigurationError(_other_network(params, "without any weight"))
    whole = {torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64}
    quantised = [name for name, weight in pretrained.items() if weight.dtype not in whole]
    if quantised:
        kind = str(pretrained[quantised[0]].dtype).removeprefix("torch.")
        found = f"quantised, with {kind} in {quantised[0]} and {len(quantised) - 1} more"
        raise ConfigurationError(_other_network(params, found))
    unknown = [name for name, weight in pretrained.items() if not weight.isfinite().all()]
    if unknown:
        found = f"with values that are no finite numbers in {unknown[0]} and {len(unknown) - 1} more"
        raise ConfigurationError(_other_network(params, found))


def classifiers(backbone: Any) -> list[Module]:
    """What turns features into logits: one module, or two where a network was distilled."""
    found = backbone.get_classifier()
    return list(found) if isinstance(found, tuple) else [found]


def _start_undecided(backbone: Any) -> None:
    """Draw a classifier anew, as torch draws a linear layer, where timm has drawn it far wider.

    The families of EfficientNet and a few others draw it by the number of outputs, which is made for a thousand: with
    one output the first logits are of the order of ten, and a short training is spent on unlearning them.
    """
    layers: list[Any] = [part for whole in classifiers(backbone) for part in whole.modules()]
    for layer in layers:
        weight = getattr(layer, "weight", None)
        if not hasattr(layer, "reset_parameters") or weight is None or weight.ndim < 2 or weight.is_meta:
            continue
        if weight.std() > WIDE / (3 * weight[0].numel()) ** 0.5:
            layer.reset_parameters()


def placed(network: Module, params: ModelParameters, device: Device) -> Module:
    """The network on its device, its convolutions in the memory format that they run fastest in."""
    import torch

    layout: Any = torch.channels_last if params.channels_last else torch.contiguous_format
    moved: Any = network.to(device)
    return moved.to(memory_format=layout)


def _other_network(params: ModelParameters, found: str) -> Problem:
    expected = f"the weights of {params.backbone}, by timm's names"
    remedy = "Name the backbone that the file belongs to in model.backbone, or another file in model.weights."
    return Problem("–", "the file of model.weights", found, expected, remedy)


def _not_for_attention(backbone: str) -> Problem:
    expected = "a network that ends in one linear layer, such as resnet51q, for pooling by attention"
    return Problem("–", "model.backbone", backbone, expected, "Choose another backbone, or another model.pooling.")


def _without_classifier(backbone: str) -> Problem:
    expected = "a network that ends in a classifier, such as resnet51q; this one gives features alone"
    return Problem("–", "model.backbone", backbone, expected, "Choose another backbone.")


def _unknown_backbone(name: str, known: list[str]) -> Problem:
    near = difflib.get_close_matches(name, known, n=3)
    return Problem(
        "–",
        "model.backbone",
        name,
        f"a timm model, such as {', '.join(near or ['resnet51q', 'resnet10t'])}",
        "Correct the name; `timm.list_models()` shows all.",
    )
