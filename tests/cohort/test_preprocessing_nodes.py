from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gliocast.cohort.flow import cohort_counts, patient_flow
from gliocast.cohort.partitions import partition_patients
from gliocast.cohort.selection import exclusions
from gliocast.cohort.study import select_patients as select
from gliocast.errors import CohortError, ConfigurationError, InputError
from gliocast.pipelines.preprocessing import nodes
from gliocast.types import REQUIRED_COLUMNS

NO_FINDINGS = exclusions((), "imaging", (), ())
NO_FEATURES = pd.DataFrame()
CANONICAL = dict.fromkeys(REQUIRED_COLUMNS)


def manifest(*patients: str, source: str = "mask", confidence: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame({"patient_id": patients, "source": source, "confidence": confidence, "doubts": ""})


@pytest.fixture
def four(a_cohort):
    """P000 and P001 are long-term, P002 short-term survivors; P003 was last seen alive on day 100."""
    cohort = a_cohort(2, 2).assign(age_years=[60.0, None, 60.0, 60.0], sex="F", who_status=1, surgery="biopsy")
    cohort.loc[3, "event_observed"] = False
    cohort.loc[3, "outcome"] = pd.NA
    return cohort


@pytest.fixture
def selected(four, cohort_parameters):
    """The node `select_patients` on four patients, with single inputs changed."""

    def run(
        image_score="cnn",
        slice_manifest=None,
        findings=NO_FINDINGS,
        features=NO_FEATURES,
        ignored=(),
        stop=False,
        **changes,
    ):
        return nodes.select_patients(
            four,
            exclusions(["P9"], "clinical_table", "survival_missing", "unknown"),
            {"n_rows": 5},
            manifest(*four["patient_id"]) if slice_manifest is None else slice_manifest,
            findings,
            features,
            cohort_parameters(**changes),
            image_score,
            "stop" if stop else "exclude",
            "id",
            r"(P\d+)_1",
            ignored,
        )

    return run


def test_the_study_has_the_patients_with_image_and_outcome(selected):
    study_cohort, *_ = selected(slice_manifest=manifest("P001", "P002", "P003"))
    assert study_cohort["patient_id"].tolist() == ["P001", "P002"]


@pytest.mark.parametrize(
    ("with_image", "changes", "unclassed"),
    [
        (["P000", "P001", "P003"], {}, ["P003"]),
        (["P000", "P001", "P002"], {}, []),  # P003 has no image either, and so is no patient of the study
        (["P000", "P001", "P003"], {"exclude_when_missing": ["age_years"]}, ["P003"]),
    ],
)
def test_who_lacks_nothing_but_an_outcome_is_kept_apart(selected, with_image, changes, unclassed):
    *_, kept = selected(slice_manifest=manifest(*with_image), **changes)
    assert kept["patient_id"].tolist() == unclassed


def test_who_lacks_an_outcome_and_a_required_predictor_is_not_kept(selected, four):
    four.loc[3, "age_years"] = None
    assert len(selected()[3]) == 1
    assert len(selected(exclude_when_missing=["age_years"])[3]) == 0


def test_where_the_threshold_is_a_median_everyone_alive_is_kept_however_long_they_were_followed(selected, four):
    four.loc[3, ["survival_days", "outcome"]] = [2000, "long_term"]
    assert len(selected()[3]) == 0
    assert selected(threshold_mode="training_median")[3]["patient_id"].tolist() == ["P003"]


def test_everyone_who_left_is_recorded_once_with_the_first_reason(selected):
    findings = exclusions(
        ["P003", "P003", "P8"], "imaging", ["tilt", "gap", "patient_missing"], ["a tilt", "a gap", "nobody's image"]
    )
    _, _, left, _ = selected(slice_manifest=manifest("P001", "P002"), findings=findings)
    assert left[["patient_id", "code", "reason"]].to_numpy().tolist() == [
        ["P9", "survival_missing", "unknown"],
        ["P000", "image_missing", "no image of the patient"],
        ["P003", "tilt", "a tilt; a gap"],
    ]


def test_every_stage_of_the_flow_is_the_one_before_less_those_who_left(selected):
    _, flow, *_ = selected(slice_manifest=manifest("P001", "P002", "P003"))
    stages = [(stage["name"], stage["n"], [left["n"] for left in stage["left"]]) for stage in flow["stages"]]
    assert stages == [
        ("rows of the clinical table", 5, [1]),
        ("patients of the cohort", 4, [1]),
        ("patients with an image", 3, [1]),
        ("patients with an image and a known outcome", 2, []),
    ]


def test_a_study_without_images_asks_for_none(selected):
    study_cohort, flow, *_ = selected(image_score="none", slice_manifest=manifest())
    assert study_cohort["patient_id"].tolist() == ["P000", "P001", "P002"]
    assert [stage["n"] for stage in flow["stages"]] == [5, 4, 3]


def test_a_study_of_image_features_asks_for_a_row_of_the_table(selected):
    features = pd.DataFrame({"id": ["P000_1", "P001_2", " P002_1 "], "volume": [1.0, 2.0, 3.0]})
    study_cohort, flow, left, _ = selected(image_score="features", slice_manifest=manifest(), features=features)
    assert study_cohort["patient_id"].tolist() == ["P000", "P002"]
    assert flow["stages"][2]["name"] == "patients with image features"
    assert left["code"].tolist()[1:] == ["image_features_missing", "image_features_missing"]


def test_a_table_of_image_features_without_identifiers_is_refused(selected):
    features = pd.DataFrame({"id;volume": ["P000_1;1,0"]})
    with pytest.raises(ConfigurationError, match=r"a table of one column; expected id\. Save the table with commas"):
        selected(image_score="features", slice_manifest=manifest(), features=features)


@pytest.mark.parametrize("column", ["survival_days", "Survival (days)", "OS", "deces", "Age_years", "months lived"])
def test_a_column_of_the_clinical_table_among_the_image_features_is_refused_unless_it_is_ignored(selected, column):
    features = pd.DataFrame({"id": ["P000_1", "P002_1"], "volume": [1.0, 2.0], column: [400.0, 200.0]})
    columns = {"patient_id": "id", "survival_days": ["survival_days", "Months lived"], "age_years": "age_years"}
    asked = {"image_score": "features", "features": features, "columns": CANONICAL | columns}
    with pytest.raises(ConfigurationError) as error:
        selected(**asked)
    assert [found.where for found in error.value.problems] == [f"image_features: {column}"]
    assert len(selected(**asked, ignored=(column,))[0]) == 2


def test_where_nobody_is_left_the_most_frequent_reason_is_told(selected):
    features = pd.DataFrame({"id": ["P0_1", "P1_1"], "volume": [1.0, 2.0]})
    told = "nobody of 5; 4 left for one reason (images): no image features of the patient"
    with pytest.raises(CohortError) as error:
        selected(image_score="features", slice_manifest=manifest(), features=features)
    assert error.value.problems[0].found == told


def test_a_reason_that_is_a_sentence_stands_without_its_full_stop_inside_another(selected):
    findings = exclusions(["P000", "P001", "P002", "P003"], "imaging", "image_missing", "imaging: no volume. Add it.")
    with pytest.raises(CohortError, match=r"imaging: no volume\. Add it; expected somebody"):
        selected(slice_manifest=manifest(), findings=findings)


def test_missing_predictors_are_counted_and_kept(selected):
    study_cohort, flow, *_ = selected(image_score="none")
    assert flow["missing_predictors"]["age_years"] == {"n": 1, "fraction": pytest.approx(1 / 3)}
    assert study_cohort["age_years"].isna().sum() == 1


def test_a_predictor_that_is_not_to_be_imputed_leaves_the_patient_out(selected):
    study_cohort, _, left, _ = selected(image_score="none", exclude_when_missing=["age_years"])
    assert study_cohort["patient_id"].tolist() == ["P000", "P002"]
    assert left.iloc[-1]["reason"].startswith("age_years is not known")


def test_a_run_that_stops_at_invalid_patients_names_them_all(selected):
    with pytest.raises(InputError, match="P003: outcome") as error:
        selected(slice_manifest=manifest("P001", "P002", "P003"), stop=True)
    assert [problem.patient for problem in error.value.problems] == ["P000", "P003"]


def test_without_a_threshold_yet_no_censored_patient_has_an_outcome(selected, four):
    four.loc[0, "event_observed"] = False
    study_cohort, _, left, _ = selected(image_score="none", threshold_mode="training_median")
    assert study_cohort["patient_id"].tolist() == ["P001", "P002"]
    assert left["code"].tolist()[1:] == ["outcome_undeterminable", "censored"]


def test_the_flow_holds_no_identifier(selected):
    findings = exclusions(["P000"], "imaging", ["image_missing"], ["P000/t1gd.nii.gz: no volume"])
    _, flow, left, _ = selected(slice_manifest=manifest("P001", "P002", "P003"), findings=findings)
    assert "P000" in str(left["reason"].tolist()) and "P00" not in str(flow)


def test_a_person_is_told_how_many_left_and_why(selected, caplog):
    selected(slice_manifest=manifest("P001", "P002", "P003"))
    (told,) = caplog.messages
    assert told.startswith("The study has 2 patients; left out: 1 survival missing (clinical_table), 1 ")
    assert caplog.records[0].levelname == "WARNING" and "P00" not in told


def test_images_of_nobody_are_counted(selected):
    findings = exclusions(["P8", "P8", "P000"], "imaging", "patient_missing", "nobody's image")
    _, flow, *_ = selected(findings=findings)
    assert flow["images"]["without_patient"] == 1
    assert any("1 image belongs to nobody" in warning for warning in flow["warnings"])


SPELLED = "2 patients without an image have one under another spelling"


def test_images_of_patients_who_are_spelled_otherwise_are_told_in_report_and_log_without_names(selected, caplog):
    strangers = exclusions(["p1", "P00002", "X9"], "imaging", "patient_missing", "nobody's image")
    _, flow, *_ = selected(slice_manifest=manifest("P000", "P003"), findings=strangers)
    assert any(SPELLED in warning for warning in flow["warnings"])
    assert SPELLED in caplog.text and not {"p1", "P00002", "X9"} & set(str(flow).split())


def test_image_features_of_patients_who_are_spelled_otherwise_are_told_too(selected):
    features = pd.DataFrame({"id": ["P000_1", "P1_1", "P02_1", "P9_1"], "volume": [1.0, 2.0, 3.0, 4.0]})
    _, flow, *_ = selected(image_score="features", slice_manifest=manifest(), features=features)
    assert any(SPELLED in warning for warning in flow["warnings"])


def test_slices_that_were_located_without_a_mask_are_told_with_how_many_unsurely(selected, four):
    located = manifest(*four["patient_id"], source="localiser", confidence=0.41)
    located.loc[:1, "doubts"] = "contrast_unknown: …\nlesion_uncertain: confidence is 0.41; expected at least 0.5"
    _, flow, *_ = selected(slice_manifest=located)
    assert flow["images"] == {
        "without_patient": 0,
        "located_by": {"localiser": 4},
        "lowest_confidence": 0.41,
        "located_unsurely": 2,
    }
    assert any("4 patients without lesion mask" in told and "2 of them unsurely" in told for told in flow["warnings"])


@settings(max_examples=40)
@given(
    fates=st.lists(
        st.tuples(st.booleans(), st.booleans(), st.booleans(), st.integers(1, 700)), min_size=1, max_size=30
    ),
    score=st.sampled_from(["cnn", "none"]),
)
def test_the_counts_of_any_flow_add_up(fates, score, cohort_of, median_parameters):
    cohort, with_image = cohort_of(fates)
    study_cohort, left = select(cohort, score, with_image, NO_FINDINGS, median_parameters)
    flow = patient_flow(cohort, study_cohort, left, {}, score)
    numbers = [stage["n"] for stage in flow["stages"]]
    gone = [sum(group["n"] for group in stage["left"]) for stage in flow["stages"]]
    assert numbers[0] == len(cohort)
    assert numbers[-1] == len(study_cohort) == flow["n_long_term"] + flow["n_short_term"]
    assert [before - out for before, out in zip(numbers[:-1], gone[:-1], strict=True)] == numbers[1:]
    assert flow["n_excluded"] + flow["n_undetermined"] == sum(gone) == len(left)
    assert flow["n_patients"] == flow["n_undetermined"] + len(study_cohort)
    assert sorted([*study_cohort["patient_id"], *left["patient_id"]]) == sorted(cohort["patient_id"])


def test_everyone_in_the_table_is_counted_once():
    study_cohort = pd.DataFrame({"outcome": ["long_term", "long_term", "short_term"]})
    exclusions = pd.DataFrame({"stage": ["outcome", "images", "clinical_table", "outcome"]})
    assert cohort_counts(study_cohort, exclusions) == {
        "n_patients": 5,
        "n_excluded": 2,
        "n_long_term": 2,
        "n_short_term": 1,
        "n_undetermined": 2,
    }


@pytest.fixture(scope="module")
def median_parameters(cohort_parameters):
    """A threshold that is not known yet, and a predictor that is not imputed."""
    return cohort_parameters(threshold_mode="training_median", exclude_when_missing=["age_years"])


@pytest.fixture(scope="module")
def cohort_of():
    """A cohort of (with image, died, age known, days) a patient."""
    from gliocast.cohort.labels import outcomes

    def build(fates):
        images, died, ages, days = zip(*fates, strict=True)
        cohort = pd.DataFrame(
            {
                "patient_id": pd.Series([f"P{place}" for place in range(len(fates))], dtype="string"),
                "age_years": [60.0 if known else None for known in ages],
                "sex": pd.Series(["F"] * len(fates), dtype="string"),
                "who_status": pd.Series([1] * len(fates), dtype="Int64"),
                "surgery": pd.Series(["biopsy"] * len(fates), dtype="string"),
                "survival_days": pd.Series(days, dtype="Int64"),
                "event_observed": pd.Series(died, dtype="boolean"),
            }
        )
        cohort["outcome"] = outcomes(cohort["survival_days"], cohort["event_observed"], 332)
        return cohort, [patient for patient, image in zip(cohort["patient_id"], images, strict=True) if image]

    return build


@pytest.fixture
def parted(a_cohort, partition_parameters):
    """Sixty patients and their partition."""
    cohort = a_cohort(30, 30).assign(age_years=60.0)
    return cohort, partition_patients(cohort, partition_parameters(), seed=3)


def test_training_and_test_patients_are_parted(parted, cohort_parameters):
    cohort, partition = parted
    training, test = nodes.separate_test_patients(cohort, partition, cohort_parameters())
    assert set(training["patient_id"]) == set(partition.splits[0].training)
    assert set(test["patient_id"]) == set(partition.splits[0].test)


def test_nothing_of_the_outcome_is_left_on_the_test_patients(parted, cohort_parameters):
    _, test = nodes.separate_test_patients(*parted, cohort_parameters())
    assert not {"outcome", "survival_days", "event_observed"} & set(test)


def test_altering_the_test_patients_outcomes_alters_no_training_patient(parted, cohort_parameters):
    cohort, partition = parted
    cohort = cohort.assign(survival_days=pd.Series(range(10, 610, 10), dtype="Int64"))
    parameters = cohort_parameters(threshold_mode="training_median")
    tested = cohort["patient_id"].isin(partition.splits[0].test)
    poisoned = cohort.assign(survival_days=cohort["survival_days"].mask(tested, 3650))
    first, _ = nodes.separate_test_patients(cohort, partition, parameters)
    second, _ = nodes.separate_test_patients(poisoned, partition, parameters)
    pd.testing.assert_frame_equal(first, second)


def test_the_median_of_the_training_patients_parts_the_test_patients_too(parted, cohort_parameters):
    cohort, partition = parted
    cohort["survival_days"] = pd.Series(range(1, 61), dtype="Int64")
    parameters = cohort_parameters(threshold_mode="training_median")
    training, _ = nodes.separate_test_patients(cohort, partition, parameters)
    opened = nodes.open_test_partition(cohort, partition, parameters)
    median = training["survival_days"].median()
    for part in (training, opened):
        assert ((part["survival_days"] >= median) == (part["outcome"] == "long_term")).all()


def test_a_median_of_several_sets_of_training_patients_is_refused(a_cohort, partition_parameters, cohort_parameters):
    cohort = a_cohort(30, 30)
    partition = partition_patients(cohort, partition_parameters(scheme="nested_cv"), seed=3)
    with pytest.raises(ConfigurationError, match="training_median"):
        nodes.separate_test_patients(cohort, partition, cohort_parameters(threshold_mode="training_median"))


def test_the_test_partition_opens_to_its_patients_outcomes_only(parted, cohort_parameters):
    cohort, partition = parted
    opened = nodes.open_test_partition(cohort, partition, cohort_parameters())
    assert list(opened) == ["patient_id", "survival_days", "event_observed", "outcome"]
    assert set(opened["patient_id"]) == set(partition.splits[0].test)
