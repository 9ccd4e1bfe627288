"""How long does choosing among the eight classifiers take, beside the eight `GridSearchCV` of the paper's scripts?

105 simulated patients, 5 inner folds, the grids of the paper profile. The peer searches bare classifiers on features
that are prepared once, in as many processes as there are cores; ours prepares them anew in each inner fold as well.
Both see the same features and folds where scores are compared.
"""

from __future__ import annotations

import json
import os
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from hybrid_examples import a_cohort, configured, with_a_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from gliocast.hybrid import fit
from gliocast.hybrid.classifiers import build_classifier
from gliocast.hybrid.features import build_preprocessor, encode, outcome_codes
from gliocast.hybrid.nested import nested_selection
from gliocast.hybrid.selection import inner_folds, score_candidates, select

PATIENTS, SEED, REPEATS = 105, 7, 3
TARGET_SECONDS, TARGET_RATIO, TARGET_NESTED_SECONDS = 12, 5, 300
HYBRID = configured("paper")
FACTS = fit.facts_of("hybrid", HYBRID)


def main() -> None:
    """Print one JSON line a figure."""
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"  # for the peer's processes
    cohort = with_a_score(a_cohort(PATIENTS, seed=SEED))
    encoded, outcome = encode(cohort, FACTS), outcome_codes(cohort)
    features = build_preprocessor(list(FACTS.values())).fit_transform(encoded)
    theirs = [seconds(lambda name=name: grid_search(name, features, outcome)) for name in HYBRID.classifiers]
    folds = inner_folds(features, outcome, None, HYBRID.inner_folds, SEED)
    ours = [seconds(lambda: score_candidates(folds, HYBRID, SEED)) for _ in range(REPEATS)]
    whole = [seconds(lambda: select(encoded, outcome, list(FACTS.values()), HYBRID, SEED)) for _ in range(REPEATS)]
    report(
        "eight_grid_searches",
        {name: round(took, 2) for name, (took, _) in zip(HYBRID.classifiers, theirs, strict=True)},
        seconds=sum(took for took, _ in theirs),
    )
    mine, total = statistics.median(took for took, _ in ours), sum(took for took, _ in theirs)
    peer_scores = np.vstack([scores for _, scores in theirs])
    equal = bool(np.array_equal(ours[0][1].scores, peer_scores, equal_nan=True))
    report(
        "selection",
        {"candidates": len(peer_scores), "scores_equal": equal},
        seconds=mine,
        ratio=total / mine,
        target_seconds=TARGET_SECONDS,
        target_ratio=TARGET_RATIO,
        met=equal and mine <= TARGET_SECONDS and total >= TARGET_RATIO * mine,
    )
    report("selection_with_preprocessing_in_each_fold", {}, seconds=statistics.median(took for took, _ in whole))
    nested(cohort)


def nested(cohort: Any) -> None:
    """Ten repeats of five outer folds."""
    workers = os.cpu_count() or 1
    hybrid = HYBRID.model_copy(update={"workers": workers})
    took, _ = seconds(lambda: nested_selection(cohort, FACTS, hybrid, n_folds=5, n_repeats=10, seed=SEED))
    report(
        "nested_selection_5x10",
        {"workers": workers},
        seconds=took,
        target_seconds=TARGET_NESTED_SECONDS,
        met=took <= TARGET_NESTED_SECONDS,
    )


def grid_search(name: Any, features: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """The peer: one `GridSearchCV`, scores of each candidate and fold."""
    grid = [{key: list(values) for key, values in variant.items()} for variant in HYBRID.grids[name].values()]
    folds = StratifiedKFold(HYBRID.inner_folds, shuffle=True, random_state=SEED)
    search = GridSearchCV(build_classifier(name, {}, SEED), grid, scoring="accuracy", cv=folds, n_jobs=-1)
    found = search.fit(features, outcome).cv_results_
    return np.column_stack([found[f"split{number}_test_score"] for number in range(HYBRID.inner_folds)])


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """How long `work` takes, and what it gives."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def report(what: str, details: dict[str, Any], **figures: Any) -> None:
    """One JSON line."""
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
    print(json.dumps({"benchmark": "selection", "what": what, **rounded, **details}), flush=True)


if __name__ == "__main__":
    main()
