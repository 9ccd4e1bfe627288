"""The sections of the report, in the order in which a reader wants them: result, patients, then every step to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd
from markupsafe import Markup

from gliocast.evidence.guard import watermark
from gliocast.reporting import blocks, formatting, prose, tables
from gliocast.reporting.blocks import Gallery
from gliocast.reporting.exhibits import Exhibit, exhibits_in
from gliocast.reporting.figures import audit, forest_of_models
from gliocast.reporting.figures.theme import name_of, p_text
from gliocast.reporting.measures import measures_html
from gliocast.reporting.paper import paper_areas
from gliocast.reporting.surgery_tests import surgery_tests_html


@dataclass(frozen=True)
class Report:
    """All that the page is made from."""

    metrics: Mapping[str, Any]
    patient_flow: Any
    provenance: Mapping[str, Any]
    paper: Mapping[str, Any]
    gallery: Gallery

    @property
    def models(self) -> Mapping[str, Any]:
        """Every model on the test patients; empty where none was fitted."""
        return self.metrics["models"]

    def marked(self, title: str) -> str:
        """The title of what holds the models' results, with the watermark under the paper's protocol."""
        return f"{title} ({mark.rstrip('.')})" if (mark := watermark(self.metrics["protocol"])) else title

    @property
    def reads(self) -> str:
        """What stands for the images: `cnn`, `features` or `none`."""
        return self.provenance.get("parameters", {}).get("image_score", "cnn")

    def shown(self, key: str) -> list[Markup]:
        """The exhibits of one section that this run has made."""
        return [block for exhibit in exhibits_in(key) for block in self.gallery.show(exhibit)]


ASKED = ("hybrid_vs_clinical", "hybrid_vs_surgery_rule")
Builder: TypeAlias = Callable[[Report], list[Markup]]


@dataclass(frozen=True)
class Section:
    """One section: its anchor, its title, and its blocks."""

    key: str
    title: str
    blocks: list[Markup]


def sections(report: Report) -> list[Section]:
    """All sections that have something to say."""
    built = [Section(key, title, build(report)) for key, title, build in BUILDERS]
    return [section for section in built if section.blocks]


def result(report: Report) -> list[Markup]:
    """The answer: the numbers, the verdicts, and every model beside the paper."""
    numbers = blocks.big_numbers(headline_numbers(report.metrics))
    if not report.models:
        rows = tables.rule_rows(report.metrics, report.paper)
        title = "Rules that need no fitting, beside the paper's Table 2"
        rules = report.gallery.table(tables.result_html(rows, "Rules"), title, prose.WHOLE_COHORT)
        return [numbers, rules, blocks.absent("hybrid", "the models, each beside the paper's numbers")]
    html = tables.result_html(tables.result_rows(report.metrics, report.paper), "Results")
    title = "Every model on the same test patients, beside the paper"
    table = report.gallery.table(html, report.marked(title), f"{prose.LEVELS} {prose.INTERVALS}")
    others = blocks.folded(report.marked("Every other measure"), measures_html(report.models))
    return [numbers, *_verdicts(report), table, _forest(report), others]


def headline_numbers(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The few numbers that a reader looks for first: name, value, and what it rests on."""
    cohort = metrics["cohort"]
    classes = f"{cohort['n_long_term']} long-term, {cohort['n_short_term']} short-term"
    patients = ("Patients with a known outcome", str(cohort["n_long_term"] + cohort["n_short_term"]), classes)
    models = [("models", model, "auc") for model in ("hybrid", "clinical", "cnn", "image_features")]
    wanted = [*models, ("rules", "surgery_rule", "accuracy")]
    return [patients, *(_headline(metrics, *key) for key in wanted if key[1] in metrics[key[0]])]


def _headline(metrics: Mapping[str, Any], part: str, model: str, measure: str) -> tuple[str, str, str]:
    performance = metrics[part][model]["patient"]
    value, n = performance[measure], performance["n"]
    kind = "patients"
    if part == "models":  # a patient who is tested in several repeats is one
        n, kind = metrics["protocol"]["n_test_patients"] or n, "test patients"
        kind += " seen in training" if metrics["protocol"]["n_test_patients_seen_in_training"] else ""
    label = "AUC" if measure == "auc" else measure
    interval = f"95 % {formatting.interval(value['ci95'])}, " if value.get("ci95") else ""
    small = f"{interval}{n} {kind}"
    return f"{name_of(model)}, {label}", formatting.fraction(value["value"]), small


def _verdicts(report: Report) -> list[Markup]:
    """The answers to the study's own questions; all comparisons stand further down."""
    comparisons = report.metrics["comparisons"]
    asked = {pair: comparisons[pair] for pair in ASKED if pair in comparisons}
    said = (_sentence(*found) for found in asked.items())
    return [blocks.verdicts((verdict, report.marked(numbers)) for verdict, numbers in said)] if asked else []


def _sentence(pair: str, found: Mapping[str, Any]) -> tuple[str, str]:
    delta, p_value = formatting.difference(found["delta_auc"]), p_text(found["p_value"]) or f"p = {formatting.MISSING}"
    return f"{tables.pair_name(pair)}: {found['verdict'].rstrip('.')}.", f"difference in AUC {delta}, {p_value}"


def _forest(report: Report) -> Markup:
    claims = {model: claim for model, claim in paper_areas(report.paper).items() if model in report.models}
    diamonds = " diamonds are the paper's claims, its CNN's by slice;" if claims else ""
    caption = f"Squares with their intervals are this run's, by patient;{diamonds} the dotted line is chance."
    exhibit = Exhibit("forest_auc", "hybrid", "hybrid", "AUC of every model", report.marked(caption))
    return report.gallery.figure(exhibit, forest_of_models(report.models, claims))


def patients(report: Report) -> list[Markup]:
    """Who is in the study, who is not, and why."""
    cohort = report.metrics["cohort"]
    counts = {"undetermined": cohort["n_undetermined"], "excluded": cohort["n_excluded"]}
    text = prose.PATIENTS.format(days=cohort["survival_threshold_days"], **counts)
    median = [blocks.paragraph(said) for said in _of_the_median(report)]
    selected = [blocks.paragraph(_of_the_undetermined(cohort))] if cohort["n_undetermined"] else []
    flow = blocks.flow_diagram(report.patient_flow["stages"])
    told = [blocks.bullets(warnings)] if (warnings := report.patient_flow.get("warnings")) else []
    return [blocks.paragraph(text), *median, *selected, flow, *told, *report.shown("patients")]


def _of_the_median(report: Report) -> list[str]:
    """What keeps to the configured threshold, where the training patients' median is in force."""
    days = report.metrics["cohort"]["survival_threshold_days"]
    configured = report.provenance.get("parameters", {}).get("cohort", {}).get("survival_threshold_days", days)
    return [prose.MEDIAN.format(days=days, configured=configured)] if days != configured else []


def _of_the_undetermined(cohort: Mapping[str, Any]) -> str:
    """What leaving out patients without a class does to the share of long-term survivors, and its bounds."""
    n_long, n_known, n_all = cohort["n_long_term"], cohort["n_long_term"] + cohort["n_short_term"], cohort["n_patients"]
    parts = {"known": (n_long, n_known), "lowest": (n_long, n_all), "highest": (n_long + n_all - n_known, n_all)}
    return prose.UNDETERMINED.format(
        **{name: f"{100 * part / max(whole, 1):.0f} %" for name, (part, whole) in parts.items()}
    )


def surgery(report: Report) -> list[Markup]:
    """Survival by surgery, and the surgery rule (Figure 1 and Table 2 of the paper)."""
    html = tables.result_html(tables.rule_rows(report.metrics, report.paper), "Surgery rule")
    survival = report.gallery.exhibits.get("surgery_survival") or {}
    tests = surgery_tests_html(report.metrics["statistics"], survival.get("paper", {}).get("tests", {}))
    figures = report.shown("surgery")
    left_out = survival.get("left_out", {})
    told = [f"{who}: {left_out[name]}." for name, who in prose.LEFT_OUT_OF_TESTS.items() if left_out.get(name)]
    tested = report.gallery.table(tests, "Tests of survival by surgery", " ".join([prose.TESTS, *told]))
    if not report.models:
        return [blocks.paragraph(prose.SURGERY), *figures, tested]  # the rule itself is this run's result, above
    rules = report.gallery.table(html, "The surgery rule (the paper's Table 2)", prose.BESIDE_TESTED)
    return [blocks.paragraph(prose.SURGERY), *figures, tested, rules]


def step(key: str, text: str | Callable[[Report], str], missing: Markup | None = None) -> Builder:
    """A section of exhibits; where this run has made none, what is `missing`, or no section."""

    def build(report: Report) -> list[Markup]:
        shown = report.shown(key)
        if not shown:
            return [missing] if missing else []
        return [blocks.paragraph(text if isinstance(text, str) else text(report)), *shown]

    return build


def of_the_network(exhibits: Builder) -> Builder:
    """A section about the network, or why this run has none, whichever pipelines are run."""

    def build(report: Report) -> list[Markup]:
        if report.reads == "cnn":
            return exhibits(report)
        return [blocks.unshown("The network", f"image_score is {report.reads} in this run")]

    return build


def model_step(model: str, title: str, exhibits: Builder) -> Builder:
    """A section about one model: its table beside the paper's, then its exhibits."""

    def build(report: Report) -> list[Markup]:
        if model not in report.models:
            return exhibits(report)
        rows = tables.beside_paper(model, report.metrics, report.paper)
        beside = report.gallery.table(tables.result_html(rows, title), report.marked(title))
        opening, *shown = exhibits(report)
        return [opening, beside, *shown]

    return build


def cnn_text(report: Report) -> str:
    """What the network learns and says."""
    model = report.provenance.get("parameters", {}).get("model", {})
    if model.get("classes", 2) == 2:
        return prose.CNN
    days = {"begin": ", ".join(map(str, model["survival_cut_points_days"])), **report.metrics["cohort"]}
    return f"{prose.CNN} {prose.CLASSES.format(classes=model['classes'], **days)}"


def hybrid_text(report: Report) -> str:
    """What the classifiers read in this run, and by what one of them is chosen."""
    image_model = next((model for model in ("cnn", "image_features") if model in report.models), None)
    settings = report.provenance.get("parameters", {}).get("hybrid", {})
    told = settings | {"scoring": name_of(settings.get("scoring"))}
    rule = prose.RULES[settings["choice"]].format(**told) if settings else ""
    leaking = prose.LEAKING_CHOICE.format(images=prose.LEAKING_IMAGES if image_model else "")
    leaking = leaking if report.metrics["protocol"]["name"] == "paper" else ""
    return f"{leaking}{prose.HYBRID[image_model]}. {prose.CHOICE.format(rule=rule)}"


def comparisons(report: Report) -> list[Markup]:
    """Does MRI add to what is known without it?"""
    if not report.metrics["comparisons"]:
        return []
    html = tables.comparison_html(report.metrics["comparisons"])
    return [
        *([] if "hybrid" in report.models else [blocks.paragraph(prose.NO_HYBRID)]),
        blocks.paragraph(prose.COMPARISONS),
        report.gallery.table(html, report.marked("Paired differences between models")),
    ]


def proof(report: Report) -> list[Markup]:
    """What each protocol claims on simulated cohorts of known truth, where the pipeline `audit` has run."""
    record = report.gallery.exhibits.get("audit_record") or {}
    if not record.get("scenarios"):
        return []
    scenarios = pd.DataFrame(record["scenarios"])
    text = f"{prose.AUDIT} {record['n_cohorts']} cohorts of {record['n_patients']} patients a scenario."
    drawn = [
        report.gallery.figure(
            Exhibit(f"audit_{metric}", "audit", "audit_record", "Claimed and true"), audit(scenarios, metric)
        )
        for metric in ("auc", "accuracy")
    ]
    table = report.gallery.table(tables.table_of(scenarios, "Audit"), "Claims and truth", prose.AUDIT_TABLE)
    return [blocks.paragraph(text), *drawn, table]


def methods(report: Report) -> list[Markup]:
    """The protocol in words, and how many test patients it had shown to its models."""
    protocol = report.metrics["protocol"]
    tested, seen = protocol["n_test_patients"], protocol["n_test_patients_seen_in_training"]
    if tested is None:
        return [blocks.paragraph(prose.FITS_NOTHING)]
    count = prose.SEPARATION.format(tested=tested, seen=seen)
    leaking = (*prose.PAPER_IMAGES[report.reads], *prose.PAPER_PROTOCOL)
    rules = prose.HONEST_PROTOCOL if protocol["name"] == "honest" else leaking
    facts = {name.removeprefix("n_"): value for name, value in protocol.items() if value is not None}
    return [blocks.paragraph(count), blocks.bullets(rules), tables.facts_html(facts)]


def provenance(report: Report) -> list[Markup]:
    """Versions, parameters, data and hardware."""
    simple = {name: value for name, value in report.provenance.items() if not isinstance(value, Mapping)}
    nested = {name: value for name, value in report.provenance.items() if isinstance(value, Mapping) and value}
    parts = [blocks.folded(tables.header(name), tables.verbatim_html(value)) for name, value in nested.items()]
    return [blocks.paragraph(prose.PROVENANCE), tables.facts_html(simple), *parts]


TUNING = of_the_network(step("tuning", prose.TUNING, blocks.absent("tuning", "the search for hyperparameters")))
NO_CNN = blocks.absent("cnn_training", "the CNN's results (Table 3, Figures 2 and 3 of the paper)")
CNN = of_the_network(step("cnn", cnn_text, NO_CNN))
NO_DHL = blocks.absent("hybrid", "deep hybrid learning (Table 4 and Figure 4 of the paper)")
HYBRID = step("hybrid", hybrid_text, NO_DHL)
DHL = "Deep hybrid learning (the paper's Table 4)"
BUILDERS: tuple[tuple[str, str, Builder], ...] = (
    ("result", "The result", result),
    ("patients", "Patients", patients),
    ("surgery", "Surgery alone", surgery),
    ("tuning", "Tuning", TUNING),
    ("cnn", "MRI alone", model_step("cnn", "The CNN (the paper's Table 3)", CNN)),
    ("hybrid", "MRI and clinical facts", model_step("hybrid", DHL, HYBRID)),
    ("comparisons", "Does MRI add?", comparisons),
    ("leakage", "The leakage gap", step("leakage", prose.LEAKAGE)),
    ("trust", "How far to trust it", step("trust", prose.TRUST)),
    ("audit", "Proof by simulation", proof),
    ("methods", "How it was done", methods),
    ("provenance", "Provenance", provenance),
)
