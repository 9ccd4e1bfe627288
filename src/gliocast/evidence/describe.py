"""Who the patients are: Table 1, by outcome, and those of the study, by what they are for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from gliocast.types import LONG_TERM, SHORT_TERM, SURGERIES

LABELS = {
    "age_years": "Age (years)",
    "sex": "Sex",
    "who_status": "WHO performance status",
    "surgery": "Surgery",
    "survival_days": "Survival (days)",
    "event_observed": "Death observed",
    "centre": "Centre",
    "scanner_field_t": "Field strength (T)",
    "idh": "IDH",
    "mgmt": "MGMT promoter",
    "karnofsky": "Karnofsky performance status",
}
TEXTS = ("centre", "idh", "mgmt")  # of the site's own words
ALONE = "others, of one patient each"
QUANTITIES = ("age_years", "survival_days")
FOLLOWED = "Survival, or follow-up where alive (days)"  # days that end alive are not yet a survival
UNDETERMINED = "undetermined"


def table1(cohort: pd.DataFrame) -> pd.DataFrame:
    """The cohort overall and by outcome (Moreau et al., Table 1), with what is missing.

    Args:
        cohort: canonical columns and `outcome`; columns that are absent or empty throughout are left out.

    Returns:
        Columns `characteristic`, `level`, `all`, `short_term`, `long_term`, and `undetermined` where there are such
        patients; cells are text: counts with column percentages, or mean ± SD, median, and range.
    """
    return _described({"all": cohort, **_by_outcome(cohort)}, LABELS)


def study_table(training: pd.DataFrame, tested: pd.DataFrame) -> pd.DataFrame:
    """Whom the models learn from and whom they are tested on, with their outcomes, in the form of `table1`.

    Args:
        training: canonical columns and `outcome` of everyone who trains in some split.
        tested: the same of everyone who is tested in some split.

    Returns:
        Columns `characteristic`, `level`, `all`, and `training` and `test` where nobody is both.
    """
    everyone = pd.concat([training, tested], ignore_index=True)
    is_one_split = everyone["patient_id"].is_unique
    parts = {"training": training, "test": tested} if is_one_split else {}
    return _described({"all": everyone.drop_duplicates("patient_id"), **parts}, {"outcome": "Outcome"} | LABELS)


def _described(groups: dict[str, pd.DataFrame], labels: Mapping[str, str]) -> pd.DataFrame:
    """Each characteristic that `labels` names and somebody has, in each of the groups, of which the first is `all`."""
    groups = {name: with_shared_texts(part, groups["all"]) for name, part in groups.items()}
    everyone = groups["all"]
    named = {**labels, **({"survival_days": FOLLOWED} if _some_alive(everyone) else {})}
    rows = [_row("Patients", "n", groups, lambda part: str(len(part)))]
    for column in (name for name in named if name in everyone and everyone[name].notna().any()):
        describe = _quantity if column in QUANTITIES else _levels
        rows += describe(column, named[column], groups)
        if everyone[column].isna().any():
            rows.append(_row(named[column], "missing", groups, lambda part, c=column: _share(part[c].isna())))  # type: ignore[misc]
    return pd.DataFrame(rows)


def with_shared_texts(part: pd.DataFrame, everyone: pd.DataFrame) -> pd.DataFrame:
    """The patients, texts that one alone of `everyone` has being one level: free text may say who that is."""
    shared = part.copy(deep=False)
    for column in set(TEXTS) & set(part):
        counts = everyone[[column, "patient_id"]].drop_duplicates()[column].value_counts()
        shared[column] = part[column].mask(part[column].isin(counts.index[counts == 1]), ALONE)
    return shared


def _by_outcome(cohort: pd.DataFrame) -> dict[str, pd.DataFrame]:
    outcome = cohort["outcome"].astype("object").where(cohort["outcome"].notna(), UNDETERMINED)
    names = [SHORT_TERM, LONG_TERM, *([UNDETERMINED] if (outcome == UNDETERMINED).any() else [])]
    return {name: cohort[outcome == name] for name in names}


def _some_alive(cohort: pd.DataFrame) -> bool:
    return "event_observed" in cohort and not cohort["event_observed"].fillna(True).all()


def _row(
    characteristic: str, level: str, groups: dict[str, pd.DataFrame], cell: Callable[[pd.DataFrame], str]
) -> dict[str, str]:
    return {"characteristic": characteristic, "level": level} | {name: cell(part) for name, part in groups.items()}


def _levels(column: str, label: str, groups: dict[str, pd.DataFrame]) -> list[dict[str, str]]:
    present = list(groups["all"][column].dropna().unique())
    levels = sorted(present, key=lambda level: (SURGERIES.index(level), "") if level in SURGERIES else (-1, level))
    return [
        _row(label, _name(level), groups, lambda part, at=level: _share((part[column] == at).fillna(False)))  # type: ignore[misc]
        for level in levels
    ]


def _quantity(column: str, label: str, groups: dict[str, pd.DataFrame]) -> list[dict[str, str]]:
    spread, span = "{mean:.1f} ± {std:.1f}", "{50%:.1f} [{min:.1f}–{max:.1f}]"
    return [
        _row(label, "mean ± SD", groups, lambda part: _numbers(part[column], spread)),
        _row(label, "median [min–max]", groups, lambda part: _numbers(part[column], span)),
    ]


def _name(level: object) -> str:
    return {"True": "yes", "False": "no"}.get(str(level), str(level))


def _share(chosen: pd.Series) -> str:
    return f"{int(chosen.sum())} ({100 * chosen.mean():.1f} %)" if len(chosen) else "0"


def _numbers(values: pd.Series, form: str) -> str:
    known = values.dropna().astype(float)
    if known.empty:
        return "–"
    return form.format(**known.describe()) if len(known) > 1 else f"{known.iloc[0]:g}"
