"""An image score from a table of precomputed image features, in place of the CNN's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from gliocast.errors import CohortError, ConfigurationError, Problem, listed, raise_if_any
from gliocast.hybrid.features import outcome_codes
from gliocast.hybrid.image_scores import joined, score_rows
from gliocast.hybrid.parameters import FeatureParameters
from gliocast.hybrid.selection import quick_scikit_learn, stratified
from gliocast.types import Partition, Role, Scores, Split, can_be_shown


@dataclass(frozen=True)
class FeatureModel:
    """The image score's model of one split: it scores the split's test patients, and new ones.

    Attributes:
        split: the split's name.
        columns: the features that it reads, in order.
        pipeline: imputing, scaling and the penalised logistic regression, fitted.
        fitted_on: the split's training patients with features.
    """

    split: str
    columns: tuple[str, ...]
    pipeline: Any
    fitted_on: tuple[str, ...]

    def probability(self, table: pd.DataFrame) -> Float[np.ndarray, " patients"]:
        """Probability of long-term survival.

        Args:
            table: one row a patient, of `read_features`; its columns may stand in any order, and others beside them.

        Raises:
            ConfigurationError: a feature that the model reads is absent, or no number.
        """
        raise_if_any([_unread(name) for name in self.columns if name not in table.columns], ConfigurationError)
        if table.empty:
            return np.empty(0)
        return np.asarray(self.pipeline.predict_proba(table[list(self.columns)].to_numpy())[:, 1], dtype=np.float64)


def score_features(
    image_features: pd.DataFrame,
    training_cohort: pd.DataFrame,
    partition: Partition,
    features: FeatureParameters,
    seed: int,
) -> tuple[Scores, tuple[FeatureModel, ...]]:
    """Score every patient with image features by a regularised logistic regression that has never seen them.

    In each split a training patient is scored by the model of the fold that holds them out, and a test patient by one
    model of all training patients. Imputing, scaling and the choice of the penalty happen inside the patients that a
    model sees. A patient without features gets no score.

    Args:
        image_features: one row a scan; see `FeatureParameters`.
        training_cohort: `patient_id` and `outcome` of the training patients.
        partition: the splits, and the folds inside their training patients.
        features: the identifier's column and pattern, and the penalties to choose from.
        seed: of the inner folds.

    Returns:
        The scores, and each split's model of all its training patients.

    Raises:
        ConfigurationError: the table has no identifier, no numeric column, or none of a name that is to be ignored.
        CohortError: two rows of one patient.
        TrainingError: of an outcome, fewer patients have features than there are inner folds.
    """
    raise_if_any(not_there_to_ignore(image_features, features), ConfigurationError)
    table = read_features(image_features, features)
    outcome = pd.Series(outcome_codes(training_cohort), index=training_cohort["patient_id"])
    parts = [_score_split(table, outcome, split, features, seed) for split in partition.splits]
    return joined(*(scores for scores, _ in parts)), tuple(model for _, model in parts)


def score_new(models: Sequence[FeatureModel], image_features: pd.DataFrame, features: FeatureParameters) -> Scores:
    """Scores of patients whom no model was fitted on, by every split's model."""
    table = read_features(image_features, features)
    patients = tuple(table.index)
    rows = [_scored(model, table, patients, "test", model.split) for model in models]
    return Scores(pd.concat(rows, ignore_index=True), {model.split: model.fitted_on for model in models})


def score_features_as_paper(
    image_features: pd.DataFrame, cohort: pd.DataFrame, partition: Partition, features: FeatureParameters, seed: int
) -> Scores:
    """Everyone scored by one model of the paper's 60 %, those it has seen included (`protocol: paper`, section 2.3)."""
    table = read_features(image_features, features)
    outcome = pd.Series(outcome_codes(cohort), index=cohort["patient_id"])
    seen = _known(partition.paper.seen, table)
    model = _fit(table, outcome, seen, "paper", features, seed)
    everyone: list[tuple[tuple[str, ...], Role]] = [
        (partition.paper.seen, "in_sample"),
        (partition.paper.held_out, "test"),
    ]
    rows = [_scored(model, table, patients, role, "paper") for patients, role in everyone]
    return Scores(pd.concat(rows, ignore_index=True), {"paper": seen})


def read_features(image_features: pd.DataFrame, features: FeatureParameters) -> pd.DataFrame:
    """The numeric columns, indexed by `patient_id`; rows whose identifier does not match the pattern, or which hold no
    number, are not used.

    A column of text is numeric where every cell of those rows that is not empty is a number; where most are, the others
    are mistakes, as a decimal comma is.

    Raises:
        ConfigurationError: the identifier column is absent, no row matches, or no numeric column is left.
        CohortError: several rows of one patient match, or a column holds numbers and a few cells that are none.
    """
    found = _identified(image_features, features.id_column, features.id_pattern)
    matched = found.notna()
    patients = pd.Index([match.group(1) for match in found[matched]], name="patient_id")
    columns = image_features.columns.difference([features.id_column, *features.ignore_columns], sort=False)
    cells = image_features.loc[matched, columns].apply(_as_numbers)
    numbers = cells.select_dtypes("number").set_axis(patients, axis=0)
    names = _names(patients, matched)
    repeated = [names[patients == patient] for patient in patients[patients.duplicated()].unique()]
    broken = [problem for name in cells.columns for problem in _broken_column(cells[name], names)]
    raise_if_any([*map(_several, repeated), *broken], CohortError)
    if numbers.empty:
        raise ConfigurationError(_no_numbers(image_features, features))
    return numbers.astype(np.float64).replace([np.inf, -np.inf], np.nan).dropna(how="all")


def not_there_to_ignore(image_features: pd.DataFrame, features: FeatureParameters) -> list[Problem]:
    """Every column to ignore that the table lacks: the one that was meant, survival perhaps, would be a feature."""
    present, problems = [str(name) for name in image_features.columns], []
    for name in features.ignore_columns:
        if name not in present:
            near = get_close_matches(name, present, n=1)
            remedy = f"Did you mean `{near[0]}`?" if near else "Correct the name, or remove it."
            found, expected = f"no column {name}", "columns of the table of image features"
            problems.append(Problem("–", "hybrid.features.ignore_columns", found, expected, remedy))
    return problems


def patients_with_features(
    image_features: pd.DataFrame, id_column: str, id_pattern: str, ignored: Sequence[str] = ()
) -> list[str]:
    """The patients of whom a table of image features tells anything but the `ignored` columns.

    Raises:
        ConfigurationError: the identifier column is absent.
    """
    found = _identified(image_features, id_column, id_pattern)
    told = image_features.drop(columns=[id_column, *ignored], errors="ignore").notna().any(axis=1)
    return [match.group(1) for match in found[told].dropna()]


def _identified(image_features: pd.DataFrame, id_column: str, id_pattern: str) -> pd.Series:
    """For each row what the pattern finds in its identifier; none where it finds nothing, or the cell is empty."""
    if id_column not in image_features.columns:
        raise ConfigurationError(_no_identifiers(image_features, id_column))
    identifiers = image_features[id_column].astype(str).str.strip()
    return identifiers.map(re.compile(id_pattern).fullmatch, na_action="ignore")


def _names(patients: pd.Index, matched: pd.Series) -> pd.Index:
    """Who each row is, for messages: the identifier, or the row of the file where that may be a person's name."""
    rows = np.flatnonzero(matched) + 2  # the header is row 1
    return pd.Index([who if can_be_shown(who) else f"row {row}" for who, row in zip(patients, rows, strict=True)])


def _as_numbers(column: pd.Series) -> pd.Series:
    """A column of text as numbers, if it holds nothing else."""
    if not (column.dtype == object or isinstance(column.dtype, pd.StringDtype)):
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    return column if (numbers.isna() & column.notna()).any() else numbers


def _broken_column(column: pd.Series, names: pd.Index) -> list[Problem]:
    """The problem of a column that is still text, although most of its cells are numbers, some with a comma."""
    if pd.api.types.is_numeric_dtype(column):
        return []
    illegible = (column.notna() & pd.to_numeric(column, errors="coerce").isna()).to_numpy()
    meant = pd.to_numeric(column.astype(str).str.replace(",", "."), errors="coerce")
    if (column.notna() & meant.isna()).sum() * 2 >= column.notna().sum():
        return []
    where, expected = f"image_features: {column.name}", "a number, with a decimal point"
    remedy = "Correct the cell, or leave it empty; or name the column in hybrid.features.ignore_columns."
    return [Problem(listed([*names[illegible]]), where, "no number", expected, remedy)]


def _score_split(
    table: pd.DataFrame, outcome: pd.Series, split: Split, features: FeatureParameters, seed: int
) -> tuple[Scores, FeatureModel]:
    rows, fitted_on = [], {}
    whole = _fit(table, outcome, _known(split.training, table), split.name, features, seed)
    for number, fold in enumerate(split.folds):
        name = f"{split.name}/features/fold{number}"
        model = _fit(table, outcome, _known(fold.seen, table), split.name, features, seed)
        rows.append(_scored(model, table, fold.held_out, "out_of_fold", name))
        fitted_on[name] = model.fitted_on
    rows.append(_scored(whole, table, split.test, "test", split.name))
    return Scores(pd.concat(rows, ignore_index=True), {**fitted_on, split.name: whole.fitted_on}), whole


def _scored(
    model: FeatureModel, table: pd.DataFrame, patients: tuple[str, ...], role: Role, model_name: str
) -> pd.DataFrame:
    known = _known(patients, table)
    return score_rows(model.split, known, role, model_name, model.probability(table.loc[list(known)]))


def _fit(
    table: pd.DataFrame,
    outcome: pd.Series,
    patients: tuple[str, ...],
    split: str,
    features: FeatureParameters,
    seed: int,
) -> FeatureModel:
    seen = list(patients)
    pipeline = _pipeline(table.loc[seen].to_numpy(), outcome.loc[seen].to_numpy(), features, seed)
    return FeatureModel(split, tuple(map(str, table.columns)), pipeline, patients)


def _pipeline(
    values: Float[np.ndarray, "patients features"],
    outcome: Int[np.ndarray, " patients"],
    features: FeatureParameters,
    seed: int,
) -> Any:
    """Median where missing, scaled, then L2-penalised; the penalty with the lowest log loss on inner folds."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), LogisticRegression(max_iter=1000)
    )
    folds = stratified(outcome, features.inner_folds, seed, "hybrid.features.inner_folds")
    grid = {"logisticregression__C": list(features.c_grid)}
    with quick_scikit_learn(checked=True):
        return GridSearchCV(model, grid, scoring="neg_log_loss", cv=folds).fit(values, outcome).best_estimator_


def _known(patients: tuple[str, ...], table: pd.DataFrame) -> tuple[str, ...]:
    return tuple(patient for patient in patients if patient in table.index)


def _no_identifiers(image_features: pd.DataFrame, id_column: str) -> Problem:
    """The problem of a table without its identifiers; its first row may be a patient's, so no name of it is shown."""
    names = [str(name) for name in image_features.columns]
    found = {0: "no table", 1: "a table of one column"}.get(len(names), f"not among the table's {len(names)} columns")
    if not names:
        remedy = "Give the table's path in the catalog entry image_features, and its identifier column here."
    elif len(names) == 1:
        remedy = "Save the table with commas between columns, and points in decimals."
    elif near := get_close_matches(id_column, names, n=1, cutoff=0.8):
        remedy = f"Did you mean `{near[0]}`?"
    else:
        remedy = "Name the table's identifier column here; its first row must hold the columns' names."
    return Problem("–", "hybrid.features.id_column", found, id_column, remedy)


def _no_numbers(image_features: pd.DataFrame, features: FeatureParameters) -> Problem:
    remedy = "Correct hybrid.features.id_pattern or hybrid.features.ignore_columns."
    found = f"no numeric feature in any of {len(image_features)} rows that matches {features.id_pattern}"
    return Problem("–", "image_features", found, "one row a patient, numeric columns", remedy)


def _unread(name: str) -> Problem:
    remedy = "Compute the features as they were for the training patients."
    return Problem("–", "image_features", f"no numeric column {name}", "every feature that the model reads", remedy)


def _several(names: pd.Index) -> Problem:
    who, remedy = listed([*names.unique()]), "Narrow hybrid.features.id_pattern."
    return Problem(who, "image_features", "several rows", "one row a patient", remedy)
