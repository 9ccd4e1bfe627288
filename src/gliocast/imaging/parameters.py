"""The parameters of everything between a study on disk and nine slices ready for the network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from gliocast.types import Parameters, compiles

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class IntensityParameters(Parameters):
    """How grey values become numbers of a comparable size.

    Attributes:
        method: `maximum` divides by the stack's maximum (as Moreau et al. did), `percentile` maps two percentiles of
            the head to 0 and 1, `z_score` subtracts the head's mean and divides by its standard deviation.
        low_percentile: mapped to 0 by `percentile`.
        high_percentile: mapped to 1 by `percentile`.
        bias_correction: remove the coil's slow shading first (N4, doi:10.1109/TMI.2010.2046908).
    """

    method: Literal["maximum", "percentile", "z_score"]
    low_percentile: Annotated[float, Field(ge=0, lt=100)]
    high_percentile: Annotated[float, Field(gt=0, le=100)]
    bias_correction: bool

    @model_validator(mode="after")
    def _percentiles_ascend(self) -> IntensityParameters:
        if self.low_percentile >= self.high_percentile:
            raise ValueError("intensity.low_percentile must lie below intensity.high_percentile")
        return self


class SeriesParameters(Parameters):
    """Which DICOM series is the contrast-enhanced T1, where a folder holds several.

    Attributes:
        modality: the only modality that is accepted.
        description: pattern (regular expression, case ignored) that the series description must contain; null: any.
        refuse_description: pattern that neither it nor the image type may contain.
        orientation: plane in which the series must have been acquired; `any`: in whichever.
        contrast: `require` a recorded contrast agent, `warn` where none is recorded, or `ignore` it.
        choose: among several eligible series `refuse` to guess, or take the one with `most_slices`.
    """

    modality: str
    description: str | None
    refuse_description: str | None
    orientation: Literal["any", "axial", "coronal", "sagittal"]
    contrast: Literal["require", "warn", "ignore"]
    choose: Literal["refuse", "most_slices"]

    @field_validator("description", "refuse_description")
    @classmethod
    def _compile(cls, pattern: str | None) -> str | None:
        return None if pattern is None else compiles(pattern)


class GeometryParameters(Parameters):
    """What counts as a regular, plausible volume.

    Attributes:
        regularity: largest share of the slice distance by which a slice may be off its place (highdicom's rule, 1 %).
        min_spacing_mm: smallest plausible distance of voxels, mm.
        max_spacing_mm: largest plausible distance of voxels, mm.
        max_voxels: larger volumes are refused from their header, before any memory is taken.
        affine: where a NIfTI file's two transforms differ, refuse unless they `agree`, or trust `sform` or `qform`.
        affine_tolerance_mm: the two agree when no voxel is further apart than this.
        lesion_mask_grid: `any` physical grid, or only the `same` as the volume's.
        max_lesion_ml: a larger lesion mask is refused, ml: it is inverted, or holds more than the lesion.
    """

    regularity: Annotated[float, Field(gt=0, le=0.1)]
    min_spacing_mm: Positive
    max_spacing_mm: Positive
    max_voxels: Annotated[int, Field(gt=0)]
    affine: Literal["agree", "sform", "qform"]
    affine_tolerance_mm: Positive
    lesion_mask_grid: Literal["any", "same"]
    max_lesion_ml: Positive

    @model_validator(mode="after")
    def _spacings_ascend(self) -> GeometryParameters:
        if self.min_spacing_mm > self.max_spacing_mm:
            raise ValueError("min_spacing_mm at most max_spacing_mm")
        return self


class LocaliserParameters(Parameters):
    """What to do about a patient without a lesion mask.

    Attributes:
        without_mask: `localise` the enhancing lesion in the volume, or `exclude` the patient.
        min_confidence: patients below are excluded; 0 keeps everyone.
        doubt_below: patients below are kept and listed as doubtful.
    """

    without_mask: Literal["localise", "exclude"]
    min_confidence: Share
    doubt_below: Share


class SliceParameters(Parameters):
    """The slice rule: which slices, how large, how bright.

    Attributes:
        count: number of slices a patient (nine in Moreau et al., section 2.2).
        distance_mm: distance of neighbouring slices, mm.
        axis: the slices' orientation in scanner coordinates.
        field_of_view_mm: side of the square that is kept of each slice, mm.
        size_px: side of that square, pixels.
        centre: the square's centre: the `volume`'s, or the `lesion`'s.
        antialias: average over each output pixel where the volume is finer than the output.
        workers: patients prepared at the same time; 0 uses every processor core.
    """

    count: Annotated[int, Field(ge=1, le=99)]
    distance_mm: Positive
    axis: Literal["axial", "coronal", "sagittal"]
    field_of_view_mm: Positive
    size_px: Annotated[int, Field(ge=8, le=1024)]
    centre: Literal["volume", "lesion"]
    antialias: bool
    workers: Annotated[int, Field(ge=0)]
    intensity: IntensityParameters
    series: SeriesParameters
    geometry: GeometryParameters
    localiser: LocaliserParameters

    @property
    def pixel_mm(self) -> float:
        """Side of one output pixel, mm."""
        return self.field_of_view_mm / self.size_px

    @property
    def extent_mm(self) -> float:
        """Distance of the first from the last slice, mm."""
        return self.distance_mm * (self.count - 1)
