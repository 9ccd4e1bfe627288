"""Every choice of the network and its training, typed; the numbers themselves stand in `conf/base`."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from gliocast.types import Parameters

Pooling: TypeAlias = Literal["mean_logit", "mean_probability", "attention"]
Loss: TypeAlias = Literal["binary", "ordinal", "softmax"]
Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]


class Hyperparameters(Parameters):
    """What tuning may change (Moreau et al., section 2.3)."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # how they were found is stored beside them

    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    dropout: float = Field(ge=0, lt=1)


class AugmentationParameters(Parameters):
    """Small changes of the slices of a batch, made on the device; none in the paper's protocol."""

    flip: bool  # left-right: the hemispheres are near mirror images
    rotation_degrees: float = Field(ge=0, le=45)
    shift_fraction: float = Field(ge=0, le=0.5)
    intensity_fraction: float = Field(ge=0, lt=1)

    @property
    def moves(self) -> bool:
        """Whether slices are flipped, turned or shifted."""
        return self.flip or self.rotation_degrees > 0 or self.shift_fraction > 0


class SchedulerParameters(Parameters):
    """How the learning rate falls: each time the stopping patients' loss no longer does, or along a cosine to zero."""

    kind: Literal["plateau", "cosine"] = "plateau"  # a cosine reaches zero at `epochs`, and needs that many to pay
    factor: float = Field(gt=0, lt=1)
    patience: NonNegativeInt


class ModelParameters(Parameters):
    """The network and its training; section `model` of the parameters."""

    backbone: str  # any timm model by name
    weights: str  # imagenet, none, or the path of a safetensors file
    weights_folder: str  # where `imagenet` weights were fetched to
    weights_sha256: str | None = Field(pattern="^[0-9a-f]{8,64}$")  # the digest or its beginning
    classes: int = Field(ge=2, le=4)
    survival_cut_points_days: tuple[PositiveInt, ...]  # ascending; read where there are more than two classes
    first_long_term_class: PositiveInt  # from this class on, a patient is a long-term survivor
    loss: Loss
    pooling: Pooling
    batch_size: int = Field(ge=2)  # batch statistics of a single slice do not exist
    epochs: PositiveInt
    patience: PositiveInt
    stop_by: Literal["loss", "auc", "nothing"]  # what an epoch is judged by; nothing: the last is best
    scheduler: SchedulerParameters
    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    dropout: float = Field(ge=0, lt=1)
    augmentation: AugmentationParameters
    precision: Precision
    channels_last: bool
    compile: bool
    threads: PositiveInt | None
    devices: tuple[str, ...] = Field(min_length=1)
    checkpoint_seconds: NonNegativeFloat
    paper_protocol: bool
    explained_patients: NonNegativeInt
    tensorboard_folder: str | None = Field(default=None, min_length=1)  # where learning curves are written as they grow

    @model_validator(mode="after")
    def _classes_and_loss_agree(self) -> ModelParameters:
        if (self.classes == 2) != (self.loss == "binary"):
            raise ValueError("loss must be `binary` with two classes, and `ordinal` or `softmax` with more")
        cut_points = self.survival_cut_points_days
        if self.classes > 2 and len(cut_points) != self.classes - 1:
            raise ValueError(f"{self.classes} classes need {self.classes - 1} survival_cut_points_days")
        if list(cut_points) != sorted(set(cut_points)):
            raise ValueError("survival_cut_points_days must ascend")
        if self.first_long_term_class >= self.classes:
            raise ValueError(f"first_long_term_class must be below {self.classes}, the number of classes")
        return self

    @property
    def hyperparameters(self) -> Hyperparameters:
        """The configured hyperparameters, used where nothing was tuned."""
        return Hyperparameters(learning_rate=self.learning_rate, weight_decay=self.weight_decay, dropout=self.dropout)

    @property
    def outputs(self) -> int:
        """Logits of the network: one for two classes, one a cut point (ordinal), or one a class (softmax)."""
        return {"binary": 1, "ordinal": self.classes - 1, "softmax": self.classes}[self.loss]
