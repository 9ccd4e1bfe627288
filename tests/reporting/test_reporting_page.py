from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest
from report_samples import a_flow, a_provenance, all_exhibits, all_metrics, an_estimate, only_the_baseline, the_paper

from gliocast.evidence.comparison import as_one_of_several
from gliocast.evidence.guard import UNSEEN_WATERMARK, WATERMARK
from gliocast.reporting import formatting, paper, tables
from gliocast.reporting.exhibits import EXHIBITS
from gliocast.reporting.metrics import compile_results
from gliocast.reporting.page import build_report, script
from gliocast.reporting.terminal import result_table

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """The tags of a page: whether they close, and what they point at."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.open += [] if tag in VOID else [tag]
        self.ids += [found["id"]] if found.get("id") else []
        self.links += [found["href"]] if tag == "a" and found.get("href") else []
        self.outside += [value for name, value in attrs if name in ("src", "href") and value and "//" in value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    parsed = Outline()
    parsed.feed(page)
    return parsed


def without_scripts(page: str) -> str:
    return re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)


def test_every_tag_is_closed_and_every_link_leads_somewhere(page: str) -> None:
    parsed = outline(page)
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link.removeprefix("#") for link in parsed.links} <= set(parsed.ids)


def test_every_column_has_a_heading(page: str) -> None:
    assert len(re.findall(r"<th scope=\"col\"[^>]*>", page)) > 50
    assert re.findall(r"<th scope=\"col\"[^>]*></th>", page) == []


def test_the_page_fetches_nothing_and_forbids_it(page: str) -> None:
    assert outline(page).outside == []
    assert "default-src 'none'" in page


def test_plotly_is_embedded_exactly_once(page: str) -> None:
    assert page.count("plotly.js v") == 1


def test_text_from_the_data_is_escaped(page: str) -> None:
    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "survival &lt;is&gt; missing" in page


def test_json_cannot_close_its_script_element() -> None:
    text = str(script({"title": "</script><b>"}))
    assert "<" not in text
    assert json.loads(text) == {"title": "</script><b>"}


def test_every_exhibit_is_shown_once(page: str) -> None:
    shown = re.findall(r'data-figure="([^"]+)"', page)
    expected = {exhibit.name for exhibit in EXHIBITS if exhibit.section not in ("surgery_tests", "audit_record")}
    assert len(shown) == len(set(shown))
    assert set(shown) == (expected - {"table1", "hyperparameters", "subgroup_table"}) | {
        "forest_auc",
        "audit_auc",
        "audit_accuracy",
    }


def test_figures_are_numbered_in_the_order_of_the_page(page: str) -> None:
    numbers = [int(number) for number in re.findall(r"<b>Figure (\d+)\.", page)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    "name",
    [
        "figure_grad_cam",
        "figure_shap",
        "figure_hybrid_learning_curve",
        "predictor_ablation",
        "repeat_spread",
    ],
)
def test_what_is_asked_of_the_models_of_one_split_alone_says_so(page: str, name: str) -> None:
    """Where one centre is left out at a time, they are of those who train when the first is tested."""
    caption = next(exhibit.caption for exhibit in EXHIBITS if exhibit.name == name)
    assert "patients (those of the first split, where there are several): " in caption
    assert caption in unescape(page)


def test_a_simulated_cohort_is_announced_and_a_real_one_is_not() -> None:
    simulated = build_report(all_metrics(), a_flow(), a_provenance(True), {}, the_paper())
    real = build_report(all_metrics(), a_flow(), a_provenance(False), {}, the_paper())
    assert "This cohort is simulated." in simulated
    assert "This cohort is simulated." not in real


def test_the_page_says_what_is_not_counted_at_the_median_where_that_is_the_threshold() -> None:
    provenance = a_provenance()
    provenance["parameters"]["cohort"] = {"survival_threshold_days": 332}
    metrics = all_metrics()
    said = "from 332 days on all the same"
    assert said not in build_report(metrics, a_flow(), provenance, {}, the_paper())
    metrics["cohort"]["survival_threshold_days"] = 300.5
    assert said in build_report(metrics, a_flow(), provenance, {}, the_paper())


def test_a_p_that_holm_does_not_count_says_so() -> None:
    times = pd.DataFrame({"model": ["hybrid"], "reads": ["what is known before the operation"], "p": [0.04]})
    page = build_report(all_metrics(), a_flow(), a_provenance(), {"prediction_times": times}, the_paper())
    assert "Holm&#39;s does not count them" in page


def test_the_papers_protocol_is_watermarked() -> None:
    metrics = all_metrics()
    honest = build_report(metrics, a_flow(), a_provenance(), {}, the_paper())
    metrics["protocol"] |= {"name": "paper", "n_test_patients_seen_in_training": 40}
    leaking = build_report(metrics, a_flow(), a_provenance(), {}, the_paper())
    assert '<body class="watermark">' in leaking
    assert "for comparison only" in leaking
    assert '<body class="watermark">' not in honest
    for title in ("Every model on the same test patients, beside the paper", "Paired differences between models"):
        assert f"{title} ({WATERMARK.rstrip('.')})" in unescape(leaking)
    assert WATERMARK.rstrip(".") not in unescape(honest)


def test_the_watermark_of_a_tables_rows_is_said_once_in_its_caption() -> None:
    gap = pd.DataFrame({"model": ["clinical", "hybrid"], "honest": [0.7, 0.7], "paper": [0.8, 0.9]})
    exhibits = {"leakage_gap_table": gap.assign(watermark=WATERMARK)}
    page = unescape(build_report(all_metrics(), a_flow(), a_provenance(), exhibits, the_paper()))
    assert page.count(WATERMARK) == 1
    assert f"bootstrapped over patients. {WATERMARK}</p>" in page


def test_sections_without_results_say_which_pipeline_adds_them() -> None:
    page = without_scripts(build_report(only_the_baseline(), a_flow(), a_provenance(), {}, the_paper()))
    assert re.findall(r"kedro run --pipeline (\w+)", page) == ["hybrid", "tuning", "cnn_training", "hybrid"]
    assert 'id="comparisons"' not in page


def test_the_papers_counts_stand_beside_ours(page: str) -> None:
    text = without_scripts(page)
    assert "0.90 (0.81–0.95)" in text  # Table 4: 63 of 70, Wilson
    assert "0.70 (0.63–0.76)" in text  # Table 2: 122 of 175, Wilson


def test_slices_of_the_paper_get_no_interval() -> None:
    slices = paper.paper_performance(the_paper()["table3"], independent=False)
    assert formatting.estimate(slices["accuracy"]) == "0.82"
    assert formatting.estimate(slices["auc"]) == "0.89"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12, "12"),
        (0.123456, "0.123"),
        (-0.5, "−0.5"),
        (123456.0, "123456"),
        (float("nan"), "–"),
        (None, "–"),
        (pd.NA, "–"),
        (True, "yes"),
        ("F", "F"),
    ],
)
def test_cells_are_formatted_once(value: object, text: str) -> None:
    assert formatting.cell(value) == text


@pytest.mark.parametrize(("p_value", "text"), [(None, "–"), (0.0141, "0.014"), (5.18e-7, "5.2e-07"), (0.0, "< 1e-16")])
def test_p_values_are_never_zero(p_value: float | None, text: str) -> None:
    assert formatting.p_value(p_value) == text


@pytest.mark.parametrize(("p_value", "text"), [(0.0499999, "< 0.050"), (0.0494, "0.049"), (0.05, "0.050")])
def test_a_p_below_five_hundredths_is_never_printed_as_one_that_is_not(p_value: float, text: str) -> None:
    assert formatting.p_value(p_value) == text


def test_a_verdict_and_the_table_give_the_same_holm_p() -> None:
    found = {"delta_auc": {"value": 0.1, "ci95": [0.01, 0.2]}, "p_value": 0.01, "verdict": "yes"}
    told = as_one_of_several(found, 0.0500358, 15) | {"p_value_holm": 0.0500358}
    (row,) = tables.comparison_rows({"hybrid_vs_clinical": told})
    assert f"p is {row.cells[3]}," in row.cells[-1]


def test_a_headline_verdict_has_one_sign_before_its_p() -> None:
    metrics = all_metrics()
    metrics["comparisons"]["hybrid_vs_clinical"]["p_value"] = 0.0499999
    page = without_scripts(build_report(metrics, a_flow(), a_provenance(), all_exhibits(), the_paper()))
    assert ", p &lt; 0.050" in page


def test_p_values_look_alike_in_every_table() -> None:
    table = tables.table_of(pd.DataFrame({"p": [0.000926, 0.0214, None]}), "Any")
    assert re.findall(r"<th scope=\"row\">(.*?)</th>", table) == ["9.3e-04", "0.021", "–"]


def test_scores_of_a_column_have_as_many_decimals_as_the_column_needs_and_three_at_most() -> None:
    table = pd.DataFrame({"auc_lost": [0.8976, 0.9, -0.0026, 0.0, None], "inner_score": [0.5, 0.65, 0.8, 1.0, 0.0]})
    shown = re.findall(r"<t[dh][^>]*>([−–0-9.]+)</t[dh]>", tables.table_of(table, "Any"))
    assert shown[::2] == ["0.898", "0.900", "−0.003", "0.000", "–"]
    assert shown[1::2] == ["0.50", "0.65", "0.80", "1.00", "0.00"]


def test_a_difference_shows_its_sign() -> None:
    assert formatting.difference({"value": 0.031, "ci95": [-0.052, 0.11]}) == "+0.03 (−0.05 to +0.11)"
    assert formatting.difference({"value": -0.001, "ci95": None}) == "0.00"


@pytest.mark.parametrize(
    ("low", "text"), [(-0.0033, "−0.003"), (0.0004, "+0.0004"), (0.0, "0.00"), (1e-17, "0.00"), (-0.006, "−0.01")]
)
def test_an_interval_of_a_difference_shows_whether_it_holds_zero(low: float, text: str) -> None:
    assert formatting.difference({"value": 0.15, "ci95": [low, 0.31]}) == f"+0.15 ({text} to +0.31)"


def test_headings_carry_their_units() -> None:
    assert tables.header("survival_days") == "Survival (days)"
    assert tables.header("age_years") == "Age (years)"
    assert tables.header("hybrid") == "Hybrid (MRI + clinical)"
    assert formatting.fraction(-0.001) == "0.00" and formatting.fraction(-0.02) == "−0.02"
    assert tables.header("auc_180_days") == "AUC at 180 days"
    assert tables.header("harrell_c") == "Harrell's C"
    assert tables.header("partition_sha256") == "Partition, SHA-256"


def test_epochs_of_the_search_are_not_shown_as_those_of_a_training() -> None:
    found = {"hyperparameters": {"learning_rate": 3e-4, "n_trials": 3, "epochs": 12}}
    page = without_scripts(build_report(all_metrics(), a_flow(), a_provenance(), found, the_paper()))
    assert "<dt>Epochs of all trials</dt><dd>12</dd>" in page


def test_parameters_are_shown_as_a_configuration_has_them(page: str) -> None:
    for name, value in (("batch_size", "30"), ("weights", "null"), ("backbone", "resnet51q")):
        assert f"<dt>model.{name}</dt><dd>{value}</dd>" in page
    assert "<dt>check_only</dt><dd>true</dd>" in page


@pytest.mark.parametrize(("notes", "headed"), [(["", None], False), (["too few", None], True)])
def test_a_column_of_notes_is_drawn_where_one_has_something_to_say(notes: list[str | None], headed: bool) -> None:
    table = pd.DataFrame({"model": ["clinical", "hybrid"], "auc": [0.7, 0.8], "note": notes})
    assert (">Note</th>" in tables.table_of(table, "Some")) == headed


def test_words_are_made_readable_and_settings_left_as_they_are() -> None:
    table = tables.table_of(pd.DataFrame({"name": ["age_years"], "settings": ["max_depth=3, solver=lbfgs"]}), "Some")
    assert '<th scope="row">age</th><td>max_depth=3, solver=lbfgs</td>' in table


def test_statistics_that_cannot_be_computed_say_why(page: str) -> None:
    assert "a group has no variance" in without_scripts(page)


def test_the_terminal_shows_ours_beside_the_papers() -> None:
    text = result_table(all_metrics(), the_paper(), simulated=True)
    assert "125/15/46/147" in text
    assert "40 patients" in text
    assert "SIMULATED" in text
    assert "…" not in text
    assert "SIMULATED" not in result_table(all_metrics(), the_paper(), simulated=False)


@pytest.mark.parametrize("n", [40, 80])  # patients, and predictions of them in two repeats
@pytest.mark.parametrize("made", [all_metrics, only_the_baseline])
def test_the_table_is_no_wider_than_a_narrow_terminal_and_cuts_no_number(
    made: Callable[[], dict[str, Any]], n: int
) -> None:
    metrics = made()
    for levels in metrics["models"].values():
        levels["patient"]["n"] = n
    metrics["comparisons"] = {}  # verdicts are broken by the terminal
    wide, narrow = (result_table(metrics, the_paper(), False, width) for width in (160, 80))
    assert max(map(len, narrow.splitlines())) <= 80 < max(map(len, wide.splitlines()))
    assert "…" not in narrow
    intervals, below = (sorted(re.findall(r"\([\d.]+–[\d.]+\)", text)) for text in (wide, narrow))
    assert below == intervals


def test_the_terminal_breaks_no_verdict_into_lines_of_a_width_that_is_not_its_own() -> None:
    metrics = all_metrics()
    metrics["comparisons"]["hybrid_vs_clinical"]["verdict"] = "cannot be told " * 20 + "at all"
    (told,) = [line for line in result_table(metrics, the_paper(), simulated=False).splitlines() if "told" in line]
    assert "at all; difference in AUC" in told


def test_predictions_of_repeats_are_never_called_patients() -> None:
    """40 patients, each tested in two repeats."""
    metrics = all_metrics()
    for levels in metrics["models"].values():
        levels["patient"]["n"] = 80
    built = build_report(metrics, a_flow(), a_provenance(), all_exhibits(), the_paper())
    assert "80 test patients" not in built
    assert "40 test patients" in built
    assert "patient, repeated" in built
    assert "80 predictions" in result_table(metrics, the_paper(), simulated=True)


@pytest.mark.parametrize(
    ("image_model", "text"),
    [
        ("cnn", "The CNN&#39;s out-of-fold probability"),
        ("image_features", "probability of the image features"),
        (None, "no images"),
    ],
)
def test_the_page_says_what_the_classifiers_read(image_model: str | None, text: str) -> None:
    metrics = all_metrics()
    performance = metrics["models"].pop("cnn")
    if image_model:
        metrics["models"][image_model] = performance
    built = build_report(metrics, a_flow(), a_provenance(), all_exhibits(), the_paper())
    texts = ("The CNN&#39;s out-of-fold probability", "probability of the image features", "this run reads no images")
    assert [text in built for text in texts].count(True) == 1
    assert text in built


def test_the_terminal_shows_the_rules_where_nothing_is_fitted() -> None:
    assert "71/35/18/51" in result_table(only_the_baseline(), the_paper(), simulated=False)


def test_an_exhibit_of_a_skipped_stage_is_not_shown() -> None:
    skipped = {
        "figure3_roc": {"data": [], "layout": {}},
        "table1": pd.DataFrame(),
        "hyperparameters": {"skipped": "no"},
    }
    page = without_scripts(build_report(only_the_baseline(), a_flow(), a_provenance(), skipped, the_paper()))
    assert "data-figure" not in page


def test_a_figure_that_cannot_be_drawn_says_why_in_its_place() -> None:
    unshown = {"tuning_importance": {"data": [], "layout": {"meta": {"reason": "3 <trials>."}}}}
    page = without_scripts(build_report(only_the_baseline(), a_flow(), a_provenance(), unshown, the_paper()))
    assert "Importance of the hyperparameters: not shown; 3 &lt;trials&gt;.</p>" in page


def test_every_known_exhibit_has_a_home(page: str) -> None:
    assert {exhibit.pipeline for exhibit in EXHIBITS} <= {"baseline", "tuning", "cnn_training", "hybrid", "audit"}
    assert len(all_exhibits()) == len(EXHIBITS)


def test_a_value_shares_a_cell_with_its_limits() -> None:
    limits = {
        "auc_lower": [0.6, None],
        "auc_upper": [0.8, None],
        "difference_lower": [0.1, None],
        "difference_upper": [0.3, None],
    }
    table = tables.with_intervals(
        pd.DataFrame({"auc": [0.7, None], "difference": [0.2, None], **limits}).astype(object)
    )
    assert table.to_dict("list") == {"auc": ["0.70 (0.60–0.80)", "–"], "difference": ["+0.20 (+0.10 to +0.30)", "–"]}


def test_limits_may_follow_their_value() -> None:
    table = tables.with_intervals(pd.DataFrame({"n": [9], "auc": [0.7], "lower": [0.6], "upper": [0.8], "note": [""]}))
    assert table.to_dict("list") == {"n": [9], "auc": ["0.70 (0.60–0.80)"], "note": [""]}


def test_a_table_too_wide_for_a_desk_has_its_intervals_below_their_values() -> None:
    score = {"auc": 0.7, "auc_lower": 0.6, "auc_upper": 0.8}
    wide = {name.replace("auc", f"auc_{days}_days"): [value] for days in range(9) for name, value in score.items()}
    assert "0.70<br>(0.60\N{WORD JOINER}–\N{WORD JOINER}0.80)" in tables.table_of(
        pd.DataFrame({"model": ["cnn"], **wide}), "Wide"
    )
    narrow = pd.DataFrame({"model": ["cnn"], **{name: [value] for name, value in score.items()}})
    assert "0.70 (0.60–0.80)" in tables.table_of(narrow, "Narrow")


def test_a_long_table_scrolls() -> None:
    assert 'class="table long"' in tables.table_of(pd.DataFrame({"n": range(30)}), "Long")
    assert 'class="table"' in tables.table_of(pd.DataFrame({"n": range(3)}), "Short")


def test_every_other_measure_is_there_to_unfold(page: str) -> None:
    shown = without_scripts(page)
    assert all(f">{name}</th>" in shown for name in ("F1", "MCC", "PR AUC", "ECE", "Log loss", "Balanced accuracy"))


def test_how_often_a_classifier_is_chosen_does_not_seem_to_contradict_the_choice(page: str) -> None:
    assert "The tested model is chosen on all of them, and so may be another." in page


def test_a_measure_without_a_value_says_why() -> None:
    metrics = all_metrics()
    named = ("auc", "npv", "brier")  # the first stands in the table of results, the others in that of measures
    metrics["models"]["majority"]["patient"] |= dict.fromkeys(named, an_estimate(None))
    page = without_scripts(build_report(metrics, a_flow(), a_provenance(), all_exhibits(), the_paper()))
    said = "Majority class, by patient: AUC, NPV, Brier score; MRI only (CNN), by slice: AUC"
    assert f"<li>No value (one class only): {said}.</li>" in page


def test_a_value_without_an_interval_says_why() -> None:
    """A sensitivity of 1 of several repeats: no resample of patients has another."""
    metrics = all_metrics()
    certain = {"value": 1.0, "ci95": None, "reason": "the same in every bootstrap resample"}
    metrics["models"]["hybrid"]["patient"] |= {"sensitivity": certain, "mcc": certain}
    page = without_scripts(build_report(metrics, a_flow(), a_provenance(), all_exhibits(), the_paper()))
    said = "Hybrid (MRI + clinical), by patient: Sensitivity, MCC"
    assert f"<li>No interval (the same in every bootstrap resample): {said}.</li>" in page


def test_beside_each_p_stands_the_one_that_counts_all_comparisons() -> None:
    found = all_metrics()["comparisons"]["hybrid_vs_clinical"] | {"p_value": 0.02, "p_value_holm": 0.2}
    (row,) = tables.comparison_rows({"hybrid_vs_clinical": found})
    assert row.cells[2:4] == (formatting.p_value(0.02), formatting.p_value(0.2))
    assert row.cells[-1] == found["verdict"]


def test_the_page_says_which_interval_is_whose() -> None:
    page = without_scripts(build_report(all_metrics(), a_flow(), a_provenance(), all_exhibits(), the_paper()))
    assert "DeLong for the AUC; BCa bootstrap over patients for every other measure" in page
    assert "and for the AUC of several splits" in page


def test_who_is_alive_is_said_to_be_in_the_log_rank_test_alone() -> None:
    def page(alive: int) -> str:
        survival = {"tests": {}, "left_out": {"alive_left_out_of_anova_and_kruskal": alive}}
        exhibits = {"surgery_survival": survival}
        return without_scripts(build_report(only_the_baseline(), a_flow(), a_provenance(), exhibits, the_paper()))

    assert "in the log-rank test alone: 19." in page(alive=19)
    assert "log-rank test alone" not in page(alive=0)


@pytest.mark.parametrize("metrics", [all_metrics(), only_the_baseline()])
def test_whom_the_surgery_rule_leaves_out_or_calls_as_the_majority_is_said(metrics: dict[str, Any]) -> None:
    page = without_scripts(build_report(metrics, a_flow(), a_provenance(), all_exhibits(), the_paper()))
    assert "for the surgery rule a known surgery" in page
    assert ("Among test patients an unknown surgery is called as most training patients are" in page) == bool(
        metrics["models"]
    )


def test_nothing_is_said_of_this_cohorts_survival_that_no_test_has_shown(page: str) -> None:
    assert "Survival is mostly skewed, and its variance may differ between groups" in without_scripts(page)


def test_that_a_network_comes_out_otherwise_on_another_processor_is_said(page: str) -> None:
    assert "A network trained on another kind of processor comes out a little different." in without_scripts(page)


def test_who_is_in_none_or_not_in_all_of_the_tests_of_survival_by_surgery_is_counted() -> None:
    left_out = {"surgery_unknown": 3, "alone_left_out_of_anova_and_tukey": 1}
    exhibits = {"surgery_survival": {"tests": {}, "left_out": left_out}}
    page = without_scripts(build_report(only_the_baseline(), a_flow(), a_provenance(), exhibits, the_paper()))
    assert "Patients of unknown surgery, and so in none of these tests: 3." in page
    assert "in neither analysis of variance nor Tukey&#39;s pairs: 1." in page


def test_the_page_says_how_far_leaving_out_the_undetermined_may_mislead() -> None:
    """20 of 59 live long; of all 160 at least these 20, and at most 121 where all 101 others do.

    Where the threshold is a median, the others were alive, too, but not all of them followed for too short a time.
    """

    def page(undetermined: int) -> str:
        counts = {"n_long_term": 20, "n_short_term": 39, "n_undetermined": undetermined}
        metrics = only_the_baseline()
        metrics["cohort"] |= counts | {"n_patients": 59 + undetermined}
        return without_scripts(build_report(metrics, a_flow(), a_provenance(), {}, the_paper()))

    assert "34 % of the patients with a known outcome, and 12 % to 76 % of all" in page(101)
    assert "Alive when last seen, before it was known which they are: 101." in page(101)
    assert "look rarer than they are" not in page(0)


def test_a_run_without_images_claims_nothing_about_mri() -> None:
    metrics = all_metrics()
    clinical = {name: metrics["models"][name] for name in ("majority", "surgery_rule", "clinical")}
    metrics |= {
        "models": clinical,
        "comparisons": {"clinical_vs_majority": metrics["comparisons"]["hybrid_vs_clinical"]},
    }
    provenance = a_provenance() | {"parameters": {"image_score": "none"}}
    page = without_scripts(build_report(metrics, a_flow(), provenance, {}, the_paper()))
    assert "whether MRI adds cannot be told" in page
    assert page.count("The network: not shown; image_score is none in this run.") == 2  # its tuning, its results
    assert "kedro run --pipeline cnn_training" not in page
    assert "diamonds" not in page


@pytest.mark.parametrize(
    ("scoring", "choice", "text"),
    [
        ("balanced_accuracy", "best", "for the highest balanced accuracy over 5 inner folds."),
        ("roc_auc", "one_standard_error", "by the AUC over 5 inner folds: the first, in the order of preference,"),
    ],
)
def test_the_page_says_by_what_a_classifier_is_chosen(scoring: str, choice: str, text: str) -> None:
    settings = {"scoring": scoring, "choice": choice, "inner_folds": 5}
    provenance = a_provenance() | {"parameters": {"hybrid": settings}}
    assert text in build_report(all_metrics(), a_flow(), provenance, all_exhibits(), the_paper())


@pytest.mark.parametrize(("protocol", "leaks"), [("honest", False), ("paper", True)])
def test_the_papers_choice_is_not_said_to_be_made_inside_the_training_patients(protocol: str, leaks: bool) -> None:
    metrics = all_metrics()
    metrics["protocol"] |= {"name": protocol}
    page = build_report(metrics, a_flow(), a_provenance(), all_exhibits(), the_paper())
    assert ("the classifier is chosen by its result on the test patients" in page) == leaks


@pytest.mark.parametrize(
    ("reads", "model", "told"),
    [
        ("cnn", "cnn", "The CNN is trained"),
        ("features", "image_features", "of the image features is"),
        ("none", "", ""),
    ],
)
def test_the_papers_protocol_speaks_of_the_image_model_that_the_run_has(reads: str, model: str, told: str) -> None:
    metrics = all_metrics()
    metrics["protocol"] |= {"name": "paper"}
    cnn = metrics["models"].pop("cnn")
    metrics["models"] |= {model: cnn} if model else {}
    provenance = a_provenance() | {"parameters": {"image_score": reads}}
    page = without_scripts(build_report(metrics, a_flow(), provenance, all_exhibits(), the_paper()))
    assert ("The CNN is trained" in page) == (reads == "cnn")
    assert told in page
    assert ("on whom its image model was trained" in page) == (reads != "none")
    assert "divided at random once more" in page
    assert "60 %" not in page and "60/40" not in page  # both shares can be set; the parameters below tell them
    assert "the partition below, with its SHA-256, is the honest protocol&#39;s" in page


@pytest.mark.parametrize(("classes", "cut_points", "n_told"), [(2, [], 0), (3, [332, 540], 1)])
def test_a_network_of_more_than_two_classes_is_told_of(classes: int, cut_points: list[int], n_told: int) -> None:
    model = {"classes": classes, "survival_cut_points_days": cut_points}
    provenance = a_provenance() | {"parameters": {"model": model}}
    page = without_scripts(build_report(all_metrics(), a_flow(), provenance, all_exhibits(), the_paper()))
    told = "The network learns 3 classes of survival, which begin at 0, 332, 540 days; its probability of long-term "
    assert page.count(f"{told}survival is that of all classes from 332 days on.") == n_told


@pytest.mark.parametrize(("n_seen", "mark"), [(None, UNSEEN_WATERMARK), (0, UNSEEN_WATERMARK), (40, WATERMARK)])
def test_nobody_is_said_to_have_been_seen_where_nobody_was(n_seen: int | None, mark: str) -> None:
    """The paper's network is tested on patients whom it has not seen, and a baseline tests nobody."""
    metrics = all_metrics()
    metrics["protocol"] |= {"name": "paper", "n_test_patients_seen_in_training": n_seen}
    page = without_scripts(build_report(metrics, a_flow(), a_provenance(), {}, the_paper()))
    assert page.count("Test patients were seen in training.") == page.count('<body class="watermark">') == bool(n_seen)
    assert page.count("No test patient was seen in training here.") == (not n_seen)
    told = result_table(metrics, the_paper(), simulated=False)
    assert [told.count(known) for known in (WATERMARK, UNSEEN_WATERMARK)] == [mark == WATERMARK, mark != WATERMARK]
    assert compile_results(metrics["cohort"], metrics["protocol"], [])["protocol"]["watermark"] == mark


@pytest.mark.parametrize(
    ("protocol", "n_seen", "mark", "n_told"),
    [("honest", 0, None, 0), ("paper", 40, WATERMARK, 3), ("paper", 0, UNSEEN_WATERMARK, 0)],
)
def test_what_stands_first_on_the_page_bears_the_mark_too(
    protocol: str, n_seen: int, mark: str | None, n_told: int
) -> None:
    """In the paper's protocol too the network alone is tested on patients whom it has not seen."""
    metrics = all_metrics()
    metrics["protocol"] |= {"name": protocol, "n_test_patients_seen_in_training": n_seen}
    page = build_report(metrics, a_flow(), a_provenance(), all_exhibits(), the_paper())
    numbers, verdicts = (re.findall(rf'class="{kind}">(.*?)</[du]l>', page)[0] for kind in ("numbers", "verdicts"))
    assert numbers.count("40 test patients") == 3  # hybrid, clinical, cnn
    assert numbers.count("40 test patients seen in training") == n_told
    said = [known for known in (WATERMARK, UNSEEN_WATERMARK) if known.rstrip(".") in unescape(verdicts)]
    assert said == ([mark] if mark else [])
