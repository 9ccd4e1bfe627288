"""The typed parameters of the hybrid models."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, NonNegativeInt, PositiveFloat, field_validator, model_validator

from gliocast.types import PREDICTORS, Choice, Parameters, compiles

PredictionTime: TypeAlias = Literal["pre_operative", "post_operative", "pre_radiotherapy"]
PREDICTION_TIMES: tuple[PredictionTime, ...] = ("pre_operative", "post_operative", "pre_radiotherapy")
ClassifierName: TypeAlias = Literal[
    "decision_tree", "logistic_regression", "gaussian_nb", "svc", "lda", "xgboost", "k_neighbours", "random_forest"
]
Scoring: TypeAlias = Literal["accuracy", "balanced_accuracy", "roc_auc"]
SettingValue: TypeAlias = bool | int | float | str | None
Settings: TypeAlias = dict[str, SettingValue]
Values: TypeAlias = Annotated[tuple[SettingValue, ...], Field(min_length=1)]
Grid: TypeAlias = dict[str, dict[str, Values]]  # variant: {setting: values}


class PredictorFacts(Parameters):
    """What a predictor is, and when it is known.

    Attributes:
        kind: `number` is used as it is; `ordinal` as its place among `values`, ascending; `category` one column a
            value.
        known_when: the earliest moment at which the predictor is known.
        values: the whole vocabulary of an ordinal or a category; any other value is an error.
    """

    kind: Literal["number", "ordinal", "category"]
    known_when: PredictionTime
    values: tuple[str | int, ...]

    @model_validator(mode="after")
    def vocabulary_fits_the_kind(self) -> PredictorFacts:
        """A number has no vocabulary; anything else has at least two values, each once."""
        if self.kind == "number" and self.values:
            raise ValueError("a number has no values to list")
        if self.kind != "number" and (len(self.values) < 2 or len(set(self.values)) != len(self.values)):
            raise ValueError("an ordinal or a category lists at least two different values")
        return self


class ThresholdParameters(Parameters):
    """How the probability from which on a patient is called a long-term survivor is found.

    Attributes:
        rule: `youden` maximises sensitivity + specificity; `required_specificity` is the lowest threshold that keeps
            the specificity; `fixed` is a number. Only training patients' out-of-fold probabilities are looked at.
    """

    rule: Literal["youden", "required_specificity", "fixed"]
    required_specificity: float = Field(gt=0, lt=1)
    fixed: float = Field(gt=0, lt=1)


class FeatureParameters(Parameters):
    """The table of precomputed image features (`image_score: features`)."""

    id_column: str
    id_pattern: str
    ignore_columns: tuple[str, ...]
    c_grid: tuple[PositiveFloat, ...] = Field(min_length=1)
    inner_folds: int = Field(ge=2, le=20)

    @field_validator("id_pattern")
    @classmethod
    def pattern_has_one_group(cls, pattern: str) -> str:
        """The pattern compiles and captures the patient's identifier."""
        if re.compile(compiles(pattern)).groups != 1:
            raise ValueError("one group in round brackets captures the patient_id")
        return pattern


class PaperProtocolParameters(Parameters):
    """The paper's second split of all patients (section 3.3)."""

    test_fraction: float = Field(gt=0, lt=1)


class RobustnessParameters(Parameters):
    """What is asked beyond the result, inside the training patients.

    Attributes:
        outer_folds: of the nested selections behind ablation, learning curve and spread.
        repeats: how often all that is drawn in them is drawn anew; 0 asks nothing.
        shares: of each fold's patients, for the learning curve, whose last point has them all.
        explained_patients: how many training patients the SHAP values are averaged over; 0 computes none.
    """

    outer_folds: int = Field(ge=2, le=20)
    repeats: int = Field(ge=0, le=1000)
    shares: tuple[Annotated[float, Field(gt=0, lt=1)], ...]
    explained_patients: int = Field(ge=0)


class HybridParameters(Parameters):
    """Section `hybrid` of the parameters."""

    predictors: tuple[str, ...] = Field(min_length=1)
    prediction_time: PredictionTime
    pre_operative_models: bool
    predictor_facts: dict[str, PredictorFacts]
    image_scale: Literal["probability", "logit"]
    classifiers: tuple[ClassifierName, ...] = Field(min_length=1)
    inner_folds: int = Field(ge=2, le=20)
    scoring: Scoring
    choice: Choice
    workers: NonNegativeInt
    threshold: ThresholdParameters
    grids: dict[ClassifierName, Grid]
    features: FeatureParameters
    paper_protocol: PaperProtocolParameters
    robustness: RobustnessParameters

    @field_validator("predictors", "classifiers", mode="before")
    @classmethod
    def words_are_a_list(cls, names: object) -> object:
        """`--params` splits at commas, so there a list is written with blanks: "age_years sex"."""
        return tuple(names.split()) if isinstance(names, str) else names

    @field_validator("predictors", "classifiers")
    @classmethod
    def each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """No name stands twice."""
        if len(set(names)) != len(names):
            raise ValueError("a name stands twice")
        return names

    @field_validator("predictors")
    @classmethod
    def each_is_in_the_cohort(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """The cohort has no other columns: told here, and not once the network has been trained."""
        strangers = [name for name in names if name not in PREDICTORS]
        if strangers:
            raise ValueError(f"columns of the cohort, {', '.join(PREDICTORS)}; not {', '.join(strangers)}")
        return names

    @model_validator(mode="after")
    def every_predictor_is_known_in_time(self) -> HybridParameters:
        """A model refuses predictors that become known only after its prediction time."""
        unknown = [name for name in self.predictors if name not in self.predictor_facts]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: describe it in hybrid.predictor_facts")
        late = [name for name in self.predictors if not self.known_in_time(name, self.prediction_time)]
        if late:
            raise ValueError(
                f"a {self.prediction_time} model cannot use {', '.join(late)}, known only later; "
                "remove it from hybrid.predictors or set a later hybrid.prediction_time"
            )
        return self

    @model_validator(mode="after")
    def every_classifier_has_a_grid(self) -> HybridParameters:
        """A classifier without a grid would be left out silently."""
        missing = [name for name in self.classifiers if not self.grids.get(name)]
        if missing:
            raise ValueError(f"hybrid.grids has no grid for {', '.join(missing)}")
        return self

    @property
    def pre_operative_predictors(self) -> tuple[str, ...]:
        """The predictors that are known before the operation."""
        return tuple(name for name in self.predictors if self.known_in_time(name, "pre_operative"))

    def known_in_time(self, predictor: str, moment: PredictionTime) -> bool:
        """Whether `predictor` is known at `moment`."""
        known = self.predictor_facts[predictor].known_when
        return PREDICTION_TIMES.index(known) <= PREDICTION_TIMES.index(moment)
