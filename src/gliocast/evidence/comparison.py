"""Two models on the same patients: differences, tests, and the sentence that says what follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, sqrt
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from gliocast.evidence import metrics
from gliocast.evidence.auc import NO_SPREAD, ONE_CLASS, ONE_PATIENT, degrees_of_freedom, delong_parts, has_lone_patient
from gliocast.evidence.bootstrap import (
    as_clusters,
    as_splits,
    bca_estimate,
    bca_p_value,
    bootstrap,
    jackknifed,
    resampled,
)
from gliocast.evidence.classification import NO_PAIR, NO_PROBABILITY
from gliocast.evidence.intervals import Z_95, Estimate, estimate

RELEVANT_DELTA_AUC = 0.05
POWER = 0.8
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Question:
    """What a comparison is asked: the sentence if the first model is better, and the one if it is not."""

    yes: str
    no: str

    @classmethod
    def between(cls, better: str, worse: str) -> Question:
        """Does `better` rank patients better than `worse`?"""
        return cls(
            f"{better} ranks patients better than {worse}", f"{better} does not rank patients better than {worse}"
        )


MRI_ADDS = Question("MRI adds", "MRI does not add")


def compare_paired(
    outcome: Bool[np.ndarray, " observations"],
    probability_a: Float[np.ndarray, " observations"],
    probability_b: Float[np.ndarray, " observations"],
    question: Question = MRI_ADDS,
    patients: Sequence[str] | np.ndarray | None = None,
    n_bootstrap: int = 2000,
    seed: int = 0,
    relevant_delta_auc: float = RELEVANT_DELTA_AUC,
    power: float = POWER,
    splits: Sequence[str] | np.ndarray | None = None,
    are_probabilities: bool = True,
) -> dict[str, Any]:
    """Is model a better than model b on the same patients?

    Args:
        outcome: True for long-term survivors.
        probability_a: scores of the first model (the hybrid one, when MRI is in question).
        probability_b: scores of the second.
        question: its two answers as sentences.
        patients: the patient of each observation, where one has several; then everything is bootstrapped by patient.
        n_bootstrap: number of bootstrap resamples.
        seed: of the resamples.
        relevant_delta_auc: the smallest gain in AUC that would matter to a clinic.
        power: with which that gain should be found.
        splits: the split of each observation, where each split has models of its own; then too everything is
            bootstrapped, and pairs of patients are counted within splits.
        are_probabilities: False where either model only ranks or answers, and so has no Brier score.

    Returns:
        `delta_auc` (a - b) as an estimate, `p_value` (two-sided, of no difference; None with a `reason`),
        `delta_brier` as an estimate (negative: a is better), `n_needed` and `verdict`, a sentence.
    """
    clusters = as_clusters(patients, len(outcome))
    n, places = int(clusters.max(initial=-1)) + 1, as_splits(splits, len(outcome))
    if len(outcome) > n or places.any():
        area = metrics.auc_within(places)
        pair = (outcome, probability_a, probability_b)
        delta, error, p_value = _bootstrapped_delta(area, *pair, clusters, n_bootstrap, seed)
    else:
        delta, error, p_value = paired_delong(outcome, probability_a, probability_b)
    needed = patients_needed(error, n, relevant_delta_auc, power)
    squares = partial(_mean_difference, (probability_a - outcome) ** 2, (probability_b - outcome) ** 2)
    no_brier = estimate(None, reason=NO_PROBABILITY)
    return {
        "delta_auc": delta,
        "p_value": p_value,
        "delta_brier": bootstrap(squares, clusters, n_bootstrap, seed) if are_probabilities else no_brier,
        "n_needed": needed,
        "verdict": verdict(delta, n, needed, question, relevant_delta_auc),
    } | ({"reason": delta["reason"]} if "reason" in delta else {})


def paired_delong(
    outcome: Bool[np.ndarray, " patients"],
    score_a: Float[np.ndarray, " patients"],
    score_b: Float[np.ndarray, " patients"],
) -> tuple[Estimate, float, float | None]:
    """Difference of two AUCs on the same patients with its interval, cut at -1 and 1, its standard error, and p.

    The interval and p are Student's: with the normal quantile one of two equal models is called the better in 6 % of
    samples where a class has 3 patients and the other 30, in place of 2.5 %.

    Returns:
        The difference, its standard error (NaN if unknown), and the two-sided p of no difference (None if unknown).

    Source: DeLong et al. 1988, doi:10.2307/2531595.
    """
    from scipy.special import stdtr, stdtrit

    if outcome.all() or not outcome.any():
        return estimate(None, reason=ONE_CLASS), float("nan"), None
    areas, parts = delong_parts(outcome, np.stack([score_a, score_b]))
    delta = float(areas[0] - areas[1])
    if has_lone_patient(outcome):
        return estimate(delta, reason=ONE_PATIENT), float("nan"), None
    of_each_class = parts[:, 0, 0] + parts[:, 1, 1] - 2 * parts[:, 0, 1]
    variance = float(of_each_class.sum())
    if variance <= 1e-15:  # rounding leaves about 1e-18 where the two rank everyone alike
        return estimate(delta, reason=f"{NO_SPREAD}, or the two models rank every patient alike"), float("nan"), None
    error, freedom = sqrt(variance), degrees_of_freedom(of_each_class, outcome)
    quantile = float(stdtrit(freedom, 0.975))
    interval = max(delta - quantile * error, -1.0), min(delta + quantile * error, 1.0)
    return estimate(delta, interval), error, float(2 * stdtr(freedom, -abs(delta) / error))


def verdict(delta: Estimate, n: int, n_needed: int | None, question: Question, relevant_delta_auc: float) -> str:
    """The plain sentence: yes, no, or that it cannot be told with so many test patients.

    Yes where the whole interval lies above zero; no where it lies below the relevant gain; else it cannot be told.
    """
    if delta["ci95"] is None:
        return f"cannot be told with {n} test patients: {delta['reason']}"
    low, high = delta["ci95"]
    if low > 0:
        return question.yes
    if high < relevant_delta_auc:
        return f"{question.no} (a gain of {relevant_delta_auc:g} in AUC is ruled out)"
    if n_needed is None or n_needed <= n:  # enough for the relevant gain; the one that was found is smaller
        return f"cannot be told with {n} test patients"
    gain = f"a gain of {relevant_delta_auc:g} in AUC"
    return f"cannot be told with {n} test patients; about {n_needed} would be needed to find {gain}"


def patients_needed(error: float, n: int, relevant_delta_auc: float, power: float) -> int | None:
    """Test patients needed to find a relevant gain (two-sided, 5 %), from the standard error that `n` of them gave.

    Those who are learnt from come on top of them. The standard error shrinks with the square root of n. Never fewer
    than the gain that counts demands; the observed difference does not enter, since power computed from an observed
    effect only repeats its p-value (Hoenig and Heisey 2001, doi:10.1198/000313001300339897).
    """
    from scipy.special import ndtri

    if not np.isfinite(error):
        return None
    return ceil(n * ((Z_95 + float(ndtri(power))) * error / relevant_delta_auc) ** 2)


def mcnemar(correct_a: Bool[np.ndarray, " patients"], correct_b: Bool[np.ndarray, " patients"]) -> dict[str, Any]:
    """McNemar's exact test that two models are right equally often: `only_a`, `only_b`, `p_value`.

    Source: McNemar 1947, doi:10.1007/BF02295996; exact binomial form.
    """
    from scipy.stats import binomtest

    only_a, only_b = int((correct_a & ~correct_b).sum()), int((correct_b & ~correct_a).sum())
    if only_a + only_b == 0:
        return {"only_a": 0, "only_b": 0, "p_value": None, "reason": "the two models are right on the same patients"}
    p_value = float(binomtest(only_a, only_a + only_b).pvalue)
    return {"only_a": only_a, "only_b": only_b, "p_value": p_value}


def bootstrap_difference(
    outcome: Bool[np.ndarray, " observations"],
    predicted_a: Bool[np.ndarray, " observations"],
    predicted_b: Bool[np.ndarray, " observations"],
    measure: Any,
    n_bootstrap: int,
    seed: int,
    patients: Sequence[str] | np.ndarray | None = None,
) -> Estimate:
    """Difference (a - b) of any measure of `evidence.metrics` that takes counts, with a BCa interval by patient."""

    def difference(weights: metrics.Weights) -> metrics.PerResample:
        first, second = (metrics.counts(outcome, predicted, weights) for predicted in (predicted_a, predicted_b))
        return measure(first) - measure(second)

    return bootstrap(difference, as_clusters(patients, len(outcome)), n_bootstrap, seed)


def holm(p_values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Holm's adjustment for several tests; a test without a p-value stays without and does not count.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65–70.
    """
    known = sorted((p, name) for name, p in p_values.items() if p is not None)
    stepped = np.maximum.accumulate([min(1.0, p * (len(known) - rank)) for rank, (p, _) in enumerate(known)])
    adjusted = {name: float(p) for (_, name), p in zip(known, stepped, strict=True)}
    return {name: adjusted.get(name) for name in p_values}


def as_one_of_several(comparison: Mapping[str, Any], p_value_holm: float | None, n_counted: int) -> dict[str, Any]:
    """A comparison that was made beside others: its verdict is yes only where Holm's p keeps below `SIGNIFICANT`."""
    delta, shown = comparison["delta_auc"]["ci95"], dict(comparison)
    if delta is not None and delta[0] > 0 and p_value_holm is not None and p_value_holm >= SIGNIFICANT:
        p_value = f"p is {p_value_holm:.3f}, not below {SIGNIFICANT}"
        shown["verdict"] = f"cannot be told as one of {n_counted} comparisons: counting all, {p_value}"
    return shown


def _bootstrapped_delta(
    area: Callable[[metrics.Outcome, metrics.Probability, metrics.Weights], metrics.PerResample],
    outcome: metrics.Outcome,
    probability_a: metrics.Probability,
    probability_b: metrics.Probability,
    clusters: np.ndarray,
    n_bootstrap: int,
    seed: int,
) -> tuple[Estimate, float, float | None]:
    """The difference with its BCa interval, its standard error (NaN if undefined), and the p of that interval."""

    def difference(weights: metrics.Weights) -> metrics.PerResample:
        return area(outcome, probability_a, weights) - area(outcome, probability_b, weights)

    value = float(difference(np.ones((1, len(clusters))))[0])
    if not np.isfinite(value):
        return estimate(None, reason=NO_PAIR), float("nan"), None
    drawn, without_one = difference(resampled(clusters, n_bootstrap, seed)), difference(jackknifed(clusters))
    delta = bca_estimate(value, drawn, without_one)
    error = float("nan") if delta["ci95"] is None else float(np.nanstd(drawn, ddof=1))
    return delta, error, bca_p_value(value, drawn, without_one)


def _mean_difference(
    first: metrics.Probability, second: metrics.Probability, weights: metrics.Weights
) -> metrics.PerResample:
    return metrics.ratio(weights @ (first - second), weights.sum(axis=1))
