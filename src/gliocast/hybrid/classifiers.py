"""The eight classifiers of Moreau et al., section 2.3, and which of their settings have an effect."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from gliocast.errors import ConfigurationError, Problem, raise_if_any
from gliocast.hybrid.parameters import ClassifierName, HybridParameters, Settings, SettingValue

KERNELS_WITHOUT = {  # settings of the support vector classifier that a kernel never reads
    "linear": {"gamma", "degree", "coef0"},
    "rbf": {"degree", "coef0"},
    "sigmoid": {"degree"},
    "poly": set(),
    "precomputed": set(),
}
# LIBSVM's own bound, which scikit-learn lifts. Patients of two classes who are all but equal, as a network that has
# learnt nothing leaves them, kept it beyond ten minutes; six hundred with some signal take less than a tenth of it.
SVC_STEPS = 10_000_000
PLATT_FOLDS = 5


def build_classifier(name: ClassifierName, settings: Settings, seed: int) -> Any:
    """An unfitted scikit-learn classifier with `settings`; deterministic given `seed`."""
    return _constructor(name, seed).set_params(**settings)


def with_probability(name: ClassifierName, classifier: Any, outcome: Int[np.ndarray, " patients"]) -> Any:
    """The classifier, made able to give probabilities: a support vector classifier learns Platt's sigmoid.

    It learns it on five folds of the patients, whose `outcome` is 0 or 1, or on as many as the rarer outcome fills.

    Source: Platt 1999, as in scikit-learn's `CalibratedClassifierCV(ensemble=False)`.
    """
    if name != "svc":
        return classifier
    from sklearn.calibration import CalibratedClassifierCV

    folds = min(PLATT_FOLDS, int(np.bincount(outcome, minlength=2).min()))
    return CalibratedClassifierCV(classifier, method="sigmoid", cv=folds, ensemble=False)


def without_rows(fitted: Any) -> Any:
    """The fitted classifier without rows that it was fitted on, where it can do without them.

    A linear support vector classifier answers by its weights, and scikit-learn keeps its support vectors beside them,
    which are patients. In its place stands the same classifier as `LinearSVC`, which has nothing but weights.
    """
    for calibrated in getattr(fitted, "calibrated_classifiers_", ()):
        if getattr(calibrated.estimator, "kernel", None) == "linear":
            calibrated.estimator = _weights_of(calibrated.estimator)
    return fitted


def keeps_rows(name: ClassifierName, settings: Settings) -> bool:
    """Whether a fit cannot do without rows that it was fitted on: neighbours, and vectors behind a curved border."""
    return name == "k_neighbours" or (name == "svc" and settings.get("kernel", "rbf") != "linear")


def _weights_of(fitted: Any) -> Any:
    from sklearn.svm import LinearSVC

    linear = LinearSVC()
    linear.coef_, linear.intercept_ = fitted.coef_, fitted.intercept_
    linear.classes_, linear.n_features_in_ = fitted.classes_, fitted.n_features_in_
    return linear


def effective_settings(name: ClassifierName, settings: Settings, n_features: int) -> Settings:
    """The settings without those that have no effect: two candidates with the same ones are the same model.

    Args:
        name: the classifier.
        settings: as they stand in the grid.
        n_features: the number of columns that the classifier is fitted on, which turns a share of them into a number.
    """
    settings = dict(settings)
    if name == "svc":
        unread = KERNELS_WITHOUT[str(settings.get("kernel", "rbf"))]
        return {key: value for key, value in settings.items() if key not in unread}
    if name in ("decision_tree", "random_forest"):
        if settings.get("criterion") == "log_loss":  # scikit-learn's other name of the same criterion
            settings["criterion"] = "entropy"
        if "max_features" in settings:
            settings["max_features"] = number_of_features(settings["max_features"], n_features)
        split, leaf = settings.get("min_samples_split", 2), settings.get("min_samples_leaf", 1)
        if isinstance(split, int) and isinstance(leaf, int):  # a split leaves two leaves
            settings["min_samples_split"] = max(split, 2 * leaf)
    return settings


def check_grids(hybrid: HybridParameters) -> None:
    """Raise for settings that a classifier does not have, and for values that scikit-learn refuses.

    Forests are grown without scikit-learn's own look at their settings; at those of others it looks when they are
    fitted.

    Raises:
        ConfigurationError: with one problem a setting or value.
    """
    raise_if_any(
        [
            problem
            for name in hybrid.classifiers
            for variant, settings in hybrid.grids[name].items()
            for setting, values in settings.items()
            for problem in _setting_problems(name, f"hybrid.grids.{name}.{variant}.{setting}", setting, values)
        ],
        ConfigurationError,
    )


def _setting_problems(
    name: ClassifierName, where: str, setting: str, values: Sequence[SettingValue]
) -> Iterator[Problem]:
    from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

    classifier = _constructor(name, 0)
    if setting not in classifier.get_params():
        yield Problem("–", where, "unknown setting", _known(name), "Correct its name.")
        return
    constraints = getattr(classifier, "_parameter_constraints", {})  # XGBoost has none, and refuses by itself
    for value in values if setting in constraints else ():
        try:
            validate_parameter_constraints(constraints, {setting: value}, type(classifier).__name__)
        except InvalidParameterError as error:
            expected = str(error).partition(" must be ")[2].rpartition(". Got ")[0]
            yield Problem("–", where, str(value), expected, "Correct the value.")


def _known(name: ClassifierName) -> str:
    return f"one of {', '.join(sorted(_constructor(name, 0).get_params()))}"


def number_of_features(wanted: Any, n_features: int) -> int:
    """How many features a tree looks at for a split, as scikit-learn reads `max_features`."""
    if wanted == "sqrt":
        return max(1, int(math.sqrt(n_features)))
    if wanted == "log2":
        return max(1, int(math.log2(n_features)))
    if wanted is None:
        return n_features
    return max(1, int(wanted * n_features)) if isinstance(wanted, float) else int(wanted)


def _constructor(name: ClassifierName, seed: int) -> Any:
    match name:
        case "decision_tree":
            from sklearn.tree import DecisionTreeClassifier

            return DecisionTreeClassifier(random_state=seed)
        case "logistic_regression":
            from sklearn.linear_model import LogisticRegression

            return LogisticRegression(random_state=seed, max_iter=1000)
        case "gaussian_nb":
            from sklearn.naive_bayes import GaussianNB

            return GaussianNB()
        case "svc":
            from sklearn.svm import SVC

            return SVC(random_state=seed, max_iter=SVC_STEPS)
        case "lda":
            from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

            return LinearDiscriminantAnalysis()
        case "xgboost":
            from xgboost import XGBClassifier

            return XGBClassifier(random_state=seed, n_jobs=1)  # a second thread costs more than such trees
        case "k_neighbours":
            from sklearn.neighbors import KNeighborsClassifier

            return KNeighborsClassifier()
        case "random_forest":
            from sklearn.ensemble import RandomForestClassifier

            return RandomForestClassifier(random_state=seed)
