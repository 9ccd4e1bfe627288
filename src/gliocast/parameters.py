"""The root of all parameters: every section typed, unknown keys refused."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from gliocast.cohort.parameters import CohortParameters, InvalidPatientPolicy, PartitionParameters
from gliocast.cohort.simulation.parameters import PaperParameters, SimulationParameters
from gliocast.errors import ConfigurationError, Problem, raise_if_any
from gliocast.evidence.parameters import AuditParameters, EvidenceParameters
from gliocast.hybrid.parameters import HybridParameters
from gliocast.imaging.parameters import SliceParameters
from gliocast.model.parameters import ModelParameters
from gliocast.tuning.parameters import TuningParameters
from gliocast.tuning.search_space import outside
from gliocast.types import ImageScoreKind, Parameters, ProtocolName

PROFILES = ("demo", "paper")
# Where a site's own words stand, which may name patients: of a value its kind is told, and of the words none.
RULES, WORDS = ("cohort", "keep"), ("cohort", "values")
KINDS: dict[object, str] = {str: "a text", list: "a list", dict: "a section"}


class GliocastParameters(Parameters):
    """All that `conf/*/parameters*.yml` and `--params` may say."""

    profile: Literal["demo", "paper"]
    protocol: ProtocolName
    seed: int = Field(ge=0, le=4_000_000_000)  # scikit-learn takes 32 bits, and each repeat adds one
    image_score: ImageScoreKind
    on_invalid_patient: InvalidPatientPolicy
    check_only: bool
    cohort: CohortParameters
    partition: PartitionParameters
    simulation: SimulationParameters
    slices: SliceParameters
    model: ModelParameters
    tuning: TuningParameters
    hybrid: HybridParameters
    evidence: EvidenceParameters
    audit: AuditParameters
    paper: PaperParameters


def load_parameters(config_loader: Any) -> dict[str, Any]:
    """The merged parameters as plain values.

    Raises:
        ConfigurationError: a file is no YAML, or the profile does not exist.
    """
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        parameters: dict[str, Any] = config_loader["parameters"]
    except OmegaConfBaseException as error:
        raise ConfigurationError(unresolvable(config_loader, error)) from None
    except (YAMLError, ValueError) as error:
        raise ConfigurationError(
            Problem("–", "conf/*/parameters*.yml", str(error).splitlines()[0], "valid YAML", "Correct the file.")
        ) from None
    return parameters


def typed_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Every section of the parameters as its typed model, by name.

    Raises:
        ConfigurationError: all unknown, missing and ill-typed parameters at once.
    """
    public = {name: value for name, value in parameters.items() if not name.startswith("_")}
    switched = half_switched(parameters)
    try:
        typed = GliocastParameters.model_validate(public)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise ConfigurationError([*switched, *map(violation, found)]) from None
    raise_if_any(switched or [problem for look in CONTRADICTIONS for problem in look(typed)], ConfigurationError)
    # The paper's reported numbers are looked up by their names in tables, so they stay plain.
    return dict(typed) | {"paper": public["paper"]}


def half_switched(parameters: dict[str, Any]) -> list[Problem]:
    """A profile that was set where it cannot reach every section."""
    profile, in_force = parameters.get("profile"), parameters.get("_profile_in_force")
    if profile == in_force:
        return []
    remedy = "Set it in conf/local/globals.yml (`profile: …`) or by `--params profile=…`, not in parameters.yml."
    return [Problem("–", "profile", repr(profile), f"the profile in force, {in_force!r}", remedy)]


def untried_hyperparameters(typed: GliocastParameters) -> list[Problem]:
    """Configured hyperparameters that the search is to try, and whose range does not hold them."""
    model, tuning = typed.model, typed.tuning
    if typed.image_score != "cnn" or not tuning.trials or not tuning.try_configured:
        return []
    problems = []
    for name in outside(model.hyperparameters, tuning.ranges):
        sought = getattr(tuning.ranges, name)
        expected = f"{sought.low:g} to {sought.high:g}, as tuning.ranges.{name}, since tuning.try_configured is true"
        remedy = f"Change it, widen tuning.ranges.{name}, or set tuning.try_configured to false."
        problems.append(Problem("–", f"model.{name}", f"{getattr(model, name):g}", expected, remedy))
    return problems


def shifted_classes(typed: GliocastParameters) -> list[Problem]:
    """More than two classes whose long-term survivors would not be the cohort's long-term survivors."""
    model, cohort = typed.model, typed.cohort
    if model.classes == 2:
        return []
    expected = str(cohort.survival_threshold_days) if cohort.threshold_mode == "fixed" else "threshold_mode: fixed"
    found = str(model.survival_cut_points_days[model.first_long_term_class - 1])
    if found == expected:
        return []
    remedy = (
        "One cut point is cohort.survival_threshold_days; model.first_long_term_class is the class that begins there."
    )
    return [Problem("–", "model.survival_cut_points_days", f"long-term from {found} days", expected, remedy)]


def absent_folds(typed: GliocastParameters) -> list[Problem]:
    """More folds to search on than a split has."""
    asked, there = typed.tuning.folds, typed.partition.inner_folds
    if typed.image_score != "cnn" or not typed.tuning.trials or asked <= there:
        return []
    expected, remedy = f"at most {there}, the folds of a split", "Lower it, or raise partition.inner_folds."
    return [Problem("–", "tuning.folds", str(asked), expected, remedy)]


def untrained_paper(typed: GliocastParameters) -> list[Problem]:
    """The paper's protocol, without the network whose scores it is about."""
    if typed.image_score != "cnn" or typed.protocol != "paper" or typed.model.paper_protocol:
        return []
    expected, remedy = "true, since protocol is paper", "Set it to true, or protocol to honest."
    return [Problem("–", "model.paper_protocol", "false", expected, remedy)]


# What finds values that are allowed alone, and not together.
CONTRADICTIONS = (shifted_classes, untried_hyperparameters, absent_folds, untrained_paper)


def violation(finding: Any) -> Problem:
    """One finding of pydantic as one of ours."""
    section = finding["loc"][:2]
    where = ".".join(map(str, finding["loc"][:3] if section == WORDS else finding["loc"]))
    if finding["type"] == "extra_forbidden":
        allowed = allowed_keys(finding["loc"][:-1])
        near = get_close_matches(str(finding["loc"][-1]), allowed, n=1)
        remedy = f"Did you mean `{near[0]}`?" if near else "Remove it."
        return Problem("–", where, "an unknown parameter", f"one of {', '.join(allowed)}", remedy)
    is_contradiction = finding["type"] == "value_error" and isinstance(finding["input"], dict)
    value = KINDS.get(type(finding["input"]), "a value") if section in (RULES, WORDS) else repr(finding["input"])[:80]
    given = "values that do not go together" if is_contradiction else value
    found = "absent" if finding["type"] == "missing" else given
    said = finding["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    expected = "a list, […]" if finding["type"] == "tuple_type" else said
    return Problem("–", where, found, expected, f"Correct `{where}` in conf/local/parameters.yml, or in --params.")


def allowed_keys(location: tuple[str | int, ...]) -> list[str]:
    """The names that the section at `location` knows."""
    section: Any = GliocastParameters
    for part in location:
        fields = section.model_fields if is_model(section) else {}
        section = fields[part].annotation if part in fields else None
    return sorted(section.model_fields) if is_model(section) else []


def is_model(section: Any) -> bool:
    """Whether `section` is a typed section of parameters."""
    return isinstance(section, type) and issubclass(section, BaseModel)


def unresolvable(config_loader: Any, error: Exception) -> Problem:
    """A profile that does not exist, or another reference that leads nowhere."""
    profile = (config_loader.runtime_params or {}).get("profile", config_loader.get("globals", {}).get("profile"))
    if profile not in PROFILES:
        return Problem("–", "profile", repr(profile), " or ".join(PROFILES), "Correct it in --params or globals.yml.")
    return Problem("–", "parameters", str(error).splitlines()[0], "references that resolve", "Correct the reference.")
