"""The typed parameters of the cohort and of the partition."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, PositiveInt, field_validator, model_serializer, model_validator

from gliocast.types import (
    IN_FULL,
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    SEXES,
    SURGERIES,
    WHO_STATUSES,
    Parameters,
    compiles,
)

CANONICAL_COLUMNS: tuple[str, ...] = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
INDISPENSABLE = ("patient_id", "survival_days")
NUMBERS: tuple[str, ...] = ("age_years", "survival_days", "karnofsky", "scanner_field_t", "central_slice_mm")
VOCABULARIES: dict[str, tuple[str, ...]] = {
    "sex": SEXES,
    "surgery": SURGERIES,
    "who_status": tuple(map(str, WHO_STATUSES)),
    "event_observed": ("0", "1"),
}
NOT_TOLD = "not told"
ANYTHING_ELSE = "*"  # in cohort.values: every value that the vocabulary does not name
InvalidPatientPolicy: TypeAlias = Literal["exclude", "stop"]


def as_text(value: object) -> object:
    """A YAML scalar as the text that a table would hold: 1 and true are `1`."""
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value


def composed(text: str) -> str:
    """The text with each accented letter as one character; `e` and an accent apart look the same."""
    return unicodedata.normalize("NFC", text)


def composed_throughout(given: object) -> object:
    """The same, of every text of a part of the configuration."""
    if isinstance(given, str):
        return composed(given)
    if isinstance(given, dict):
        return {composed_throughout(key): composed_throughout(value) for key, value in given.items()}
    return [composed_throughout(value) for value in given] if isinstance(given, list | tuple) else given


Text: TypeAlias = Annotated[str, BeforeValidator(as_text)]

Meanings: TypeAlias = dict[str, dict[Text, Text | None]]  # canonical column: {the table's own value: what it means}


class Range(Parameters):
    """The plausible values of a number, both ends included."""

    min: float
    max: float

    @model_validator(mode="after")
    def _is_ascending(self) -> Range:
        if self.min > self.max:
            raise ValueError("min at most max")
        return self


class KeepRule(Parameters):
    """Which rows of the clinical table belong to the study; a row that fails a rule is left out and counted.

    Attributes:
        column: the table's own name of the column that is looked at.
        one_of: keep the rows whose value is one of these.
        none_of: keep the rows whose value is none of these.
        matches: keep the rows in which this regular expression is found.
        lacks: keep the rows in which this regular expression is not found.
        code: one word for the rows left out, for instance `follow_up_scan`.
        reason: why they are left out, for the patient flow.
    """

    column: str
    one_of: tuple[Text, ...] | None = None
    none_of: tuple[Text, ...] | None = None
    matches: str | None = None
    lacks: str | None = None
    code: str = Field(pattern=r"^[a-z0-9_]+$")
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _has_one_condition(self) -> KeepRule:
        conditions = (self.one_of, self.none_of, self.matches, self.lacks)
        if sum(condition is not None for condition in conditions) != 1:
            raise ValueError("exactly one of one_of, none_of, matches and lacks")
        for pattern in (self.matches, self.lacks):
            compiles(pattern or "")
        return self

    def without_condition(self) -> KeepRule:
        """The same, with nothing said of what it looks for."""
        untold = {"one_of": (NOT_TOLD,), "none_of": (NOT_TOLD,), "matches": NOT_TOLD, "lacks": NOT_TOLD}
        return self.model_copy(update={name: text for name, text in untold.items() if getattr(self, name) is not None})


class IdentifierRule(Parameters):
    """How a patient's identifier is read from a cell.

    Attributes:
        pattern: the part of the cell that names the patient, for instance without the number of the scan; a regular
            expression that must match at the cell's start, its first group (or all of it) being the identifier.
        digits: pad the number at the identifier's end with zeros to this length, as the images' folders do; 0: never.
        scan_mark: the ending that marks a further scan of a patient; identifiers that differ in nothing else are one
            patient, whose scans on both sides of a partition would leak. A regular expression, or null for no check.
    """

    pattern: str
    digits: int = Field(ge=0, le=12)
    scan_mark: str | None

    @field_validator("pattern", "scan_mark")
    @classmethod
    def _compile(cls, pattern: str | None) -> str | None:
        return None if pattern is None else compiles(pattern)


class CohortParameters(Parameters):
    """How a site's clinical table becomes the cohort.

    Attributes:
        separator: between two cells.
        decimal: mark of decimal numbers.
        missing: texts that mean "not known"; an empty cell always does.
        columns: for each canonical column the table's own name, several of them (the first that has a value counts),
            or null where the table has none; `patient_id` and `survival_days` it must have.
        values: for each canonical column the table's own values and what they mean; null means "not known", and the
            key `*` stands for every other value.
        ranges: plausible values of the numbers.
        identifier: how the patient's identifier is read.
        keep: which rows belong to the study.
        survival_threshold_days: a patient who survives at least so long is a long-term survivor.
        threshold_mode: `fixed`, or `training_median`: the median survival of the training patients alone, of a study
            that leaves out everyone who was alive when last seen.
        exclude_when_missing: predictors without which a patient is left out; others are imputed inside the folds.
    """

    separator: str
    decimal: Literal[".", ","]
    missing: tuple[str, ...]
    columns: dict[str, str | tuple[str, ...] | None]
    values: Meanings
    ranges: dict[str, Range]
    identifier: IdentifierRule
    keep: tuple[KeepRule, ...]
    survival_threshold_days: PositiveInt
    threshold_mode: Literal["fixed", "training_median"]
    exclude_when_missing: tuple[str, ...]

    @field_validator("separator")
    @classmethod
    def _separator_is_one_character(cls, separator: str) -> str:
        if len(separator) != 1:
            raise ValueError(r'one character in double quotes: "," or ";", and "\t" for a tab')
        return separator

    @field_validator("missing", "columns", "values", "keep", mode="before")
    @classmethod
    def _texts_are_composed(cls, given: object) -> object:
        return composed_throughout(given)

    @field_validator("values", mode="before")
    @classmethod
    def _words_are_quoted(cls, values: object) -> object:
        """Bare words that YAML takes for true and false are told from the table's own by nothing but quotes."""
        for column, meanings in values.items() if isinstance(values, dict) else ():
            if isinstance(meanings, dict) and any(isinstance(word, bool) for word in meanings):
                raise ValueError(f'{column} with quoted words ("yes", "no"): YAML takes bare ones for true and false')
        return values

    @field_validator("columns", "values")
    @classmethod
    def _columns_are_canonical(cls, section: dict[str, object]) -> dict[str, object]:
        unknown = sorted(set(section) - set(CANONICAL_COLUMNS))
        if unknown:
            raise ValueError(f"keys among {', '.join(CANONICAL_COLUMNS)}; not {', '.join(unknown)}")
        return section

    @field_validator("columns")
    @classmethod
    def _patient_and_survival_are_mapped(cls, columns: dict[str, object]) -> dict[str, object]:
        absent = [name for name in REQUIRED_COLUMNS if name not in columns]
        if absent:
            raise ValueError(f"a name, or null, for {', '.join(absent)}")
        if not all(columns[name] for name in INDISPENSABLE):
            raise ValueError(f"a name for {' and for '.join(INDISPENSABLE)}: no study is possible without them")
        return columns

    @field_validator("values")
    @classmethod
    def _values_are_in_the_vocabulary(cls, values: Meanings) -> Meanings:
        for column, meanings in values.items():
            allowed = VOCABULARIES.get(column)
            wrong = sorted({meaning for meaning in meanings.values() if meaning and allowed and meaning not in allowed})
            if wrong:
                raise ValueError(f"{column} to be mapped to {' or '.join(allowed or ())}; not to {', '.join(wrong)}")
        return values

    @field_validator("exclude_when_missing")
    @classmethod
    def _are_canonical(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not set(names) <= set(CANONICAL_COLUMNS):
            raise ValueError(f"names among {', '.join(CANONICAL_COLUMNS)}")
        return names

    @field_validator("ranges")
    @classmethod
    def _every_number_has_a_range(cls, ranges: dict[str, Range]) -> dict[str, Range]:
        if set(ranges) != set(NUMBERS):
            raise ValueError(f"a range for each of {', '.join(NUMBERS)}")
        return ranges

    @model_validator(mode="after")
    def _decimal_is_no_separator(self) -> CohortParameters:
        if self.separator == self.decimal:
            raise ValueError("a decimal mark that differs from the separator")
        return self

    def sources(self, column: str) -> tuple[str, ...]:
        """The table's own names of a canonical column; none where the table has no such column."""
        mapped = self.columns.get(column)
        return (mapped,) if isinstance(mapped, str) else tuple(mapped or ())

    def without_patients(self) -> CohortParameters:
        """The same for a page that may leave the house: a rule or a word may name somebody, but in a vocabulary."""
        told = {source for name in VOCABULARIES for source in self.sources(name)}
        keep = tuple(rule if rule.column in told else rule.without_condition() for rule in self.keep)
        values = {name: self.values[name] if name in VOCABULARIES else {NOT_TOLD: NOT_TOLD} for name in self.values}
        return self.model_copy(update={"keep": keep, "values": values})

    @model_serializer(mode="wrap")
    def _tell_no_patients(self, plainly: Callable[[Any], dict[str, Any]], asked: Any) -> dict[str, Any]:
        """What the parameters are wherever they are written or shown, in Kedro-Viz too; a fingerprint is of all."""
        return plainly(self if asked.context == IN_FULL else self.without_patients())


class Fractions(Parameters):
    """Shares of the patients that train and that stop the training; the others are tested."""

    train: float = Field(ge=0.01, lt=1)
    validation: float = Field(ge=0.01, lt=1)

    @model_validator(mode="after")
    def _leave_test_patients(self) -> Fractions:
        if self.train + self.validation > 0.99:
            raise ValueError("train and validation to leave some patients for the test, one in a hundred or more")
        return self


class PartitionParameters(Parameters):
    """Who trains and who is tested.

    Attributes:
        scheme: `holdout`: one test; `nested_cv`: every patient is tested once a repeat; `leave_one_centre_out`: every
            centre is tested once.
        fractions: of `holdout`, and of the paper's own fold in every scheme.
        inner_folds: folds inside the training patients; one holds out, the next stops, the others fit.
        outer_folds: of `nested_cv`.
        repeats: of `nested_cv`; each trains all networks anew.
    """

    scheme: Literal["holdout", "nested_cv", "leave_one_centre_out"]
    fractions: Fractions
    inner_folds: int = Field(ge=3, le=20)
    outer_folds: int = Field(ge=2, le=50)
    repeats: int = Field(ge=1, le=100)
