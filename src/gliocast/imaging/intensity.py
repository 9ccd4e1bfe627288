"""Grey values of a comparable size. Never divides by zero, and says what it did."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float32

from gliocast.imaging.checks import voxel_findings
from gliocast.imaging.findings import Finding, Refused, refuse_if_any
from gliocast.imaging.parameters import IntensityParameters

MAX_FLOAT16 = 65504.0
SAMPLED = 5  # a percentile of every fifth voxel is close enough to tell head from air


def normalise(
    stack: Float32[np.ndarray, "slices height width"], parameters: IntensityParameters
) -> tuple[Float32[np.ndarray, "slices height width"], dict[str, float]]:
    """Normalise the grey values of one patient's slices, by statistics of these slices alone.

    Returns:
        The normalised slices, and the statistics that were used.

    Raises:
        Refused: values are not finite, all the same, or nowhere above zero.
    """
    refuse_if_any(voxel_findings(stack, "the slices"))
    corrected = bias_corrected(stack) if parameters.bias_correction else stack
    statistics = grey_statistics(corrected)
    offset, scale = _offset_and_scale(corrected, statistics, parameters)
    if not scale > 0:
        raise Refused(Finding("no_signal", "the slices", f"scale {scale:g}", "grey values above zero"))
    normalised = np.clip((corrected - offset) / scale, -MAX_FLOAT16, MAX_FLOAT16).astype(np.float32)
    return normalised, {**statistics, "intensity_offset": offset, "intensity_scale": scale}


def _offset_and_scale(
    stack: Float32[np.ndarray, "slices height width"], statistics: dict[str, float], parameters: IntensityParameters
) -> tuple[float, float]:
    if parameters.method == "maximum":
        return 0.0, statistics["intensity_maximum"]
    if parameters.method == "z_score":
        return statistics["head_mean"], statistics["head_sd"]
    low, high = np.percentile(stack[head_mask(stack)], [parameters.low_percentile, parameters.high_percentile])
    return float(low), float(high - low)


def grey_statistics(stack: Float32[np.ndarray, "slices height width"]) -> dict[str, float]:
    """Minimum and maximum of the slices; mean and standard deviation within the head."""
    head = stack[head_mask(stack)]
    return {
        "intensity_minimum": float(stack.min()),
        "intensity_maximum": float(stack.max()),
        "head_mean": float(head.mean(dtype=np.float64)),
        "head_sd": float(head.std(dtype=np.float64)),
    }


def head_mask(stack: Float32[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
    """Voxels brighter than a tenth of the bright tissue (98th percentile of what is not zero): head, not air."""
    signal = stack[stack > 0][::SAMPLED]
    if not signal.size:
        return np.ones(stack.shape, dtype=bool)
    return stack > 0.1 * np.percentile(signal, 98)


def bias_corrected(stack: Float32[np.ndarray, "slices height width"]) -> Float32[np.ndarray, "slices height width"]:
    """Remove slow shading by N4 (Tustison et al., doi:10.1109/TMI.2010.2046908), fitted on slices shrunk fourfold."""
    import SimpleITK

    shifted = stack - min(0.0, float(stack.min()))
    image = SimpleITK.GetImageFromArray(shifted)
    head = SimpleITK.GetImageFromArray(head_mask(shifted).astype(np.uint8))
    factors = [4 if size >= 128 else 2 if size >= 64 else 1 for size in image.GetSize()[:2]] + [1]
    corrector = SimpleITK.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([50, 50])
    try:
        corrector.Execute(SimpleITK.Shrink(image, factors), SimpleITK.Shrink(head, factors))
        field = SimpleITK.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image))
    except RuntimeError:
        raise Refused(Finding("no_bias_field", "the slices", "N4 failed", "slices with a head on them")) from None
    return (shifted / np.exp(field)).astype(np.float32)
