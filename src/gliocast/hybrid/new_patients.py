"""What new patients must be before a model answers: told apart, with every predictor, within what a patient can be.

A patient who can be, but is unlike all whom a model has learnt from, is told, and the model does not answer.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from numbers import Real
from typing import Any, TypeAlias

import pandas as pd

from gliocast.errors import (
    NO_DATE,
    NOT_APPLICABLE,
    WRITE_SO,
    CohortError,
    Fault,
    Problem,
    holds_date,
    listed,
    problems_of_cells,
    raise_if_any,
    shown,
)
from gliocast.hybrid.fitted import SURGERY_RULE, FittedModels
from gliocast.hybrid.parameters import PredictorFacts
from gliocast.types import SURGERIES, Scores, row_names, shown_patient, spelling_free

logger = logging.getLogger(__name__)

SURGERY = PredictorFacts(kind="ordinal", known_when="post_operative", values=SURGERIES)
AS_TEXT = "Read identifiers as text (`dtype=str` for their column): as numbers they lose the zeros they begin with."
Limits: TypeAlias = Mapping[str, float]
Known: TypeAlias = Mapping[str, Mapping[str, Any]]  # of each predictor `min` and `max`, or `values`


def refuse_unfit(patients: pd.DataFrame, models: FittedModels, ranges: Mapping[str, Limits]) -> None:
    """Refuse patients whom the models cannot answer for.

    Args:
        patients: one row a patient: `patient_id` and the predictors.
        models: those that are asked.
        ranges: `min` and `max` of the numbers, as of the clinical table that the models were fitted on.

    Raises:
        CohortError: identifiers, columns and cells that are not what they should be, all at once.
    """
    facts = facts_read(models)
    names = row_names(patients.get("patient_id", [None] * len(patients)), count(1))
    problems = [*column_problems(patients, ["patient_id", *facts]), *identifier_problems(patients, names)]
    for name in facts.keys() & set(patients.columns):
        problems += cell_problems(name, patients[name], names, facts[name], ranges.get(name))
    raise_if_any(sorted(problems), CohortError)


def known_of(training: pd.DataFrame, facts: Mapping[str, PredictorFacts]) -> dict[str, dict[str, Any]]:
    """What training patients were like: the lowest and the highest of a number, the values of anything else."""
    known: dict[str, dict[str, Any]] = {}
    for name in facts.keys() & set(training.columns):
        cells = training[name].dropna()
        if facts[name].kind != "number":
            known[name] = {"values": [value for value in facts[name].values if value in set(cells)]}
        elif len(cells):
            known[name] = {"min": float(cells.min()), "max": float(cells.max())}
    return dict(sorted(known.items()))


def unlike(patients: pd.DataFrame, known: Known) -> pd.Series:
    """For each patient the predictors, joined by commas, in which they are unlike all who are known; empty for none."""
    names = pd.Series("", index=patients.index)
    for name, of in known.items():
        cells = patients[name]
        within = cells.isin(of["values"]) if "values" in of else cells.astype(float).between(of["min"], of["max"])
        names += (within | cells.isna()).map({True: "", False: f"{name}, "})
    return names.str.removesuffix(", ")


def facts_read(models: FittedModels) -> dict[str, PredictorFacts]:
    """The predictors that any of the models reads from the table of patients."""
    facts = {name: fact for model in models.models for name, fact in model.facts.items() if name != "image_score"}
    with_rule = any(model.name == SURGERY_RULE for model in models.models)
    return {"surgery": SURGERY, **facts} if with_rule else facts


def column_problems(patients: pd.DataFrame, needed: Iterable[str]) -> Iterator[Problem]:
    """A table without rows, and every column that is absent; without a header its first row is a patient's."""
    if patients.empty:
        yield Problem(NOT_APPLICABLE, "the patients", "no row", "one row a patient", "Give at least one.")
    found = f"not among the table's {len(patients.columns)} columns"
    for name in needed:
        if name not in patients.columns:
            remedy = "Add the column; leave cells empty where the value is not known."
            yield Problem(NOT_APPLICABLE, f"column {name}", found, "a column of that name", remedy)


def identifier_problems(patients: pd.DataFrame, names: list[str]) -> Iterator[Problem]:
    """Identifiers that are missing, no text, or stand twice; an absent column is a problem of its own."""
    if "patient_id" not in patients:
        return
    identifiers = [*patients["patient_id"]]
    missing = [f"row {row}" for row, patient in enumerate(identifiers, 1) if pd.isna(patient)]
    if missing:
        yield Problem(listed(missing), "patient_id", "missing", "an identifier", "Give each patient an identifier.")
    no_text = [f"row {row}" for row, one in enumerate(identifiers, 1) if not (pd.isna(one) or isinstance(one, str))]
    if no_text:
        yield Problem(listed(no_text), "patient_id", "no text", "text", AS_TEXT)
    named = pd.Series(names, index=pd.Index(identifiers, dtype="object"))
    for _, rows in named[named.index.notna()].groupby(level=0, sort=False):
        if len(rows) > 1:
            yield Problem(rows.iloc[0], "patient_id", f"{len(rows)} rows", "one row a patient", "Keep one of them.")


def cell_problems(
    name: str, cells: pd.Series, names: list[str], fact: PredictorFacts, limits: Limits | None
) -> Iterator[Problem]:
    """One problem for each different cell of a predictor that is not what it should be, but for what may be names."""
    faults = (cell_fault(cell, fact, limits) for cell in cells)
    n_filled = pd.Series(names)[cells.notna().to_numpy()].nunique()
    look = f"Look whether the column holds {name}. If so:"
    return problems_of_cells(name, names, faults, n_filled, lambda fault: f"{look} {fault[2]}")


def cell_fault(cell: Any, fact: PredictorFacts, limits: Limits | None) -> Fault | None:
    """What is wrong with a cell; a date is not repeated."""
    if pd.isna(cell):
        return None
    fault = number_fault(cell, limits) if fact.kind == "number" else word_fault(cell, fact)
    return ("a date", fault[1], NO_DATE) if fault and holds_date(cell) else fault


def number_fault(cell: Any, limits: Limits | None) -> Fault | None:
    """What is wrong with a cell that should be a number."""
    if not isinstance(cell, Real) or isinstance(cell, bool):
        return f"the text {shown(cell)!r}", "a number", "Read the column as numbers, with its decimal mark."
    if limits is not None and not limits["min"] <= float(cell) <= limits["max"]:
        expected = f"{limits['min']:g} to {limits['max']:g}"
        return f"{float(cell):g}", expected, "Correct it: the models know no such patient."
    return None if math.isfinite(cell) else (str(cell), "a number", "Leave the cell empty where it is not known.")


def word_fault(cell: Any, fact: PredictorFacts) -> Fault | None:
    """What is wrong with a cell that should be one of the predictor's values."""
    if cell in fact.values:
        return None
    if meant := [value for value in fact.values if str(value) == str(cell).strip()]:
        return in_its_type(cell), in_its_type(meant[0]), WRITE_SO
    remedy = "Correct it, or map it as `cohort.values` has mapped it for the training patients."
    return shown(cell), ", ".join(map(str, fact.values)), remedy


def in_its_type(cell: object) -> str:
    """A cell that looks the same as text and as a number."""
    return f"the text {shown(cell)!r}" if isinstance(cell, str) else f"the number {shown(cell)}"


def refuse_strangers(asked: Iterable[str], splits: Iterable[str], image_scores: Scores) -> None:
    """Refuse image scores of other spellings, or of nobody who is asked about; warn of those who do not match.

    Where nobody has an image score, none was wanted.

    Raises:
        CohortError: identifiers that are written otherwise, or no image score of any patient who is asked about.
    """
    scored = splits_of(image_scores)
    if not scored:
        return
    everyone = list(asked)
    strangers = [patient for patient in scored if patient not in everyone]
    raise_if_any(
        [*other_spellings(everyone, strangers, scored)] or [*nobodys(everyone, strangers, scored)], CohortError
    )
    if strangers:
        logger.warning("%d image scores are of nobody who is asked about.", len(strangers))
    if without := [patient for patient in everyone if not set(splits) <= scored.get(patient, set())]:
        logger.warning("%d patients have no image score, or not that of every split.", len(without))


def splits_of(image_scores: Scores) -> dict[str, set[str]]:
    """Everyone with an image score, and the splits whose models have given one."""
    scored: dict[str, set[str]] = {}
    for patient, split in zip(image_scores.table["patient_id"], image_scores.table["split"], strict=True):
        scored.setdefault(str(patient), set()).add(str(split))
    return scored


def other_spellings(asked: list[str], strangers: list[str], scored: Mapping[str, Any]) -> Iterator[Problem]:
    """Patients without an image score, where there is one of an identifier that differs in zeros or case."""
    alike = {spelling_free(stranger.strip()): stranger for stranger in strangers}
    for patient in asked:
        if patient not in scored and (stranger := alike.get(spelling_free(patient.strip()))):
            found, expected = shown_patient(stranger), shown_patient(patient)
            remedy = f"Write the identifiers alike. {AS_TEXT}"
            yield Problem(expected, "image score", f"of {found}", f"of {expected}", remedy)


def nobodys(asked: list[str], strangers: list[str], scored: Mapping[str, Any]) -> Iterator[Problem]:
    """Image scores of which none is of a patient who is asked about."""
    if not set(scored) & set(asked):
        remedy = "Score the images of these patients, or give nobody's image scores."
        who, found = (listed([*map(shown_patient, patients)]) for patients in (asked, strangers))
        yield Problem(who, "image score", f"of {found} only", "theirs", remedy)


def refuse_numbers(image_features: pd.DataFrame, id_column: str) -> None:
    """Refuse a table of image features whose identifiers were read as numbers.

    Raises:
        CohortError: they have lost the zeros that they began with, if they had any.
    """
    if id_column in image_features and pd.api.types.is_numeric_dtype(image_features[id_column]):
        raise CohortError(Problem(NOT_APPLICABLE, f"image_features: {id_column}", "numbers", "text", AS_TEXT))
