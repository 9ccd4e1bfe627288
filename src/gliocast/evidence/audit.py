"""The proof by simulation: what a protocol claims, beside what its model is worth on new patients.

Cohorts are drawn from a law that is known, put through the honest protocol and through the paper's, and the chosen
models are scored on many new patients of the same law. Everything happens at the level of features: the network is its
answer, and "it memorises" means that it knows the outcome of the patients it was trained on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from gliocast.evidence.auc import delong
from gliocast.evidence.audit_classifiers import CLASSIFIERS, standardised
from gliocast.evidence.audit_law import Patients, cnn_logits, draw_patients
from gliocast.evidence.comparison import paired_delong
from gliocast.evidence.intervals import wilson
from gliocast.evidence.parameters import AuditParameters
from gliocast.processes import in_processes
from gliocast.types import Choice

_log = logging.getLogger(__name__)
Protocol: TypeAlias = Literal["honest", "paper"]
NEW_PATIENTS_STREAM = 1  # each chunk has new patients of its own: one sample for all would err for all alike
Members: TypeAlias = Bool[np.ndarray, "cohorts patients"]
Probabilities: TypeAlias = Float[np.ndarray, "cohorts patients"]


@dataclass(frozen=True)
class Design:
    """In each cohort: whom the network was trained on, who trains the classifiers, who fits the scaler."""

    seen: Members
    training: Members
    scaled_on: Members


def n_chunks(audit: AuditParameters) -> int:
    """Into how many pieces the cohorts are divided."""
    return -(-audit.n_cohorts // audit.chunk)


def audit_chunks_in_parallel(
    table1: Mapping[str, Any], audit: AuditParameters, choice: Choice, seed: int, chunks: Sequence[int]
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Each piece with its number, as soon as it is done; the result does not depend on the number of workers."""
    workers = min(audit.workers, max(len(chunks), 1))
    numbered = partial(_numbered, table1, audit, choice, seed)
    done = in_processes(workers, numbered, chunks, return_as="generator_unordered")
    for count, (chunk, runs) in enumerate(done, start=1):
        _log.info("audit: piece %d of %d done", count, len(chunks))
        yield chunk, runs


def _numbered(
    table1: Mapping[str, Any], audit: AuditParameters, choice: Choice, seed: int, chunk: int
) -> tuple[int, pd.DataFrame]:
    return chunk, audit_chunk(table1, audit, choice, seed, chunk)


def audit_chunk(
    table1: Mapping[str, Any], audit: AuditParameters, choice: Choice, seed: int, chunk: int
) -> pd.DataFrame:
    """All scenarios on one piece of the cohorts: one row a cohort and scenario.

    Args:
        table1: Table 1 by outcome, see `audit_law.draw_patients`.
        audit: the parameters.
        choice: of the honest protocol among the classifiers, as `hybrid.choice`.
        seed: of the whole audit.
        chunk: number of the piece; each has random numbers of its own, and every scenario sees the same patients.
    """
    first = chunk * audit.chunk
    shape = (min(audit.chunk, audit.n_cohorts - first), audit.n_patients)
    here, elsewhere = np.random.default_rng([seed, 0, chunk]), np.random.default_rng([seed, NEW_PATIENTS_STREAM, chunk])
    cohorts = draw_patients(table1, audit.age_sd_years, shape, here)
    new = draw_patients(table1, audit.age_sd_years, (1, audit.n_new_patients), elsewhere)
    folds = here.permuted(np.tile(np.arange(shape[1]) % audit.inner_folds, (shape[0], 1)), axis=1)
    rows: list[dict[str, Any]] = []
    for protocol, design_of in DESIGNS.items():
        study = Study(cohorts.outcome, design_of(shape, audit, here), folds, protocol, audit, choice)
        rows += _rows_of_protocol(cohorts, new, study)
    return pd.DataFrame(rows).assign(cohort=lambda table: first + table["cohort"])


def _rows_of_protocol(cohorts: Patients, new: Patients, study: Study) -> Iterator[dict[str, Any]]:
    clinical = study.run(cohorts.clinical, new.clinical)
    for signal in study.audit.image_signals:
        # A network that has seen none of these patients has memorised none of them: one run answers for both.
        kinds = (True, False) if study.design.seen.any() else (False,)
        hybrid = {memorises: study.run(*_with_images(cohorts, new, signal, memorises, study)) for memorises in kinds}
        for memorises in (True, False):
            scenario = {"image_signal": signal, "memorises": memorises, "protocol": study.protocol}
            for row in _compared(cohorts, new, hybrid.get(memorises, hybrid[False]), clinical, study.design):
                yield scenario | row


def _with_images(
    cohorts: Patients, new: Patients, signal: float, memorises: bool, study: Study
) -> tuple[np.ndarray, np.ndarray]:
    strength = study.audit.memorised_logit if memorises else 0.0
    nobody = np.zeros_like(new.outcome)
    return (
        _with_image(cohorts, cnn_logits(cohorts.latent(signal), cohorts.outcome, study.design.seen, strength)),
        _with_image(new, cnn_logits(new.latent(signal), new.outcome, nobody, strength)),
    )


def _compared(
    cohorts: Patients, new: Patients, hybrid: Answers, clinical: Answers, design: Design
) -> Iterator[dict[str, Any]]:
    for number, test in enumerate(~design.training):
        truth = (cohorts.outcome[number, test], new.outcome[0])
        seen = int((design.seen[number] & test).sum())
        yield {"cohort": number, "n_test_patients_seen": seen} | _row(
            *truth, hybrid.of(number, test), clinical.of(number, test)
        )


def _with_image(patients: Patients, logit: Probabilities) -> Float[np.ndarray, "cohorts patients features"]:
    probability = 1 / (1 + np.exp(-logit))
    return np.concatenate([patients.clinical, probability[..., None]], axis=2)


def _honest_design(shape: tuple[int, int], audit: AuditParameters, generator: np.random.Generator) -> Design:
    """Test patients that nothing has seen; every training patient's image score is out-of-fold."""
    training = ~_drawn(shape, audit.honest_test_share, generator)
    return Design(np.zeros(shape, dtype=bool), training, training)


def _paper_design(shape: tuple[int, int], audit: AuditParameters, generator: np.random.Generator) -> Design:
    """The network sees 60 %; then everyone is split anew, and the scaler sees everyone."""
    seen = _drawn(shape, audit.cnn_training_share, generator)
    return Design(seen, ~_drawn(shape, audit.paper_test_share, generator), np.ones(shape, dtype=bool))


DESIGNS: dict[Protocol, Callable[[tuple[int, int], AuditParameters, np.random.Generator], Design]] = {
    "honest": _honest_design,
    "paper": _paper_design,
}


def _drawn(shape: tuple[int, int], share: float, generator: np.random.Generator) -> Members:
    chosen = np.arange(shape[1]) < round(share * shape[1])
    return generator.permuted(np.tile(chosen, (shape[0], 1)), axis=1)


@dataclass(frozen=True)
class Answers:
    """Probabilities of the chosen classifier: of the cohort's own patients, and of the new ones."""

    own: Probabilities
    new: Float[np.ndarray, "cohorts new_patients"]

    def of(self, number: int, test: Bool[np.ndarray, " patients"]) -> tuple[np.ndarray, np.ndarray]:
        return self.own[number, test], self.new[number]


@dataclass(frozen=True)
class Study:
    """Classifiers fitted, chosen and scored on many cohorts at once."""

    outcome: Members
    design: Design
    folds: np.ndarray
    protocol: Protocol
    audit: AuditParameters
    choice: Choice

    def run(self, features: np.ndarray, new: np.ndarray) -> Answers:
        everywhere = np.broadcast_to(new, (len(features), *new.shape[1:]))
        own, others = standardised(features, self.design.scaled_on.astype(float), everywhere)
        candidates = [(name, setting) for name, settings in self.audit.classifiers.items() for setting in settings]
        inner = np.stack([self._inner_accuracies(own, *candidate) for candidate in candidates])
        training = self.design.training.astype(float)
        fitted = np.stack([CLASSIFIERS[name](own, self.outcome, training, own, value) for name, value in candidates])
        chosen = self._choice(inner, fitted, np.array([name for name, _ in candidates]))
        answers = np.empty((len(own), others.shape[1]))
        for number in np.unique(chosen):
            who, (name, setting) = chosen == number, candidates[number]
            answers[who] = CLASSIFIERS[name](own[who], self.outcome[who], training[who], others[who], setting)
        return Answers(fitted[chosen, np.arange(len(own))], answers)

    def _inner_accuracies(self, own: np.ndarray, name: str, setting: float) -> Float[np.ndarray, "folds cohorts"]:
        """Accuracy on each inner fold of the training patients."""
        accuracies = []
        for fold in range(self.audit.inner_folds):
            held_out = self.design.training & (self.folds == fold)
            fit = (self.design.training & ~held_out).astype(float)
            answers = CLASSIFIERS[name](own, self.outcome, fit, own, setting) >= 0.5
            accuracies.append(((answers == self.outcome) & held_out).sum(axis=1) / held_out.sum(axis=1))
        return np.stack(accuracies)

    def _choice(self, inner: np.ndarray, fitted: np.ndarray, families: np.ndarray) -> np.ndarray:
        """Honest: by the inner folds alone. Paper: each family's best there, then the best of these on the test."""
        means, members = inner.mean(axis=1), families == np.array([[name] for name in self.audit.classifiers])
        winners = np.where(members[..., None], means, -1.0).argmax(axis=1)
        if self.protocol == "honest":
            best = winners[chosen_family(inner, winners, self.choice), np.arange(inner.shape[2])]
            return np.asarray(best)
        right = ((fitted >= 0.5) == self.outcome) & ~self.design.training
        on_test = np.take_along_axis(right.sum(axis=2), winners, axis=0)
        return np.take_along_axis(winners, on_test.argmax(axis=0)[None], axis=0)[0]


def chosen_family(
    inner: Float[np.ndarray, "candidates folds cohorts"],
    winners: Int[np.ndarray, "families cohorts"],
    choice: Choice,
) -> Int[np.ndarray, " cohorts"]:
    """The first family, in the order of preference, whose best candidate is good enough; as `hybrid.choice` says.

    Good enough is the highest mean accuracy, or less than it by no more than one standard error of the best candidate.

    Source: Breiman et al. 1984, Classification and Regression Trees, section 3.4.3.
    """
    means = np.take_along_axis(inner.mean(axis=1), winners, axis=0)
    if choice == "best":
        return np.asarray(means.argmax(axis=0))
    spread = inner.std(axis=1, ddof=1) / np.sqrt(inner.shape[1])
    of_best = np.take_along_axis(spread, np.take_along_axis(winners, means.argmax(axis=0)[None], axis=0), axis=0)[0]
    return np.asarray((means >= means.max(axis=0) - of_best).argmax(axis=0))


def _row(
    outcome: Bool[np.ndarray, " test"],
    new_outcome: Bool[np.ndarray, " new_patients"],
    hybrid: tuple[np.ndarray, np.ndarray],
    clinical: tuple[np.ndarray, np.ndarray],
) -> dict[str, Any]:
    """Claims on the test patients with their intervals, and the truth on the new ones."""
    difference, *_ = paired_delong(outcome, hybrid[0], clinical[0])
    row: dict[str, Any] = {"mri_adds": bool(difference["ci95"] and difference["ci95"][0] > 0)}
    for name, (own, new) in (("", hybrid), ("clinical_", clinical)):
        accuracy = wilson(int(((own >= 0.5) == outcome).sum()), len(outcome))
        area = delong(outcome, own)
        row |= _claim(f"claimed_{name}accuracy", accuracy) | _claim(f"claimed_{name}auc", area)
        row |= {f"true_{name}accuracy": float(((new >= 0.5) == new_outcome).mean())}
        row |= {f"true_{name}auc": delong(new_outcome, new)["value"]}
    return row


def _claim(name: str, claimed: Mapping[str, Any]) -> dict[str, float]:
    low, high = claimed["ci95"] or (np.nan, np.nan)
    value = np.nan if claimed["value"] is None else claimed["value"]
    return {name: value, f"{name}_lower": low, f"{name}_upper": high}
