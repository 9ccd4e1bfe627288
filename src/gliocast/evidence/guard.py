"""The leakage guard: nobody is scored by anything that has seen them, stands twice, or decided a threshold.

Whatever is fitted carries the patients it was fitted on; whoever scores asks here first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from gliocast.errors import InputError, LeakageError, Problem, raise_if_any
from gliocast.types import Scores, shown_patient

WATERMARK = "The paper's protocol: test patients were seen in training. For comparison only."
UNSEEN_WATERMARK = "The paper's protocol: no test patient was seen in training here. For comparison only."
UNSEEN_ROLES = ("test", "out_of_fold")
THUMBNAIL_PX = 16
CHUNK = 32
ROWS_AT_A_TIME = 256
FEWEST_TO_COMPARE = 4  # what all share cannot be told from what is one's own with fewer
TWIN_CORRELATION = 0.95  # two dates of one real patient reach 0.70, a copy moved by one of 256 pixels 0.97


def fingerprint_of_patients(patients: Collection[str]) -> str:
    """SHA-256 of a set of patients, in hexadecimal; the order does not matter."""
    return hashlib.sha256("\n".join(sorted(set(patients))).encode()).hexdigest()


def check_unseen(scores: Scores) -> None:
    """Refuse scores of test or held-out patients that come from a model which has seen them.

    Raises:
        LeakageError: a patient was seen by the scoring model, or the model does not say whom it has seen.
    """
    claimed = scores.table[scores.table["role"].isin(UNSEEN_ROLES)]
    pairs = claimed[["model", "patient_id", "role"]].drop_duplicates().sort_values(["patient_id", "model"])
    problems = _unknown_models(set(pairs["model"]), scores.fitted_on) + _seen_by_models(pairs, scores.fitted_on)
    raise_if_any(problems, LeakageError)


def check_probabilities(table: pd.DataFrame) -> None:
    """Refuse scores that are none: no number, or no probability. One among many would turn a model into a rule.

    Raises:
        InputError: naming each.
    """
    sound = table["probability"].between(0, 1) & np.isfinite(table["logit"].astype(np.float64))
    remedy = "Score the patient again, by a model whose training has ended well."
    wrong = table.loc[~sound, ["patient_id", "model", "probability"]].itertuples(index=False)
    found = [
        (shown_patient(who), f"score of {model}", f"{value:g}", "a probability, 0 to 1") for who, model, value in wrong
    ]
    raise_if_any([Problem(*one, remedy) for one in found], InputError)


def seen_in_training(scores: Scores | None) -> set[str]:
    """The patients scored as test by a model that had seen them; the honest protocol has none."""
    if scores is None or scores.table.empty:
        return set()
    asked = scores.table.loc[scores.table["role"] != "out_of_fold", ["model", "patient_id"]].drop_duplicates()
    seen = {model: set(patients) for model, patients in scores.fitted_on.items()}
    pairs = asked.itertuples(index=False, name=None)
    return {patient for model, patient in pairs if patient in seen.get(model, ())}


def watermark(protocol: Mapping[str, Any]) -> str | None:
    """What results bear under the paper's protocol, as of `metrics.json`; nothing under the honest one."""
    if protocol["name"] == "honest":
        return None
    return WATERMARK if protocol["n_test_patients_seen_in_training"] else UNSEEN_WATERMARK


def check_not_fitted_on(name: str, fitted_on: Collection[str], scored: Collection[str]) -> None:
    """Refuse to score patients with a fitted object (normaliser, imputer, threshold, …) that was fitted on them.

    Raises:
        LeakageError: a patient of `scored` stands in `fitted_on`.
    """
    raise_if_any(_taught(name, fitted_on, scored), LeakageError)


def _taught(name: str, fitted_on: Collection[str], scored: Collection[str]) -> list[Problem]:
    return [_seen(patient, name, "test") for patient in sorted(set(scored) & set(fitted_on))]


def _unknown_models(models: set[str], fitted_on: Mapping[str, Sequence[str]]) -> list[Problem]:
    return [
        Problem("–", f"model {model}", "silent about its patients", "the patients it was fitted on", "Fit it again.")
        for model in sorted(models - set(fitted_on))
    ]


def _seen_by_models(pairs: pd.DataFrame, fitted_on: Mapping[str, Sequence[str]]) -> list[Problem]:
    seen = {model: frozenset(patients) for model, patients in fitted_on.items()}
    return [
        _seen(str(patient), str(model), str(role))
        for model, patient, role in pairs.itertuples(index=False)
        if patient in seen.get(model, ())
    ]


def _seen(patient: str, model: str, role: str) -> Problem:
    kind = "test" if role == "test" else "held-out"
    expected = f"a {kind} patient that it has not seen"
    return Problem(
        shown_patient(patient),
        f"score of {model}",
        "from a model fitted on this patient",
        expected,
        "Score with a fold that leaves the patient out.",
    )


def check_distinct_slices(patient_ids: Sequence[str], load: Callable[[Sequence[str]], np.ndarray]) -> None:
    """Refuse nearly one and the same image under two patients: whichever is tested, its twin may have taught.

    Each patient's slices are shrunk to thumbnails, what all patients share is taken away, and the rest is correlated.
    A copy that was saved again, rounded, given other grey values or moved by a pixel stays above `TWIN_CORRELATION`;
    two heads do not.

    Args:
        patient_ids: everyone with slices.
        load: gives the slices of some patients (patients, slices, height, width), so that few are in memory at a time.

    Raises:
        LeakageError: naming each pair.
    """
    chunks = [patient_ids[start : start + CHUNK] for start in range(0, len(patient_ids), CHUNK)]
    raise_if_any(near_twins(patient_ids, [row for chunk in chunks for row in thumbnails(load(chunk))]), LeakageError)


def near_twins(patient_ids: Sequence[str], seen: Sequence[Float[np.ndarray, " pixels"]]) -> list[Problem]:
    """One problem a pair of patients whose `thumbnails` are nearly the same; see `check_distinct_slices`."""
    if len(patient_ids) < FEWEST_TO_COMPARE:
        return []
    all_seen = np.stack(seen)
    own = all_seen - all_seen.mean(axis=0)
    expected, remedy = "an image of each patient's own", "Find out whose it is, and remove it from the others."
    return [
        Problem(f"{patient_ids[a]} = {patient_ids[b]}", "imaging", "nearly the same image", expected, remedy)
        for a, b in _alike(own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-9))
    ]


def _alike(own: Float[np.ndarray, "patients pixels"]) -> Iterator[tuple[int, int]]:
    """Pairs of rows of length 1 that correlate; some rows at a time, for all pairs of a large cohort fill no memory."""
    for start in range(0, len(own), ROWS_AT_A_TIME):
        likeness = own[start : start + ROWS_AT_A_TIME] @ own[start:].T
        for a, b in np.argwhere(np.triu(likeness > TWIN_CORRELATION, k=1)):
            yield start + int(a), start + int(b)


def thumbnails(stacks: np.ndarray) -> Float[np.ndarray, "patients pixels"]:
    """Each patient's slices as block means, free of brightness and contrast."""
    n, slices, height, width = stacks.shape
    side = min(THUMBNAIL_PX, height, width)
    whole = stacks[:, :, : height // side * side, : width // side * side].astype(np.float32)
    blocks = whole.reshape(n, slices, side, height // side, side, width // side).mean(axis=(3, 5)).reshape(n, -1)
    centred = blocks - blocks.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-9), dtype=np.float32)


def count_openings(before: Iterable[tuple[str, str]], partition_sha256: str, predictions_sha256: str) -> int:
    """How often a test partition has been opened for different predictions, this time included.

    Args:
        before: earlier openings: fingerprint of the partition, and of the predictions held against it.
        partition_sha256: the partition that is opened now.
        predictions_sha256: the predictions of now; opening it again for the same ones is no new look.
    """
    return len(
        {predictions for partition, predictions in before if partition == partition_sha256} | {predictions_sha256}
    )
