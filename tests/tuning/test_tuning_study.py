from __future__ import annotations

import json
import logging
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tuning_fakes import CONFIGURED, Failing, Falling, a_search, a_tuning, floor

from gliocast.errors import ArtefactError, ConfigurationError, Problem, TrainingError
from gliocast.model.parameters import Hyperparameters
from gliocast.tuning import presence
from gliocast.tuning.figures import as_power, powers_within, study_figures
from gliocast.tuning.fingerprint import digest_of_array, fingerprint_of_search
from gliocast.tuning.ledger import (
    GIVEN_BACK,
    REASON,
    REPEATS,
    SURPLUS,
    WORKER,
    give_back_failed,
    has_place,
    place_of,
    places_taken,
    state_of,
)
from gliocast.tuning.objective import REASON_LENGTH, reason_of
from gliocast.tuning.presence import end_cut_off, running, signature
from gliocast.tuning.pruning import build_pruner
from gliocast.tuning.results import TRIAL_COLUMNS, trials_table
from gliocast.tuning.search import REPAIRS, record_repairs
from gliocast.tuning.search_space import draw
from gliocast.tuning.study import run_search

DRAWN = ["trial", "state", "value", "learning_rate", "weight_decay", "dropout", "epochs"]


def test_the_best_trial_gives_the_hyperparameters(tmp_path: Path):
    hyperparameters, trials, _ = run_search(a_search(tmp_path, trials=6))
    best = trials.loc[trials["value"].idxmin()]
    assert hyperparameters["source"] == "tuned"
    assert hyperparameters["learning_rate"] == best["learning_rate"]
    assert hyperparameters["best_value"] == best["value"] == trials["value"].min()
    assert list(trials.columns) == list(TRIAL_COLUMNS)


def test_draws_lie_in_their_ranges(tmp_path: Path):
    _, trials, _ = run_search(a_search(tmp_path, trials=12))
    assert trials["learning_rate"].between(1e-7, 1e-2).all()
    assert trials["weight_decay"].between(1e-6, 1e-2).all()
    assert trials["dropout"].between(0.1, 0.5).all()


def test_each_hyperparameter_of_a_trial_drawn_at_random_is_drawn_by_itself(tmp_path: Path):
    trial = run_search(a_search(tmp_path, trials=1))[1].loc[0]
    shares = [np.log10(trial["learning_rate"] / 1e-7) / 5, np.log10(trial["weight_decay"] / 1e-6) / 4]
    assert abs(shares[0] - shares[1]) > 0.01  # one draw for both would lie at the same share of both ranges


def test_the_same_seed_draws_the_same_trials_and_another_seed_others(tmp_path: Path):
    def drawn(folder: str, seed: int):
        return run_search(a_search(tmp_path / folder, trials=8, seed=seed))[1][DRAWN]

    assert drawn("a", 1).equals(drawn("b", 1))
    assert not drawn("c", 2)["learning_rate"].isin(drawn("d", 1)["learning_rate"]).any()


def test_a_study_in_two_runs_draws_what_one_run_draws(tmp_path: Path):
    run_search(a_search(tmp_path / "two", trials=3))
    in_two = run_search(a_search(tmp_path / "two", trials=8))[1]
    in_one = run_search(a_search(tmp_path / "one", trials=8))[1]
    assert in_two[DRAWN].equals(in_one[DRAWN])
    assert in_two["learning_rate"].is_unique


@pytest.mark.parametrize(
    ("method", "measure"),
    [("none", "log_loss"), ("none", "auc"), *((name, "log_loss") for name in ("percentile", "median", "hyperband"))],
)
def test_fewer_trials_than_a_study_has_give_what_they_alone_had_given(tmp_path: Path, method: str, measure: str):
    pruning = {"method": method, "startup_trials": 1, "warmup_epochs": 1}
    changes = {"seed": 3, "study_name": "mine", "measure": measure, "pruning": pruning}
    larger, *_ = run_search(a_search(tmp_path / "larger", trials=12, **changes))
    fewer, fewer_trials, fewer_figures = run_search(a_search(tmp_path / "larger", trials=4, **changes))
    alone, alone_trials, alone_figures = run_search(a_search(tmp_path / "alone", trials=4, **changes))
    assert larger["best_trial"] >= 4
    assert fewer == alone
    assert fewer_trials[DRAWN].equals(alone_trials[DRAWN])
    assert fewer_figures == alone_figures


def test_a_trial_that_was_cut_off_and_its_repetition_have_one_place_among_the_first(tmp_path: Path):
    search = a_search(tmp_path, trials=6)
    with search.opened() as (study, _):
        record_repairs(study, ["mended"])
        study.ask()
        end_cut_off(study, study.trials)
    run_search(search)
    hyperparameters, trials, _ = run_search(replace(search, tuning=a_tuning(trials=2)))
    assert trials["state"].tolist() == ["cut_off", "complete", "complete"]
    assert hyperparameters["best_trial"] in (1, 2)
    assert hyperparameters["repairs"] == ["mended"]


def test_a_finished_study_is_not_searched_again(tmp_path: Path):
    run_search(a_search(tmp_path, trials=3))
    hyperparameters, trials, _ = run_search(a_search(tmp_path, Failing(), trials=3))
    assert hyperparameters["n_trials"] == 3
    assert set(trials["state"]) == {"complete"}


def test_the_first_trial_can_take_the_configured_hyperparameters(tmp_path: Path):
    _, trials, _ = run_search(a_search(tmp_path, trials=2, try_configured=True))
    assert trials.loc[0, ["learning_rate", "weight_decay", "dropout"]].tolist() == [1e-3, 1e-4, 0.2]
    assert trials.loc[1, "learning_rate"] != 1e-3


def test_the_configured_hyperparameters_are_taken_once_whoever_begins_the_study(tmp_path: Path):
    search = a_search(tmp_path, trials=4, try_configured=True)
    with search.opened() as (one, _), search.opened() as (other, _):
        drawn = [draw(study.ask(), search.tuning.ranges).learning_rate for study in (one, other, one)]
    assert drawn[0] == 1e-3
    assert len(set(drawn)) == 3


def test_where_the_first_trial_is_cut_off_before_its_draw_the_next_takes_its_place_and_its_point(tmp_path: Path):
    search = a_search(tmp_path, trials=3, try_configured=True)
    with search.opened() as (study, _):
        study.ask()
        end_cut_off(study, study.trials)
    trials = run_search(search)[1]["learning_rate"].tolist()[1:]
    assert trials[0] == CONFIGURED.learning_rate
    undisturbed = run_search(a_search(tmp_path / "undisturbed", trials=3, try_configured=True))[1]
    assert trials == undisturbed["learning_rate"].tolist()


def test_the_estimator_guides_the_search_once_the_trials_drawn_at_random_are_over(tmp_path: Path):
    three, five = (
        run_search(a_search(tmp_path / str(count), trials=5, startup_trials=count))[1]["learning_rate"].tolist()
        for count in (3, 5)
    )
    assert three[:3] == five[:3]
    assert three[3] != five[3]


def test_the_value_of_a_trial_is_the_mean_over_its_folds(tmp_path: Path):
    one = run_search(a_search(tmp_path / "one", trials=1))[1]
    two = run_search(a_search(tmp_path / "two", trials=1, folds=2))[1]
    assert two.loc[0, "value"] == pytest.approx(one.loc[0, "value"] + 0.005)
    assert (one.loc[0, "epochs"], two.loc[0, "epochs"]) == (10, 20)


def test_auc_is_maximised(tmp_path: Path):
    class Rising(Falling):
        def __call__(self, fold: int, hyperparameters: Hyperparameters, report):
            return 1 - floor(hyperparameters)

    hyperparameters, trials, _ = run_search(a_search(tmp_path, Rising(), trials=5, measure="auc"))
    assert hyperparameters["best_value"] == trials["value"].max()


@pytest.mark.parametrize("method", ["percentile", "median", "hyperband"])
def test_pruning_ends_trials_early_and_keeps_the_best(tmp_path: Path, method: str):
    pruning = {"method": method, "warmup_epochs": 1, "startup_trials": 2}
    pruned = run_search(a_search(tmp_path / "pruned", trials=20, pruning=pruning))
    whole = run_search(a_search(tmp_path / "whole", trials=20))
    assert pruned[0]["n_pruned"] > 0
    assert pruned[0]["epochs"] < whole[0]["epochs"] == 200
    assert pruned[0]["best_value"] == pytest.approx(whole[0]["best_value"], abs=0.02)


def test_a_failing_trial_is_recorded_and_the_search_goes_on(tmp_path: Path):
    hyperparameters, trials, _ = run_search(
        a_search(tmp_path, Failing(only_above=1e-4), trials=8, max_consecutive_failures=8)
    )
    failed = trials[trials["state"] == "failed"]
    assert 0 < len(failed) == hyperparameters["n_failed"] < 8
    assert failed["reason"].str.contains("loss: NaN").all()
    assert hyperparameters["learning_rate"] <= 1e-4


def test_no_patient_is_named_in_a_stored_reason(tmp_path: Path):
    run_search(a_search(tmp_path, Failing(only_above=1e-4), trials=8, max_consecutive_failures=8))
    journal = (tmp_path / "study.log").read_text()
    assert "(patient): loss: NaN" in journal
    assert "P017" not in journal


def test_failures_one_after_the_other_end_the_search_with_their_reasons(tmp_path: Path):
    with pytest.raises(TrainingError, match=r"3 trials failed one after the other: .*loss: NaN"):
        run_search(a_search(tmp_path, Failing(), trials=9, max_consecutive_failures=3))


def test_a_search_whose_trials_all_failed_is_an_error(tmp_path: Path):
    with pytest.raises(TrainingError, match=r"all trials failed: .*loss: NaN"):
        run_search(a_search(tmp_path, Failing(), trials=2, max_consecutive_failures=3))


@pytest.mark.parametrize(("trials", "most"), [(2, 3), (9, 3)], ids=["all failed", "too many in a row"])
def test_once_the_cause_of_the_failures_is_mended_all_trials_are_run_with_draws_of_their_own(
    tmp_path: Path, trials: int, most: int
):
    with pytest.raises(TrainingError):
        run_search(a_search(tmp_path, Failing(), trials=trials, max_consecutive_failures=most))
    found, table, _ = run_search(a_search(tmp_path, trials=trials, max_consecutive_failures=most))
    assert found["n_complete"] == trials
    assert table["learning_rate"].is_unique
    again, *_ = run_search(a_search(tmp_path, trials=trials, max_consecutive_failures=most))
    assert again == found


def test_failures_among_successes_keep_their_places(tmp_path: Path):
    settings = {"trials": 8, "max_consecutive_failures": 8}
    first, *_ = run_search(a_search(tmp_path, Failing(only_above=1e-4), **settings))
    assert run_search(a_search(tmp_path, **settings))[0] == first


def test_a_value_that_is_no_number_fails_the_trial(tmp_path: Path):
    class NoNumber(Falling):
        def __call__(self, fold: int, hyperparameters: Hyperparameters, report):
            return float("nan")

    with pytest.raises(TrainingError, match="the value at the best epoch is nan"):
        run_search(a_search(tmp_path, NoNumber(), trials=2))


def test_while_another_run_works_on_the_study_trials_are_trained_beside_it(tmp_path: Path):
    beside: list[int] = []

    class Sharing(Falling):
        def beside(self, others: int) -> Sharing:
            beside.append(others)
            return self

    with a_search(tmp_path).opened() as (_, storage), storage.presence.signed_in():
        run_search(a_search(tmp_path, Sharing(), trials=2))
    run_search(a_search(tmp_path, Sharing(), trials=3))
    assert beside == [1, 1, 0]


def test_a_wrong_configuration_ends_the_search_at_once_and_takes_no_place(tmp_path: Path):
    class Wrong(Falling):
        def __call__(self, fold: int, hyperparameters: Hyperparameters, report):
            raise ConfigurationError(Problem("–", "model.compile", "true", "a compiler", "Install one."))

    with pytest.raises(ConfigurationError):
        run_search(a_search(tmp_path, Wrong(), trials=3))
    hyperparameters, trials, _ = run_search(a_search(tmp_path, trials=3))
    assert hyperparameters["n_complete"] == 3
    ended = trials[trials["state"] == "cut_off"]
    assert ended["reason"].tolist() == ["ConfigurationError: –: model.compile: true; expected a compiler. Install one."]


def test_a_changed_search_starts_afresh_and_leaves_the_old_study_as_it_was(tmp_path: Path):
    run_search(a_search(tmp_path, trials=3))
    changed, _, _ = run_search(a_search(tmp_path, trials=2, fingerprint={"ranges": "a", "images": "other"}))
    again, _, _ = run_search(a_search(tmp_path, Failing(), trials=3))
    assert (changed["n_trials"], again["n_trials"]) == (2, 3)
    assert changed["study_name"] != again["study_name"]


def test_a_named_study_refuses_a_changed_search_and_says_what_changed(tmp_path: Path):
    run_search(a_search(tmp_path, trials=2, study_name="mine"))
    with pytest.raises(ConfigurationError, match=r"its images differ.*Give tuning.study_name another name"):
        run_search(a_search(tmp_path, trials=4, study_name="mine", fingerprint={"ranges": "a", "images": "other"}))


def test_a_named_study_of_another_program_is_refused(tmp_path: Path):
    search = a_search(tmp_path, trials=2, study_name="theirs")
    import optuna

    with search.storage.opened() as storage:
        theirs = optuna.create_study(study_name="theirs", storage=storage.optuna_storage)
        theirs.optimize(lambda trial: trial.suggest_float("anything", 0, 1), n_trials=1)
    with pytest.raises(ConfigurationError, match="trials of another search"):
        run_search(search)


def test_a_torn_last_line_is_removed_with_a_recorded_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    run_search(a_search(tmp_path, trials=3))
    journal = tmp_path / "study.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"worker_id":"71')
    with caplog.at_level(logging.WARNING):
        hyperparameters, _, _ = run_search(a_search(tmp_path, trials=5))
    assert hyperparameters["n_complete"] == 5
    assert "cut short by a crash" in hyperparameters["repairs"][0]
    assert "cut short by a crash" in caplog.text
    assert journal.read_bytes().startswith(whole)


@pytest.mark.parametrize("cut", range(1, 40, 7))
def test_a_journal_cut_anywhere_in_its_last_line_goes_on(tmp_path: Path, cut: int):
    run_search(a_search(tmp_path, trials=2))
    journal = tmp_path / "study.log"
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert run_search(a_search(tmp_path, trials=3))[0]["n_complete"] == 3


@pytest.mark.parametrize("left", [bytes(30), bytes(30) + b"\n"])
def test_space_at_the_end_of_a_journal_that_was_never_written_to_is_removed(tmp_path: Path, left: bytes):
    """So a power cut leaves it on some file systems."""
    run_search(a_search(tmp_path, trials=1))
    with (tmp_path / "study.log").open("ab") as file:
        file.write(left)
    assert run_search(a_search(tmp_path, trials=2))[0]["n_complete"] == 2


def test_a_line_torn_by_another_process_is_mended_before_the_next_is_added(tmp_path: Path):
    class Tearing(Falling):
        def __call__(self, fold: int, hyperparameters: Hyperparameters, report):
            with (tmp_path / "study.log").open("ab") as file:
                file.write(b'{"op_code":7,"tri')
            return super().__call__(fold, hyperparameters, report)

    hyperparameters, _, _ = run_search(a_search(tmp_path, Tearing(), trials=3))
    assert hyperparameters["n_complete"] == 3
    assert len(hyperparameters["repairs"]) == 3


@pytest.mark.parametrize("line", [b"\xff\xfe?\n", b"5\n", b"null\n"])
def test_a_journal_damaged_in_its_middle_is_refused_and_left_as_it_is(tmp_path: Path, line: bytes):
    run_search(a_search(tmp_path, trials=2))
    journal = tmp_path / "study.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    damaged = b"".join([lines[0], line, *lines[2:]])
    journal.write_bytes(damaged)
    with pytest.raises(ArtefactError, match="line 2 of its journal"):
        run_search(a_search(tmp_path, trials=3))
    assert journal.read_bytes() == damaged


def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(tmp_path: Path):
    (tmp_path / "study.log").write_text("my notes")
    with pytest.raises(ArtefactError, match="no journal entry"):
        run_search(a_search(tmp_path))
    assert (tmp_path / "study.log").read_text() == "my notes"


def test_figures_say_why_they_are_empty_where_trials_are_too_few(tmp_path: Path):
    figures = run_search(a_search(tmp_path, trials=1))[2]
    assert figures["tuning_history"]["data"]
    assert figures["tuning_importance"]["data"] == []
    assert figures["tuning_importance"]["layout"]["meta"]["reason"] == "1 complete trial; this figure needs 4"
    assert "log-loss of 1 complete trial: 0." in figures["tuning_history"]["layout"]["meta"]["alt"]


def test_figures_hold_no_template_and_have_titles(tmp_path: Path):
    figures = run_search(a_search(tmp_path, trials=5))[2]
    assert all(figure["data"] and figure["layout"]["title"]["text"] for figure in figures.values())
    assert not any("template" in figure["layout"] for figure in figures.values())


def test_every_figure_of_the_trials_can_be_read_aloud(tmp_path: Path):
    figures = run_search(a_search(tmp_path, trials=5))[2]
    told = {name: figure["layout"]["meta"]["alt"] for name, figure in figures.items()}
    assert "5 complete trials" in told["tuning_history"] and "the best is trial" in told["tuning_history"]
    assert "learning rate 0." in told["tuning_slice"] and told["tuning_parallel"] == told["tuning_slice"]
    assert "Weight decay: 0." in told["tuning_importance"]


def test_every_trial_can_be_seen_on_white_and_on_a_dark_screen(tmp_path: Path):
    figures = run_search(a_search(tmp_path, trials=5))[2]
    drawn = json.dumps([figures["tuning_slice"], figures["tuning_parallel"]])
    shades = re.findall(r"rgb\(([\d. ,]+)\)", drawn)
    light = [[(float(part) / 255) ** 2.2 for part in shade.split(",")] for shade in shades]
    luminance = [0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in light]
    assert 1.05 / (max(luminance) + 0.05) >= 3  # WCAG's contrast for what is drawn
    dark_screen = 0.009  # of #15181d
    assert (min(luminance) + 0.05) / (dark_screen + 0.05) >= 3
    assert max(luminance) > 1.5 * min(luminance)  # and the best is told from the worst, in grey too


def test_the_best_so_far_falls_in_steps_since_nothing_is_known_between_two_trials(tmp_path: Path):
    traces = run_search(a_search(tmp_path, trials=5))[2]["tuning_history"]["data"]
    assert [trace["line"]["shape"] for trace in traces if trace["name"] == "Best so far"] == ["hv"]


def test_hyperparameters_are_written_as_words(tmp_path: Path):
    figures = run_search(a_search(tmp_path, trials=5))[2]
    assert "Weight<br>decay" in figures["tuning_parallel"]["layout"]["xaxis"]["ticktext"]
    assert "Weight decay" in figures["tuning_importance"]["data"][0]["y"]
    assert figures["tuning_slice"]["layout"]["xaxis2"]["title"]["text"] == "Learning rate"


@pytest.mark.parametrize(("trials", "step"), [(3, 1), (11, None)])
def test_few_trials_are_counted_one_by_one(tmp_path: Path, trials: int, step: int | None):
    figures = run_search(a_search(tmp_path, trials=trials))[2]
    assert figures["tuning_history"]["layout"]["xaxis"].get("dtick") == step
    assert figures["tuning_slice"]["data"][0]["marker"]["colorbar"].get("dtick") == step
    assert "dtick" not in figures["tuning_slice"]["layout"]["xaxis"]


def test_logarithmic_axes_are_written_in_powers_of_ten(tmp_path: Path):
    figures = run_search(a_search(tmp_path, trials=12))[2]
    axes = [part for name, part in figures["tuning_slice"]["layout"].items() if name.startswith("xaxis")]
    assert {axis["exponentformat"] for axis in axes} == {"power"}
    notes = {note["text"] for note in figures["tuning_parallel"]["layout"]["annotations"]}
    assert "10<sup>−6</sup>" in notes
    assert not [note for note in notes if "e-" in note]


def test_the_lines_of_trials_have_the_room_that_a_bar_of_their_shades_would_take(tmp_path: Path):
    figures = run_search(a_search(tmp_path, trials=12))[2]
    assert {trace["mode"] for trace in figures["tuning_parallel"]["data"]} == {"lines"}
    assert not [name for name in figures["tuning_parallel"]["layout"]["xaxis"]["ticktext"] if " " in name]
    assert all(figure["data"] for figure in figures.values())


def test_no_figure_of_the_search_has_a_colour_that_a_dark_screen_does_not_know(tmp_path: Path):
    layout = run_search(a_search(tmp_path, trials=12))[2]["tuning_parallel"]["layout"]
    assert "plot_bgcolor" not in layout
    assert all("color" not in note["font"] for note in layout["annotations"])


@pytest.mark.parametrize(("values", "powers"), [([2e-6, 3e-3], 3), ([1e-2, 1.0], 3), ([2e-4, 8e-4], 0), ([0.5], 0)])
def test_powers_of_ten_within_values_are_counted(values: list[float], powers: int):
    assert powers_within(values) == powers


def test_a_logarithmic_axis_over_several_powers_marks_nothing_between_them(tmp_path: Path):
    layout = run_search(a_search(tmp_path, trials=12))[2]["tuning_slice"]["layout"]
    steps = [layout[name].get("dtick") for name in ("xaxis", "xaxis2", "xaxis3")]
    assert steps == [None, 1, 1]  # dropout is linear


def test_numbers_are_written_as_powers_of_ten():
    assert [as_power(text) for text in ("1e-06", "1.71e-07", "3e-12", "0.01", "1e-trial")] == [
        "10<sup>−6</sup>", "1.71·10<sup>−7</sup>", "3·10<sup>−12</sup>", "0.01", "1e-trial",
    ]  # fmt: skip


def test_a_range_upside_down_is_refused():
    with pytest.raises(ValueError, match=r"low .* is above high"):
        a_tuning(
            ranges={
                "learning_rate": {"low": 1e-2, "high": 1e-7, "log": True},
                "weight_decay": {"low": 1e-6, "high": 1e-2, "log": True},
                "dropout": {"low": 0.1, "high": 0.5, "log": False},
            }
        )


def test_an_interrupted_trial_is_repeated_with_the_same_hyperparameters(tmp_path: Path):
    class Interrupted(Falling):
        def __call__(self, fold: int, hyperparameters: Hyperparameters, report):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_search(a_search(tmp_path, Interrupted(), trials=2))
    _, trials, _ = run_search(a_search(tmp_path, trials=2))
    assert trials["state"].tolist() == ["cut_off", "complete", "complete"]
    assert trials.loc[1, "repeats_trial"] == 0
    assert trials.loc[0, "reason"] == "its process was ended; repeated as trial 1"
    assert trials.loc[1, "learning_rate"] == trials.loc[0, "learning_rate"]


def test_a_cut_off_trial_without_a_repetition_is_not_called_repeated(tmp_path: Path):
    with a_search(tmp_path).opened() as (study, _):
        study.ask()
        end_cut_off(study, study.trials)
        assert trials_table(study.trials).loc[0, "reason"] == "its process was ended"


def test_a_trial_that_two_processes_find_cut_off_is_ended_once(tmp_path: Path):
    search = a_search(tmp_path)
    with search.opened() as (study, _):
        draw(study.ask(), search.tuning.ranges)
        found = study.trials
        end_cut_off(study, found)
        end_cut_off(study, found)
        assert [state_of(trial) for trial in study.trials] == ["cut_off", "waiting"]


def test_a_trial_that_nobody_has_signed_is_cut_off_after_a_minute_where_another_process_lives(tmp_path, monkeypatch):
    with a_search(tmp_path).opened() as (study, storage):
        study.ask()
        with storage.presence.signed_in() as one, storage.presence.signed_in():
            assert storage.presence.others(one) == 1
            storage.presence.release_cut_off(study, one)
            assert len(running(study)) == 1, "the other one may have begun it"
            monkeypatch.setattr(presence, "UNSIGNED_AFTER", timedelta(0))
            storage.presence.release_cut_off(study, one)
            assert running(study) == []
    assert list((tmp_path / "study.log.workers").iterdir()) == []


def test_a_signature_in_a_study_names_no_file_elsewhere():
    import optuna

    trials = [optuna.trial.create_trial(value=0.5, user_attrs={WORKER: name}) for name in ("0f" * 16, "../notes")]
    assert [signature(trial) for trial in trials] == ["0f" * 16, ""]


def test_importance_is_not_shown_where_all_trials_have_one_value():
    import optuna

    study = optuna.create_study()
    for _ in range(6):
        study.add_trial(optuna.trial.create_trial(value=0.5))
    figure = study_figures(study, "log_loss")["tuning_importance"]
    assert figure["layout"]["meta"]["reason"] == "all trials have the same value"


def test_states_are_told_apart():
    import optuna

    study = optuna.create_study()
    study.enqueue_trial({})
    assert [state_of(trial) for trial in study.trials] == ["waiting"]
    study.tell(study.ask(), 1.0)
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    assert [state_of(trial) for trial in study.trials] == ["complete", "cut_off"]


def test_a_repetition_that_waits_takes_the_place_of_the_trial_that_was_cut_off(tmp_path: Path):
    search = a_search(tmp_path, trials=4)
    with search.opened() as (study, _):
        cut_off, other = study.ask(), study.ask()
        draw(cut_off, search.tuning.ranges)
        assert place_of(other.number, study.trials) == 1
        end_cut_off(study, [study.trials[cut_off.number]])
        assert [trial.state.name for trial in study.trials] == ["FAIL", "RUNNING", "WAITING"]
        assert place_of(3, study.trials) == 2, "it would be drawn like the other"


def test_the_epochs_of_a_later_fold_follow_those_of_the_first_and_are_told_with_its_value(tmp_path: Path):
    search = a_search(tmp_path, trials=1, folds=2)
    run_search(search)
    with search.opened() as (study, _):
        told = study.trials[0].intermediate_values
    assert sorted(told) == [*range(1, 21)]
    # the loss of the second fold lies 0.01 above that of the first, at every epoch
    assert told[20] == pytest.approx(told[10] + 0.005)
    assert told[11] == pytest.approx((told[10] + told[1] + 0.01) / 2)


def a_study(*values: float):
    """A study of finished trials that had these values at every epoch from 1 to 9."""
    import optuna

    study = optuna.create_study()
    for value in values:
        trial = study.ask()
        for epoch in range(1, 10):
            trial.report(value, epoch)
        study.tell(trial, value)
    return study


@pytest.mark.parametrize(
    ("method", "value", "pruned"),
    [("median", 2.4, False), ("median", 2.6, True), ("percentile", 1.7, False), ("percentile", 1.8, True)],
)
def test_a_trial_behind_the_median_or_the_share_that_is_kept_is_pruned(method: str, value: float, pruned: bool):
    """Of losses 1, 2, 3 and 4 the median is 2.5, and 1.75 bounds the lowest quarter."""
    study = a_study(1.0, 2.0, 3.0, 4.0)
    study.pruner = build_pruner(a_tuning(pruning={"method": method, "startup_trials": 4}).pruning, epochs=10)
    trial = study.ask()
    trial.report(value, 9)
    assert trial.should_prune() == pruned


def test_nothing_is_pruned_before_the_warm_up_is_over_nor_among_the_first_trials():
    def prunes(startup_trials: int, epoch: int) -> bool:
        study = a_study(1.0, 2.0, 3.0, 4.0)
        pruning = {"method": "median", "startup_trials": startup_trials, "warmup_epochs": 3}
        study.pruner = build_pruner(a_tuning(pruning=pruning).pruning, epochs=10)
        trial = study.ask()
        trial.report(9.0, epoch)
        return trial.should_prune()

    assert [prunes(4, epoch) for epoch in (2, 3)] == [False, True]
    assert [prunes(startup, 3) for startup in (4, 5)] == [True, False]


def test_hyperband_s_rungs_go_from_the_warm_up_to_the_last_epoch():
    pruning = a_tuning(pruning={"method": "hyperband", "warmup_epochs": 5, "reduction_factor": 3}).pruning
    pruner = build_pruner(pruning, epochs=45)
    assert (pruner._min_resource, pruner._max_resource, pruner._reduction_factor) == (5, 45, 3)
    assert build_pruner(pruning, epochs=4)._min_resource == 4  # no rung lies behind the last epoch


SEARCHED = {"configured": CONFIGURED, "epochs": 10, "seed": 1, "training": {"batch": 8}, "images": {"images": "a"}}


@pytest.mark.parametrize(
    ("tuning", "searched", "parts"),
    [
        ({"trials": 99, "workers": 2, "study_name": "mine", "max_consecutive_failures": 9}, {}, set()),
        ({"measure": "auc"}, {}, {"measure"}),
        ({"folds": 2}, {}, {"measure"}),
        ({"startup_trials": 4}, {}, {"method"}),
        ({"pruning": {"keep_percent": 30.0}}, {}, {"method"}),
        ({"try_configured": True}, {}, {"first trial"}),
        ({}, {"configured": Hyperparameters(learning_rate=1e-4, weight_decay=1e-4, dropout=0.2)}, set()),
        ({}, {"epochs": 11}, {"training"}),
        ({}, {"training": {"batch": 9}}, {"training"}),
        ({}, {"seed": 2}, {"seed"}),
        ({}, {"images": {"images": "b"}}, {"images"}),
    ],
)
def test_whatever_gives_a_trial_its_value_makes_another_search_and_nothing_else_does(tuning, searched, parts):
    before = fingerprint_of_search(a_tuning(), **SEARCHED)
    after = fingerprint_of_search(a_tuning(**tuning), **SEARCHED | searched)
    assert {part for part in before if before[part] != after[part]} == parts


def test_where_the_first_trial_takes_the_configured_hyperparameters_others_make_another_search():
    others = Hyperparameters(learning_rate=1e-4, weight_decay=1e-4, dropout=0.2)
    one, other = (
        fingerprint_of_search(a_tuning(try_configured=True), **SEARCHED | {"configured": configured})
        for configured in (CONFIGURED, others)
    )
    assert {part for part in one if one[part] != other[part]} == {"first trial"}


def test_arrays_of_the_same_bytes_but_another_shape_or_type_have_another_digest():
    array = np.arange(4, dtype=np.int64)
    others = (array.reshape(2, 2), array.view(np.float64), array[::-1], array[:3])
    assert len({digest_of_array(each) for each in (array, *others)}) == 5
    assert digest_of_array(np.arange(8, dtype=np.int64)[::2]) == digest_of_array(2 * array)


def test_no_identifier_is_left_where_one_is_the_beginning_of_another():
    found = reason_of(ValueError("patients P1, P10\nand P2; not P100 nor XP1"), ["P1", "P10", "P2", "a.c"])
    assert found == "ValueError: patients (patient), (patient) and (patient); not P100 nor XP1"
    assert reason_of(ValueError("abc a.c"), ["a.c"]) == "ValueError: abc (patient)"
    assert reason_of(ValueError("P1-2, P1"), ["P1", "P1-2"]) == "ValueError: (patient), (patient)"
    assert len(reason_of(ValueError("x" * 999), [])) == REASON_LENGTH


def test_places_of_trials_that_failed_surplus_were_cut_off_or_gave_theirs_back():
    import optuna

    failed = optuna.trial.TrialState.FAIL
    study = optuna.create_study()
    trials = [study.ask() for _ in range(6)]
    for trial, reason in zip(trials[1:3], ("no memory", SURPLUS), strict=True):
        trial.set_user_attr(REASON, reason)
    study.tell(trials[0], 1.0)
    for trial in trials[1:4]:  # failed, surplus, cut off
        study.tell(trial, state=failed)
    assert places_taken(study) == 4  # complete, failed, and two that are running
    assert [place_of(number, study.trials) for number in range(6)] == [0, 1, 2, 2, 2, 3]
    assert [has_place(number, study, trials=3) for number in (4, 5)] == [True, False]
    give_back_failed(study)
    assert study.user_attrs[GIVEN_BACK] == [1]  # the surplus one had no place to give
    assert places_taken(study) == 3
    assert [has_place(number, study, trials=2) for number in (1, 4, 5)] == [True, True, False]
    trials[4].set_user_attr(REPEATS, 3)
    study.tell(trials[4], state=failed)
    assert places_taken(study) == 3  # cut off for the second time, it is not repeated and keeps its place
    give_back_failed(study)
    assert study.user_attrs[GIVEN_BACK] == [1]  # it has not failed


def test_repairs_are_recorded_once_after_those_before_them():
    study, repairs = a_study(), ["first"]
    record_repairs(study, repairs)
    record_repairs(study, repairs)
    repairs.append("second")
    record_repairs(study, repairs)
    assert study.user_attrs[REPAIRS] == ["first", "second"]


def test_trials_that_other_code_or_another_optuna_has_drawn_and_judged_are_of_another_search(tmp_path, monkeypatch):
    """A stage that runs anew since its code has changed would else tell the old trials again."""
    (tmp_path / "objective.py").write_text("mean = 1")
    monkeypatch.setattr("gliocast.tuning.fingerprint.__file__", str(tmp_path / "fingerprint.py"))
    found = [fingerprint_of_search(a_tuning(), **SEARCHED)]
    (tmp_path / "objective.py").write_text("mean = 2")
    found.append(fingerprint_of_search(a_tuning(), **SEARCHED))
    monkeypatch.setattr("optuna.__version__", "0.0")
    found.append(fingerprint_of_search(a_tuning(), **SEARCHED))
    assert len({fingerprint["method"] for fingerprint in found}) == 3
