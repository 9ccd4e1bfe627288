"""The libraries that results depend on, and which versions of them are installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

# Those that compute, and the one whose code the report holds. Kedro only carries values from one stage to the next.
COMPUTING = (
    "numpy", "pandas", "scipy", "torch", "timm", "optuna", "scikit-learn", "scikit-survival", "xgboost", "SimpleITK",
    "pydicom", "scikit-image", "shap", "captum", "plotly",
)  # fmt: skip
IMPORTED_AS = {"scikit-learn": "sklearn", "scikit-survival": "sksurv", "scikit-image": "skimage"}


def version_of(library: str) -> str | None:
    """The installed version of a library, found without importing it; None where it is absent."""
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def module_of(library: str) -> str:
    """The name by which a library is imported."""
    return IMPORTED_AS.get(library, library)
