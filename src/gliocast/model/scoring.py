"""Scores of patients by fitted networks, at both levels, with who the networks have seen."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from gliocast.errors import LeakageError, Problem, raise_if_any
from gliocast.model.backbone import build_network, placed
from gliocast.model.device import device_to_score_on, private_randomness, resident
from gliocast.model.endings import clear_ending
from gliocast.model.ensemble import Ensemble, Member
from gliocast.model.parameters import ModelParameters, Pooling
from gliocast.model.pooling import long_term_logits, pooled, stack_logits
from gliocast.model.tensors import Device, Module
from gliocast.types import PATIENT_LEVEL, SCORE_COLUMNS, Role, Scores, Split


@dataclass(frozen=True)
class Scorer:
    """The networks of one split, built once, for patients who come one by one."""

    params: ModelParameters
    split: str
    networks: tuple[Module, ...]
    device: Device
    seen: frozenset[str]

    def score(self, stacks: Float[Any, "patients slices height width"], patient_ids: Sequence[str]) -> Scores:
        """Score patients whom no network has seen, by the mean of the networks (role `test`).

        Args:
            stacks: the patients' slices.
            patient_ids: one a stack.

        Returns:
            Scores at slice and patient level; the ensemble bears the split's name.

        Raises:
            LeakageError: a network has seen one of the patients.
            TrainingError: the memory is full.
        """
        _refuse_seen(self.seen, patient_ids)
        with clear_ending(f"the scores of {self.split}"):
            there = resident(stacks, self.device)
            logits = [long_term_logits(*stack_logits(one, there, self.params), self.params) for one in self.networks]
        slice_logit, patient_logit = (np.stack(of_networks) for of_networks in zip(*logits, strict=True))
        pooling: Pooling = "mean_probability" if self.params.pooling == "mean_probability" else "mean_logit"
        mean_slice, mean_patient = pooled(np.moveaxis(slice_logit, 0, -1), pooling), pooled(patient_logit.T, pooling)
        table = score_table(mean_slice, mean_patient, patient_ids, self.split, "test", self.split)
        return Scores(table, {self.split: tuple(sorted(self.seen))})


def scorer_of(ensemble: Ensemble, split: str) -> Scorer:
    """The networks of that split on the first of the devices, ready to score.

    Raises:
        ConfigurationError: the split has none.
    """
    device, members = device_to_score_on(ensemble.params.devices), ensemble.of_split(split)
    networks = tuple(rebuilt(member, ensemble.params, device) for member in members)
    seen = frozenset(who for member in members for who in member.fitted_on)
    return Scorer(ensemble.params, split, networks, device, seen)


def score_patients(
    ensemble: Ensemble,
    stacks: Float[Any, "patients slices height width"],
    patient_ids: Sequence[str],
    split: Split,
) -> Scores:
    """Score patients once by the networks of a split; see `Scorer.score`."""
    return scorer_of(ensemble, split.name).score(stacks, patient_ids)


def member_logits(
    member: Member, params: ModelParameters, stacks: Float[Any, "patients slices height width"]
) -> tuple[Float[np.ndarray, "patients slices"], Float[np.ndarray, " patients"]]:
    """Logits of long-term survival of slices and patients by one network."""
    device = device_to_score_on(params.devices)
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


def _refuse_seen(seen: Set[str], patient_ids: Sequence[str]) -> None:
    expected, remedy = "a patient no network has seen", "Score the patients of another split."
    leaks = [Problem(who, "a test patient", "seen in training", expected, remedy) for who in patient_ids if who in seen]
    raise_if_any(leaks, LeakageError)
