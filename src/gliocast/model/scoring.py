"""Scores of patients by fitted networks, at both levels, with who the networks have seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from gliocast.errors import LeakageError, Problem, raise_if_any
from gliocast.model.backbone import build_network, placed
from gliocast.model.device import choose_devices, private_randomness, resident
from gliocast.model.ensemble import Ensemble, Member
from gliocast.model.parameters import ModelParameters, Pooling
from gliocast.model.pooling import long_term_logits, pooled, stack_logits
from gliocast.model.tensors import Device, Module
from gliocast.types import PATIENT_LEVEL, SCORE_COLUMNS, Role, Scores, Split


def score_patients(
    ensemble: Ensemble,
    stacks: Float[Any, "patients slices height width"],
    patient_ids: Sequence[str],
    split: Split,
) -> Scores:
    """Score patients whom no network of the split has seen, by the mean of the split's networks (role `test`).

    Args:
        ensemble: the fitted networks.
        stacks: the patients' slices.
        patient_ids: one a stack.
        split: whose networks score.

    Returns:
        Scores at slice and patient level; the ensemble bears the split's name.

    Raises:
        LeakageError: a network has seen one of the patients.
    """
    members = ensemble.of_split(split.name)
    _refuse_seen(members, patient_ids)
    of_members = [member_logits(member, ensemble.params, stacks) for member in members]
    slice_logit, patient_logit = (np.stack(logits) for logits in zip(*of_members, strict=True))
    pooling: Pooling = "mean_probability" if ensemble.params.pooling == "mean_probability" else "mean_logit"
    mean_slice, mean_patient = pooled(np.moveaxis(slice_logit, 0, -1), pooling), pooled(patient_logit.T, pooling)
    table = score_table(mean_slice, mean_patient, patient_ids, split.name, "test", split.name)
    return Scores(table, {split.name: tuple(sorted({who for member in members for who in member.fitted_on}))})


def member_logits(
    member: Member, params: ModelParameters, stacks: Float[Any, "patients slices height width"]
) -> tuple[Float[np.ndarray, "patients slices"], Float[np.ndarray, " patients"]]:
    """Logits of long-term survival of slices and patients by one network."""
    device = choose_devices(params.devices)[0]
    network = rebuilt(member, params, device)
    return long_term_logits(*stack_logits(network, resident(stacks, device), params), params)


def rebuilt(member: Member, params: ModelParameters, device: Device) -> Module:
    """The network of a member, ready to score."""
    with private_randomness(device):
        network = build_network(params, member.dropout)
    network.load_state_dict(dict(member.weights))
    return placed(network, params, device).eval()


def score_table(
    slice_logit: Float[np.ndarray, "patients slices"],
    patient_logit: Float[np.ndarray, " patients"],
    patient_ids: Sequence[str],
    split: str,
    role: Role | Sequence[Role],
    model: str,
) -> pd.DataFrame:
    """One row a slice and one a patient, with the columns of `SCORE_COLUMNS`."""
    from scipy.special import expit

    patients, slices = slice_logit.shape
    logit = np.column_stack([slice_logit, patient_logit]).ravel()
    repeated = np.arange(patients).repeat(slices + 1)
    table = pd.DataFrame(
        {
            "split": split,
            "patient_id": np.asarray(patient_ids, dtype=object)[repeated],
            "slice": np.tile([*range(slices), PATIENT_LEVEL], patients),
            "role": role if isinstance(role, str) else np.asarray(role, dtype=object)[repeated],
            "model": model,
            "logit": logit,
            "probability": expit(logit),
        },
        columns=list(SCORE_COLUMNS),
    )
    return table.astype({"split": "string", "patient_id": "string", "role": "string", "model": "string"})


def no_scores() -> Scores:
    """An empty table of scores, where there is nothing to score."""
    empty = np.empty((0, 1)), np.empty(0)
    return Scores(score_table(*empty, [], "", "test", ""), {})


def joined(scores: Sequence[Scores]) -> Scores:
    """Several scores as one."""
    if not scores:
        return no_scores()
    fitted_on = {model: patients for one in scores for model, patients in one.fitted_on.items()}
    return Scores(pd.concat([one.table for one in scores], ignore_index=True), fitted_on)


def _refuse_seen(members: Sequence[Member], patient_ids: Sequence[str]) -> None:
    seen = {who for member in members for who in member.fitted_on}
    expected, remedy = "a patient no network has seen", "Score the patients of another split."
    leaks = [Problem(who, "a test patient", "seen in training", expected, remedy) for who in patient_ids if who in seen]
    raise_if_any(leaks, LeakageError)
