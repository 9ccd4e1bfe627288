"""Small changes of a batch of slices, made on the device that trains."""

from __future__ import annotations

from jaxtyping import Float

from gliocast.model.parameters import AugmentationParameters
from gliocast.model.tensors import Generator, Tensor


def augment(
    batch: Float[Tensor, "batch channels height width"], params: AugmentationParameters, generator: Generator
) -> Float[Tensor, "batch channels height width"]:
    """Flip, turn, shift and brighten each example by its own draw; the nine slices of one patient move together."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    if params.moves:
        grid = affine_grid(_movements(batch, params, generator), list(batch.shape), align_corners=False)
        batch = grid_sample(batch, grid, padding_mode="border", align_corners=False)
    if params.intensity_fraction > 0:
        drawn = torch.rand((len(batch), 1, 1, 1), generator=generator, device=batch.device)
        batch = batch * (1 + params.intensity_fraction * (2 * drawn - 1))
    return batch


def _movements(batch: Tensor, params: AugmentationParameters, generator: Generator) -> Tensor:
    """One 2×3 affine matrix an example, in the unit coordinates of `affine_grid`."""
    import torch

    drawn = 2 * torch.rand((4, len(batch)), generator=generator, device=batch.device) - 1
    angle = torch.deg2rad(params.rotation_degrees * drawn[0])
    shift = 2 * params.shift_fraction * drawn[1:3]  # the unit coordinates span two
    mirror = torch.where(drawn[3] < 0, -1.0, 1.0) if params.flip else torch.ones_like(angle)
    cosine, sine = angle.cos(), angle.sin()
    rows = torch.stack([mirror * cosine, -sine, shift[0], mirror * sine, cosine, shift[1]])
    return rows.T.reshape(-1, 2, 3)
