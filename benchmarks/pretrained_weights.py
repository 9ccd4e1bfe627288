"""Weights that another library published, under timm's names: for a backbone whose own weights are out of reach.

`python -m benchmarks.pretrained_weights efficientnet-lite0-57934424.pth tf_efficientnet_lite0 lite0.safetensors`
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from gliocast.model.backbone import import_timm


def main() -> None:
    """Read the published file and write what timm, and so gliocast, can start from."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("published", type=Path, help="a state dictionary whose tensors stand in timm's order")
    asked.add_argument("backbone", help="timm's name of the same network")
    asked.add_argument("converted", type=Path, help="the safetensors file to write")
    options = asked.parse_args()
    published = torch.load(options.published, map_location="cpu", weights_only=True)
    save_file(renamed(published, options.backbone), options.converted)


def renamed(published: Mapping[str, torch.Tensor], backbone: str) -> dict[str, torch.Tensor]:
    """The published tensors under the names of timm's, one after the other.

    Raises:
        ValueError: the networks differ in the number of tensors, or in the shape of one.
    """
    expected = import_timm().create_model(backbone).state_dict()
    pairs = list(zip(expected.items(), published.items(), strict=True))
    for (name, tensor), (other, found) in pairs:
        if tensor.shape != found.shape:
            raise ValueError(f"{other} has shape {tuple(found.shape)}; {name} of {backbone} has {tuple(tensor.shape)}")
    return {name: found.contiguous() for (name, _), (_, found) in pairs}


if __name__ == "__main__":
    main()
