"""The words and shapes that all rooms share. Imports nothing of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Literal, Protocol, TypeAlias, Union, get_args, get_origin, runtime_checkable

import pandas as pd
from pydantic import BaseModel, ConfigDict, field_validator

Sex: TypeAlias = Literal["F", "M"]
Surgery: TypeAlias = Literal["biopsy", "incomplete", "complete"]
Outcome: TypeAlias = Literal["short_term", "long_term"]
SEXES: tuple[Sex, ...] = ("F", "M")
SURGERIES: tuple[Surgery, ...] = ("biopsy", "incomplete", "complete")  # ascending extent of resection
WHO_STATUSES: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
SHORT_TERM: Outcome = "short_term"
LONG_TERM: Outcome = "long_term"  # the positive class, everywhere

CLINICAL_PREDICTORS: tuple[str, ...] = ("age_years", "sex", "who_status", "surgery")
REQUIRED_COLUMNS: tuple[str, ...] = ("patient_id", *CLINICAL_PREDICTORS, "survival_days")
OPTIONAL_COLUMNS: tuple[str, ...] = (
    "event_observed",
    "centre",
    "scanner_field_t",
    "idh",
    "mgmt",
    "karnofsky",
    "central_slice_mm",
)

# What a model may read of the cohort: known before anybody knows the outcome.
PREDICTORS: tuple[str, ...] = (*CLINICAL_PREDICTORS, *(name for name in OPTIONAL_COLUMNS if name != "event_observed"))

SAFE_IDENTIFIER = r"[A-Za-z0-9_-]{1,64}"  # of a patient: it becomes a file's name; another one may be a person's name

Choice: TypeAlias = Literal["best", "one_standard_error"]  # among classifiers
ImageScoreKind: TypeAlias = Literal["cnn", "features", "none"]
ProtocolName: TypeAlias = Literal["honest", "paper"]
Role: TypeAlias = Literal["out_of_fold", "test", "in_sample"]


class Parameters(BaseModel):
    """A typed section of the parameters: frozen, finite, and closed to keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def truth_is_no_number(cls, value: object, info: Any) -> object:
        """`true` is not 1, as pydantic takes it."""
        if isinstance(value, bool):
            kinds = alternatives(cls.model_fields[str(info.field_name)].annotation)
            if kinds & {int, float} and bool not in kinds:
                raise ValueError("a number, not true or false")
        return value


def alternatives(hint: Any) -> set[Any]:
    """What a value may be, where a type is a union; without what else a number is held to."""
    if get_origin(hint) is Annotated:
        return alternatives(get_args(hint)[0])
    return {hint}.union(*map(alternatives, get_args(hint))) if get_origin(hint) in (Union, UnionType) else {hint}


IN_FULL = {"in_full": True}  # pydantic's context for a dump of parameters with all in them that names patients


def compiles(pattern: str) -> str:
    """The pattern, if it is a regular expression."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"a regular expression; this one fails with: {error}") from None
    return pattern


@runtime_checkable
class Pieces(Protocol):
    """Where finished pieces of long work are kept; `key` names all that a piece depends on but its number."""

    def load(self, key: str, number: int) -> pd.DataFrame | None:
        """The finished piece, or None."""

    def save(self, key: str, number: int, piece: pd.DataFrame) -> None:
        """Keep a finished piece."""


@dataclass(frozen=True)
class Fold:
    """One training of one model: patients fitted on, patients that stop it early, patients held out and scored."""

    fit: tuple[str, ...]
    stop: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def seen(self) -> tuple[str, ...]:
        """Everyone the model of this fold has learnt from: fitted on, or used to choose its epoch."""
        return (*self.fit, *self.stop)


@dataclass(frozen=True)
class Split:
    """Training and test patients of one evaluation, with the folds inside the training patients."""

    name: str
    test: tuple[str, ...]
    folds: tuple[Fold, ...]
    stratum: str | None = None  # the centre left out, the repeat, …

    @property
    def named_folds(self) -> dict[str, Fold]:
        """The folds by the names of their trainings."""
        return {f"{self.name}/fold{place}": fold for place, fold in enumerate(self.folds)}

    @property
    def training(self) -> tuple[str, ...]:
        """All training patients, each held out by exactly one fold; sorted."""
        return tuple(sorted(patient for fold in self.folds for patient in fold.held_out))


@dataclass(frozen=True)
class Partition:
    """Who trains, who stops training, who is tested: made once, shared by every stage.

    Attributes:
        scheme: `holdout`, `nested_cv` or `leave_one_centre_out`.
        seed: the seed that it was drawn with.
        splits: one for `holdout`; several otherwise. Every patient is tested in at most one split of a repeat.
        paper: the paper's own 60/20/20 (section 2.3): fitted on, stopping, tested (`held_out`), for `protocol: paper`.
            Its test patients are those of the first split.
    """

    scheme: str
    seed: int
    splits: tuple[Split, ...]
    paper: Fold

    @property
    def patients(self) -> tuple[str, ...]:
        """Every patient that stands in any split; sorted."""
        return tuple(sorted({patient for split in self.splits for patient in (*split.training, *split.test)}))

    @property
    def tested(self) -> frozenset[str]:
        """Every patient that is tested in any split."""
        return frozenset(patient for split in self.splits for patient in split.test)


@dataclass(frozen=True)
class Scores:
    """Scores of patients, and who each scoring model had seen.

    Attributes:
        table: one row a score, with the columns of `SCORE_COLUMNS`. `slice` is -1 in a patient-level score.
            `split` is the split's name; `model` names the fitted object, and is a key of `fitted_on`
            (an ensemble is named like its split and is a key too).
        fitted_on: for each model the patients that any part of it was fitted on or selected with.
    """

    table: pd.DataFrame
    fitted_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def can_be_shown(identifier: object) -> bool:
    """Whether an identifier may stand in a message and name a file: surely no person's name with blanks."""
    return isinstance(identifier, str) and re.fullmatch(SAFE_IDENTIFIER, identifier) is not None


def shown_patient(identifier: object) -> str:
    """An identifier in a message, where no row tells who it is."""
    return str(identifier) if can_be_shown(identifier) else "(not shown)"


def row_names(identifiers: Iterable[Any], rows: Iterable[int]) -> list[str]:
    """Who each row is, for messages: the identifier, or a row by its number where it has none that can be shown.

    It is the first row of that identifier: several rows of one patient are not several patients.
    """
    firsts: dict[Any, int] = {}
    numbered = zip(identifiers, rows, strict=False)
    named = [(who, row if pd.isna(who) else firsts.setdefault(who, row)) for who, row in numbered]
    return [who if can_be_shown(who) else f"row {row}" for who, row in named]


def spelling_free(patient: str) -> str:
    """The identifier without what a spreadsheet or a typist changes: case, and zeros before a number."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", patient.casefold())


SCORE_COLUMNS: tuple[str, ...] = ("split", "patient_id", "slice", "role", "model", "logit", "probability")
PATIENT_LEVEL = -1

Table: TypeAlias = pd.DataFrame
Figure: TypeAlias = dict[str, Any]  # a Plotly figure as plain JSON: {"data": [...], "layout": {...}}
NO_FIGURE: Figure = {"data": [], "layout": {}}
