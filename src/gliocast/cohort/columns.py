"""Which column of the clinical table is which canonical column, with a hint where one cannot be found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

import pandas as pd

from gliocast.cohort.parameters import ANYTHING_ELSE, CANONICAL_COLUMNS, INDISPENSABLE, CohortParameters
from gliocast.errors import NOT_APPLICABLE, Problem
from gliocast.types import OPTIONAL_COLUMNS

# Words that hospitals use, to find the column a site may mean. Only ever a hint in an error.
OTHER_WORDS: dict[str, tuple[str, ...]] = {
    "patient_id": ("id", "patient", "identifiant", "subject", "subject_id", "numero_patient", "nip", "case"),
    "age_years": ("age", "age_at_mri", "age_at_diagnosis", "age_ans", "alter"),
    "sex": ("sexe", "gender", "genre", "geschlecht"),
    "who_status": ("ecog", "oms", "statut_oms", "performance_status", "ps", "zubrod", "who_ps"),
    "surgery": ("chirurgie", "exerese", "type_chirurgie", "eor", "extent_of_resection", "resection", "operation"),
    "survival_days": ("survie", "survie_jours", "os", "overall_survival", "survie_globale", "survival", "os_days"),
    "event_observed": (
        *("deces", "decede", "dead", "death", "died", "deceased", "alive", "vivant", "verstorben"),
        *("vital_status", "statut_vital", "survival_status", "event", "os_event", "censor", "censored"),
    ),
    "centre": ("center", "site", "hospital", "hopital"),
    "karnofsky": ("kps", "indice_karnofsky", "ik"),
}
CLOSE = 0.6
VERY_CLOSE = 0.85
DEAD = {"deces", "decede", "dead", "death", "died", "deceased", "verstorben", "vital"}
DEAD |= {"mort", "mortality", "gestorben", "tod", "tot", "overleden", "fallecido", "muerto", "exitus", "deceduto"}
ALIVE = {"alive", "vivant", "lebt", "vivo", "censor", "censored", "censoring", "censorship", "censure"}
FATES = DEAD | ALIVE
# Beside one of those words they make of a column something else than who died.
NO_FATE = {"date", "datum", "fecha", "day", "days", "jour", "jours", "month", "months", "mois", "time", "delai"}
NO_FATE |= {"age", "cause", "place", "lieu"}
# A status or an event may be of anything: of who died, where no other word stands beside it than of following up.
ENDINGS = {"status", "statut", "etat", "estado", "stato", "event", "evenement", "evento", "ereignis"}
OF_FOLLOWING_UP = {"os", "survival", "survie", "follow", "up", "followup", "fu", "last", "final", "at", "contact"}
OF_FOLLOWING_UP |= {"patient", "flag", "indicator"}
SHOWN_COLUMNS = 40


def column_cells(cells: pd.DataFrame, column: str, cohort: CohortParameters) -> pd.Series:
    """The cells of a canonical column: the first of the table's own columns that has a value, missing as NA."""
    merged = pd.Series(pd.NA, index=cells.index, dtype="string")
    for source in cohort.sources(column):
        if source in cells:
            found = cells[source].mask(cells[source].isin(["", *cohort.missing]))
            merged = merged.fillna(with_meaning(found, cohort.values.get(column, {})))
    return merged


def with_meaning(cells: pd.Series, meanings: dict[str, str | None]) -> pd.Series:
    """The cells with a site's own values replaced by what they mean; those that mean "not known" become NA."""
    if not meanings:
        return cells
    named = cells.isin([*meanings])
    rest = cells.mask(cells.notna(), meanings[ANYTHING_ELSE]) if ANYTHING_ELSE in meanings else cells
    return cells.map(meanings).astype("string").where(named, rest)


def column_problems(present: list[str], cohort: CohortParameters) -> Iterator[Problem]:
    """Every mapped column that the table lacks, and every mapping that would read the wrong fact."""
    mapped = mapped_columns(cohort)
    others = [name for name in present if name not in mapped]
    for column in CANONICAL_COLUMNS:
        for source in cohort.sources(column):
            if source not in present and not may_be_absent(column, source):
                yield missing_column(column, closest(column, source, others), source, present)
        if column == "who_status":
            yield from grade_problems(cohort.sources(column))
    yield from keep_problems(present, cohort)
    yield from reversed_event(cohort)
    yield from overlooked_event(present, cohort)


def may_be_absent(column: str, source: str) -> bool:
    """Optional columns may be absent, unless a site has said what its own is called."""
    return column in OPTIONAL_COLUMNS and source == column


def missing_column(column: str, near: str | None, source: str, present: list[str]) -> Problem:
    """A column that the configuration names and the table lacks; `near` is the one of the table's that may be it."""
    found = f"absent; the table has {near or listed_columns(present)}"
    without = "; no study is possible without it." if column in INDISPENSABLE else ", or null where the table has none."
    remedy = f"Set `cohort.columns.{column}: {near or '…'}` in conf/local/parameters.yml" + (
        ", if that is the one." if near else without
    )
    return Problem(NOT_APPLICABLE, f"column {source}", found, "a column of that name", remedy)


def closest(column: str, source: str, others: list[str]) -> str | None:
    """Which of the table's `others`, that nothing reads, the missing column most likely is, if any is likely."""
    by_word = {plain(name): name for name in others if not (column == "who_status" and is_grade(name))}
    wanted = [source, column, *OTHER_WORDS.get(column, ())]
    for word in map(plain, wanted):
        for name in by_word:
            if word == name or word in name.split("_"):
                return by_word[name]
    for word in map(plain, wanted):
        if len(word) > 3 and (near := get_close_matches(word, by_word, n=1, cutoff=CLOSE)):
            return by_word[near[0]]
    return None


def grade_problems(sources: Iterable[str]) -> Iterator[Problem]:
    """The tumour's WHO grade is not the patient's WHO performance status, though both are small whole numbers."""
    for source in filter(is_grade, sources):
        remedy = "Name the performance status (ECOG), or null where the table has none."
        yield Problem(
            NOT_APPLICABLE, "cohort.columns.who_status", source, "the performance status, not the grade", remedy
        )


def is_grade(name: str) -> bool:
    """Whether a column seems to hold the tumour's grade; some call the ECOG status a grade, too."""
    words = plain(name)
    return "grad" in words and not any(status in words for status in ("ecog", "performance", "zubrod"))


def keep_problems(present: list[str], cohort: CohortParameters) -> Iterator[Problem]:
    """Every rule that looks at a column the table lacks."""
    for rule in cohort.keep:
        if rule.column not in present:
            near = get_close_matches(rule.column, present, n=1, cutoff=CLOSE)
            remedy = f"Did you mean `{near[0]}`?" if near else "Correct the rule's column in conf/local/parameters.yml."
            yield Problem(NOT_APPLICABLE, f"cohort.keep ({rule.code})", f"no column {rule.column}", "a column", remedy)


def overlooked_event(present: list[str], cohort: CohortParameters) -> Iterator[Problem]:
    """Without `event_observed` all patients count as dead, so a column that may tell who died must not be ignored."""
    if cohort.sources("event_observed") != ("event_observed",) or "event_observed" in present:
        return
    others = [name for name in present if name not in used_columns(cohort)]
    for name in filter(tells_who_died, others):
        remedy = (
            f"Set `cohort.columns.event_observed: {name}` (1 died, 0 alive; where it has other words or the reverse, "
            "map them in `cohort.values.event_observed`), or null where all patients died."
        )
        yield Problem(NOT_APPLICABLE, f"column {name}", "ignored", "event_observed", remedy)


def reversed_event(cohort: CohortParameters) -> Iterator[Problem]:
    """A column that is named after the living has most likely 1 for them; the configuration must say what 1 means."""
    if cohort.values.get("event_observed"):
        return
    for source in cohort.sources("event_observed"):
        words = set(plain(source).split("_"))
        if words & ALIVE and not words & DEAD:
            expected = "a column in which 1 means died"
            remedy = 'Say what its words mean: `cohort.values.event_observed: {"1": 0, "0": 1}` where 1 is alive.'
            yield Problem(NOT_APPLICABLE, "cohort.columns.event_observed", source, expected, remedy)


def tells_who_died(name: str) -> bool:
    """Whether a column seems to hold who died: it has nearly one of the names of that, or a word of it."""
    names = ["event_observed", *OTHER_WORDS["event_observed"]]
    words = set(plain(name).split("_"))
    nearly = get_close_matches(plain(name), names, n=1, cutoff=VERY_CLOSE)
    return bool(nearly) or ends_the_follow_up(words) or (not words.isdisjoint(FATES) and words.isdisjoint(NO_FATE))


def ends_the_follow_up(words: set[str]) -> bool:
    """Whether the words of a column's name are those of the status or event that ends a survival."""
    return not words.isdisjoint(ENDINGS) and words <= ENDINGS | OF_FOLLOWING_UP


def used_columns(cohort: CohortParameters) -> set[str]:
    """The table's own names of all columns that are read."""
    return mapped_columns(cohort) | {rule.column for rule in cohort.keep}


def mapped_columns(cohort: CohortParameters) -> set[str]:
    """The table's own names of all columns that are canonical ones."""
    return {source for column in CANONICAL_COLUMNS for source in cohort.sources(column)}


def clinical_columns(names: Iterable[str], cohort: CohortParameters) -> list[str]:
    """Those of another table's columns that the clinical table has, too, or that seem to hold an outcome."""
    outcomes = (*OTHER_WORDS["survival_days"], *OTHER_WORDS["event_observed"])
    known = {plain(name) for name in (*CANONICAL_COLUMNS, *mapped_columns(cohort), *outcomes)}
    return [name for name in names if plain(name) in known]


def plain(name: str) -> str:
    """A column's name without accents, case and punctuation."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", letters.lower()).strip("_")


def listed_columns(present: list[str]) -> str:
    """The table's columns, the first of very many."""
    return ", ".join(present[:SHOWN_COLUMNS]) + (", …" if len(present) > SHOWN_COLUMNS else "")
