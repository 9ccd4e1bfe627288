"""The paper's own protocol for the hybrid models, which leaks; kept beside the honest one for comparison only.

Moreau et al., sections 2.3 and 3.3, and the released scripts: all patients are split anew, although most of them have
trained the network; the scaler is fitted on everyone; the classifier is chosen by its accuracy on the test patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from gliocast.evidence.metrics import logit
from gliocast.hybrid.classifiers import build_classifier, with_probability
from gliocast.hybrid.features import IMAGE_SCORE, build_preprocessor, encode, outcome_codes
from gliocast.hybrid.fit import facts_of, model_names
from gliocast.hybrid.fitted import CLINICAL, HYBRID, FittedModel, prediction_rows
from gliocast.hybrid.parameters import HybridParameters
from gliocast.hybrid.selection import Candidate, FittedPair, inner_folds, quick_scikit_learn, score_candidates
from gliocast.types import ImageScoreKind, Partition, Scores

PAPER = "paper"


def follow_paper(
    cohort: pd.DataFrame,
    paper_scores: Scores,
    partition: Partition,
    hybrid: HybridParameters,
    image_score: ImageScoreKind,
    seed: int,
) -> tuple[Scores, dict[str, Any]]:
    """Fit and test as the paper does.

    Args:
        cohort: all patients, with outcome.
        paper_scores: everyone's score from the paper's single image model, whether it had seen them or not.
        partition: whose `paper` fold says whom that model was fitted on.
        hybrid: predictors, classifiers, grids, and the share of test patients.
        image_score: where the image score comes from.
        seed: of the second split, the inner folds and the classifiers.

    Returns:
        Predictions as of `FittedModels.score`, with the role `in_sample`; and a record: `chosen`, for each learnt model
        its classifier, chosen by its accuracy on these very patients; `n_test_patients`, the paper's; and `seen`, how
        many of them each stage had seen.
    """
    patients = cohort.assign(**{IMAGE_SCORE: _paper_score(cohort, paper_scores)})
    test = second_split(len(patients), hybrid.paper_protocol.test_fraction, seed)
    rows = []
    fitted_on: dict[str, tuple[str, ...]] = {}
    chosen: dict[str, str] = {}
    for name in model_names(image_score):
        model = _fit(name, patients, test, paper_scores, hybrid, seed)
        rows.append(prediction_rows(model, _on_scale(patients[test], model.image_scale), "in_sample"))
        fitted_on[model.key] = model.fitted_on
        chosen |= {name: model.candidate.classifier} if model.candidate else {}
    tested = set(patients.loc[test, "patient_id"])
    record = {"chosen": chosen, "n_test_patients": len(tested), "seen": _seen(tested, partition, image_score)}
    return Scores(pd.concat(rows, ignore_index=True), fitted_on), record


def second_split(n_patients: int, test_fraction: float, seed: int) -> np.ndarray:
    """Which patients the paper's second split tests: drawn at random, whoever trained the network (section 3.3)."""
    tested = np.random.default_rng(seed).permutation(n_patients)[: max(1, round(n_patients * test_fraction))]
    return np.isin(np.arange(n_patients), tested)


def _fit(
    name: str, patients: pd.DataFrame, test: np.ndarray, paper_scores: Scores, hybrid: HybridParameters, seed: int
) -> FittedModel:
    facts = facts_of(name, hybrid)
    by_image = tuple(patient for seen in paper_scores.fitted_on.values() for patient in seen)
    model = FittedModel(
        name=name,
        split=PAPER,
        facts=facts,
        image_scale=hybrid.image_scale if name == HYBRID else "probability",
        prevalence=float(outcome_codes(patients[~test]).mean()),
        threshold=0.5,
        fitted_on=by_image if IMAGE_SCORE in facts else tuple(patients.loc[~test, "patient_id"]),
    )
    if name not in (CLINICAL, HYBRID):
        return model
    table = _on_scale(patients, model.image_scale)
    encoded, outcome = encode(table, facts), outcome_codes(table)
    candidate, pair = _best_on_test(encoded, outcome, test, list(facts.values()), hybrid, seed)
    everyone = tuple(patients["patient_id"])  # the scaler has seen them all
    return replace(model, candidate=candidate, pair=pair, fitted_on=everyone)


def _best_on_test(
    encoded: Float[np.ndarray, "patients predictors"],
    outcome: Int[np.ndarray, " patients"],
    test: np.ndarray,
    facts: Sequence[Any],
    hybrid: HybridParameters,
    seed: int,
) -> tuple[Candidate, FittedPair]:
    """The best settings of each classifier on inner folds, then the classifier that does best on the test patients."""
    preprocessor = build_preprocessor(facts).fit(encoded)
    features = preprocessor.transform(encoded)
    folds = inner_folds(features[~test], outcome[~test], None, hybrid.inner_folds, seed)
    selection = score_candidates(folds, hybrid, seed)
    tested: list[tuple[float, Candidate, FittedPair]] = []
    for name in selection.classifiers:
        candidate = selection.candidates[selection.best_of(name)]
        classifier = with_probability(name, build_classifier(name, candidate.settings, seed), outcome[~test])
        with quick_scikit_learn(checked=True):
            pair = FittedPair(preprocessor, classifier.fit(features[~test], outcome[~test]))
        accuracy = float(((pair.probability(encoded[test]) >= 0.5) == (outcome[test] == 1)).mean())
        tested.append((accuracy, candidate, pair))
    _, best, fitted = max(tested, key=lambda fit: fit[0])
    return best, fitted


def _paper_score(cohort: pd.DataFrame, paper_scores: Scores) -> np.ndarray:
    scores = paper_scores.table.drop_duplicates("patient_id").set_index("patient_id")["probability"]
    return scores.astype(np.float64).reindex(cohort["patient_id"]).to_numpy(dtype=np.float64)


def _on_scale(patients: pd.DataFrame, scale: str) -> pd.DataFrame:
    if scale == "probability":
        return patients.reset_index(drop=True)
    return patients.assign(**{IMAGE_SCORE: logit(patients[IMAGE_SCORE].to_numpy())}).reset_index(drop=True)


def _seen(tested: set[str], partition: Partition, image_score: ImageScoreKind) -> dict[str, int]:
    by_image = {
        "image_model_training": len(tested & set(partition.paper.fit)),
        "image_model_stopping": len(tested & set(partition.paper.stop)),
    }
    later = {"scaling": len(tested), "choice_of_classifier": len(tested)}
    return later if image_score == "none" else {**by_image, **later}
