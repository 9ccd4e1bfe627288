"""The image score of a patient, taken only from a model that has never seen them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pandas as pd

from gliocast.errors import LeakageError, Problem, raise_if_any
from gliocast.evidence.guard import check_probabilities, check_unseen
from gliocast.evidence.metrics import logit
from gliocast.types import PATIENT_LEVEL, SCORE_COLUMNS, Partition, Role, Scores, shown_patient

ImageScale = Literal["probability", "logit"]


def joined(*scores: Scores) -> Scores:
    """Several scores as one; patient level only."""
    tables = [one.table for one in scores if not one.table.empty]
    table = pd.concat(tables, ignore_index=True) if tables else no_scores().table
    fitted_on = {model: patients for one in scores for model, patients in one.fitted_on.items()}
    return Scores(table[table["slice"] == PATIENT_LEVEL].reset_index(drop=True), fitted_on)


def no_scores() -> Scores:
    """Scores of nobody."""
    return Scores(pd.DataFrame({column: [] for column in SCORE_COLUMNS}), {})


def score_rows(split: str, patients: Iterable[str], role: Role, model: str, probability: np.ndarray) -> pd.DataFrame:
    """Patient-level rows of a `Scores` table."""
    rows = pd.DataFrame({"patient_id": list(patients)}).assign(
        split=split, slice=PATIENT_LEVEL, role=role, model=model, logit=logit(probability), probability=probability
    )
    return rows[list(SCORE_COLUMNS)]


def image_score_of(scores: Scores, split: str, patients: Iterable[str], role: Role, scale: ImageScale) -> pd.Series:
    """Each patient's image score of one role, NaN where there is none.

    Args:
        scores: patient-level scores of any roles and splits.
        split: the split's name.
        patients: whose scores are wanted, in this order.
        role: `out_of_fold` for training patients, `test` for test patients.
        scale: the column that is read.

    Raises:
        LeakageError: a patient has a score from a model that has seen them, of the wrong role, or more than one score.
        InputError: a score is no probability.
    """
    wanted = pd.Index(list(patients), name="patient_id")
    table = scores.table
    mine = table[(table["split"] == split) & table["patient_id"].isin(wanted)]
    raise_if_any([*_wrong_role(mine, role), *_repeated(mine)], LeakageError)
    check_unseen(Scores(mine, scores.fitted_on))
    check_probabilities(mine)
    return mine.set_index("patient_id")[scale].astype(np.float64).reindex(wanted).rename("image_score")


def gaps(scores: Scores, partition: Partition, reason: str) -> pd.DataFrame:
    """Everyone without an image score: `patient_id`, `split`, `part` (training or test) and the reason."""
    scored = set(zip(scores.table["split"], scores.table["patient_id"], strict=True))
    rows = [
        (patient, split.name, part, reason)
        for split in partition.splits
        for part, patients in (("training", split.training), ("test", split.test))
        for patient in patients
        if (split.name, patient) not in scored
    ]
    return pd.DataFrame(rows, columns=["patient_id", "split", "part", "reason"])


def _wrong_role(rows: pd.DataFrame, role: Role) -> list[Problem]:
    wrong = rows[rows["role"] != role]
    remedy = "Score training patients out of fold, and test patients with the ensemble."
    return [
        Problem(shown_patient(patient), "role of the image score", str(found), role, remedy)
        for patient, found in zip(wrong["patient_id"], wrong["role"], strict=True)
    ]


def _repeated(rows: pd.DataFrame) -> list[Problem]:
    repeated = rows.loc[rows["patient_id"].duplicated(), "patient_id"]
    return [Problem(shown_patient(who), "image score", "several", "one a split", "Keep one.") for who in repeated]
