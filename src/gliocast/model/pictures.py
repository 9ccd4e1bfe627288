"""Axial slices as small pictures for the report: grey, or grey with a map of what the network looked at."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from jaxtyping import Float

PICTURE_PX = 192
BRIGHTEST_PERCENTILE = 99.5  # a few bright vessels would otherwise darken the whole slice
WARM = np.array([230.0, 75.0, 20.0])  # colour of the places that speak for long-term survival


def slice_picture(
    slice_pixels: Float[np.ndarray, "height width"], saliency: Float[np.ndarray, "height width"] | None = None
) -> str:
    """One slice as a PNG in a data URI, anterior on top; `saliency`, 0 to 1, is laid over it in colour."""
    from PIL import Image

    grey = _grey(slice_pixels)
    colours = grey[..., None].repeat(3, axis=-1)
    if saliency is not None:
        opacity = 0.6 * np.clip(saliency, 0, 1)[..., None]
        colours = (1 - opacity) * colours + opacity * WARM
    picture = Image.fromarray(colours.round().astype(np.uint8))
    return _data_uri(picture.resize((PICTURE_PX, PICTURE_PX), Image.Resampling.BICUBIC))


def _grey(slice_pixels: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    pixels = slice_pixels.astype(np.float64)
    black = min(0.0, float(pixels.min()))  # below zero where grey values are centred
    reach = float(np.percentile(pixels, BRIGHTEST_PERCENTILE)) - black
    return 255 * np.clip((pixels - black) / reach, 0, 1) if reach > 0 else np.zeros_like(pixels)


def _data_uri(picture: object) -> str:
    stored = BytesIO()
    picture.save(stored, format="PNG", optimize=True)  # type: ignore[attr-defined]
    return "data:image/png;base64," + base64.b64encode(stored.getvalue()).decode("ascii")
