"""Nodes of the evidence pipeline that look at the time of death instead of a class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gliocast.cohort.parameters import CohortParameters
from gliocast.evidence.classes import class_performance, observed_classes, predicted_classes
from gliocast.evidence.guard import check_not_fitted_on
from gliocast.evidence.intervals import as_columns
from gliocast.evidence.parameters import EvidenceParameters
from gliocast.evidence.survival_curves import kaplan_meier, logrank, survival_at
from gliocast.evidence.survival_metrics import Followup, ScoredSplit, survival_performance
from gliocast.evidence.survival_models import MODELS
from gliocast.hybrid.features import IMAGE_SCORE, build_preprocessor, encode
from gliocast.hybrid.fit import facts_of
from gliocast.hybrid.fitted import CLINICAL, HYBRID, with_image_score
from gliocast.hybrid.parameters import HybridParameters
from gliocast.pipelines.evidence.nodes import with_probability
from gliocast.reporting import figures
from gliocast.types import Figure, ImageScoreKind, Partition, Scores, Split, Table

STEP_DAYS = 30.0


def assess_time_to_event(
    unclassed_cohort: Table,
    training_cohort: Table,
    test_predictors: Table,
    test_outcomes: Table,
    image_scores: Scores,
    partition: Partition,
    cohort: CohortParameters,
    hybrid: HybridParameters,
    image_score: ImageScoreKind,
    evidence: EvidenceParameters,
    seed: int,
) -> tuple[Table, Table]:
    """Survival models on the predictors of the clinical and of the hybrid model, tested on the same patients.

    Patients without a class, censored before the threshold, are taught from here as everyone else: the models read
    how long they were followed. The networks did not learn from them and give them no score, so they have the median
    one: a mark of its absence would tell who was alive. Nobody else is taught from: of patients without an image, say,
    those alive alone would make everyone seem to be lost early. The second table sorts the same predictions into three
    and more classes.
    """
    taught = pd.concat([training_cohort, unclassed_cohort])
    # where the threshold is a median, all who are tested were followed to their death
    known_from_days = np.inf if cohort.threshold_mode == "training_median" else float(cohort.survival_threshold_days)
    last = max([*evidence.horizons_days, *(days for cuts in evidence.classes_days for days in cuts)])
    times = np.arange(STEP_DAYS, last + STEP_DAYS, STEP_DAYS)
    outcomes = test_outcomes.set_index("patient_id")
    study = _Study(taught, test_predictors, outcomes, image_scores, partition, known_from_days, hybrid, times, seed)
    rows, class_rows = [], []
    for predictors in (CLINICAL, HYBRID) if image_score != "none" else (CLINICAL,):
        for model in MODELS:
            names = {"model": model, "predictors": predictors}
            tested = [study.tested(model, predictors, split) for split in partition.splits]
            found = survival_performance(tested, evidence.horizons_days, evidence.n_bootstrap, seed)
            rows.append({**names, **as_columns(found)})
            class_rows += [{**names, **row} for row in _in_classes(tested, outcomes, evidence, seed)]
    return pd.DataFrame(rows), pd.DataFrame(class_rows)


def _in_classes(
    tested: Sequence[ScoredSplit], outcomes: Table, evidence: EvidenceParameters, seed: int
) -> Iterator[dict[str, Any]]:
    """Classes by the mean of a patient's survival curves over the repeats; nobody is ranked against another here."""
    times = tested[0].prediction.times_days
    said = _mean_by_patient(tested, [split.prediction.survival for split in tested])
    same = _mean_by_patient(tested, [_taught_curve(split, times) for split in tested])
    test = _followup(outcomes.loc[said.index])
    for thresholds in evidence.classes_days:
        observed = observed_classes(test.days, test.died, thresholds)
        answer, majority = (predicted_classes(times, curves.to_numpy(), thresholds) for curves in (said, same))
        found = class_performance(observed, answer, majority, len(thresholds) + 1, evidence.n_bootstrap, seed)
        yield {"thresholds_days": ", ".join(map(str, thresholds)), **as_columns(found)}


def _taught_curve(split: ScoredSplit, times_days: np.ndarray) -> np.ndarray:
    """The training patients' Kaplan–Meier curve, for each of those tested."""
    curve = survival_at(kaplan_meier(split.training.days, split.training.died), times_days)
    return np.broadcast_to(curve, (len(split.patients), len(curve)))


def _mean_by_patient(tested: Sequence[ScoredSplit], curves: Sequence[np.ndarray]) -> Table:
    """Each patient's curve, averaged over the splits that test them."""
    rows = [pd.DataFrame(part, index=list(split.patients)) for split, part in zip(tested, curves, strict=True)]
    return pd.concat(rows).groupby(level=0).mean()


def compare_predicted_groups(predictions: Scores, test_outcomes: Table) -> Figure:
    """Kaplan–Meier curves of the test patients whom the best model calls short-term and long-term, with log-rank.

    A patient of several repeats is called what most of them say, and long-term where they are even.
    Where several splits are tested there is no p: each patient taught those who called the others, so that calls that
    mean nothing differ at p < 0.05 in a tenth of all cohorts. Simon et al. 2011, doi:10.1093/bib/bbr001.
    """
    models = dict(with_probability(predictions, test_outcomes))
    name = HYBRID if HYBRID in models else CLINICAL
    called = models[name].astype({"predicted": float}).groupby("patient_id")["predicted"].mean() >= 0.5
    groups = {
        group: _followup(test_outcomes[test_outcomes["patient_id"].map(called).eq(is_long)])
        for group, is_long in (("called_short_term", False), ("called_long_term", True))
    }
    filled = {group: followup for group, followup in groups.items() if len(followup.days)}
    curves = [kaplan_meier(followup.days, followup.died, group) for group, followup in filled.items()]
    tested = logrank({group: (followup.days, followup.died) for group, followup in filled.items()})
    p_value = tested["p"] if len(set(models[name]["split"])) == 1 else None
    title = f"Survival of the test patients by what the {name} model calls them"
    return figures.kaplan_meier(pd.concat(curves, ignore_index=True), p_value, title)


@dataclass(frozen=True)
class _Study:
    """The patients and the features of one comparison of survival models; `outcomes` by `patient_id`."""

    taught: Table
    test_predictors: Table
    outcomes: Table
    image_scores: Scores
    partition: Partition
    known_from_days: float
    hybrid: HybridParameters
    times_days: np.ndarray
    seed: int

    def tested(self, model: str, predictors: str, split: Split) -> ScoredSplit:
        """What the model says of the split's test patients, and what happened to them."""
        facts, scale = facts_of(predictors, self.hybrid), self.hybrid.image_scale
        taught = [*split.training, *self._unclassed(split)["patient_id"]]
        training = with_image_score(self.taught, split.name, taught, self.image_scores, "out_of_fold", scale)
        has_class = training["patient_id"].isin(split.training)
        training[IMAGE_SCORE] = training[IMAGE_SCORE].where(has_class, training[IMAGE_SCORE].median())
        test = with_image_score(self.test_predictors, split.name, split.test, self.image_scores, "test", scale)
        check_not_fitted_on(f"{split.name}/{model}", training["patient_id"], split.test)
        preprocessor = build_preprocessor(list(facts.values()))
        features = np.asarray(preprocessor.fit_transform(encode(training, facts)), dtype=float)
        scored = np.asarray(preprocessor.transform(encode(test, facts)), dtype=float)
        followup = _followup(training)
        prediction = MODELS[model](features, followup, scored, self.times_days, self.seed)
        tested = _followup(self.outcomes.loc[list(split.test)])
        return ScoredSplit(split.test, tested, prediction, followup, self.known_from_days)

    def _unclassed(self, split: Split) -> Table:
        """Who teaches without a class: where a centre is tested, nobody who may be of it."""
        unclassed = self.taught[~self.taught["patient_id"].isin(self.partition.patients)]
        if self.partition.scheme != "leave_one_centre_out":
            return unclassed
        return unclassed[(unclassed["centre"] != split.stratum).fillna(False).astype(bool)]


def _followup(patients: Table) -> Followup:
    died = patients["event_observed"].astype("boolean").fillna(False).to_numpy(dtype=bool)
    return Followup(patients["survival_days"].to_numpy(dtype=float), died)
