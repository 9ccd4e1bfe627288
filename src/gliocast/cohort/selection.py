"""Which rows of the clinical table belong to the study, and the record of those that do not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from gliocast.cohort.parameters import KeepRule
from gliocast.errors import NOT_APPLICABLE, Problem

EXCLUSION_COLUMNS = ("patient_id", "stage", "code", "reason")
ROW_SELECTION, CLINICAL_TABLE = "row_selection", "clinical_table"  # the stages at which a row or a patient is left out
IMAGES, OUTCOME, PREDICTORS = "images", "outcome", "predictors"


def keeps(rule: KeepRule, cells: pd.Series) -> pd.Series:
    """True for each row that the rule keeps; an empty cell is an empty text."""
    content = cells.fillna("")
    if rule.one_of is not None:
        return content.isin(rule.one_of)
    if rule.none_of is not None:
        return ~content.isin(rule.none_of)
    pattern = re.compile(rule.matches or rule.lacks or "")  # by `re`, which has accepted it; pandas' own engine differs
    found = content.map(lambda cell: pattern.search(cell) is not None).astype(bool)
    return found if rule.matches is not None else ~found


def failed_rule(cells: pd.DataFrame, rules: Iterable[KeepRule]) -> pd.Series:
    """For each row the place of the first rule that it fails, NA where it fails none."""
    failed = pd.Series(pd.NA, index=cells.index, dtype="Int64")
    for place, rule in enumerate(rules):
        if rule.column in cells:
            failed = failed.mask(failed.isna() & ~keeps(rule, cells[rule.column]), place)
    return failed


def rows_left_out(names: pd.Series, failed: pd.Series, rules: tuple[KeepRule, ...]) -> pd.DataFrame:
    """The record of the rows that a rule leaves out."""
    places = failed.dropna()
    return exclusions(
        names[places.index],
        ROW_SELECTION,
        [rules[place].code for place in places],
        [rules[place].reason for place in places],
    )


def exclusions(
    patients: Iterable[str], stage: str, codes: Sequence[str] | str, reasons: Sequence[str] | str
) -> pd.DataFrame:
    """A record of exclusions: who, at which stage, why in one word, and why in a sentence."""
    record = pd.DataFrame({"patient_id": [*patients]}).assign(stage=stage, code=codes, reason=reasons)
    return record.astype("string")


def nothing_left(n_rows: int, left_out: pd.DataFrame) -> Problem:
    """The problem of rules that leave no row."""
    counts = ", ".join(f"{code} {n}" for code, n in left_out["code"].value_counts().items())
    found = f"no row left of {n_rows} ({counts})"
    return Problem(NOT_APPLICABLE, "cohort.keep", found, "at least one row", "Correct the rules of `cohort.keep`.")
