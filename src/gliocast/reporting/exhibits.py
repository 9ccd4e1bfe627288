"""Which exhibits the report knows: by which pipeline each is made, in which section it stands, and what it says.

The names are names of the catalog. An exhibit that a pipeline does not make is simply not shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

SectionKey: TypeAlias = Literal[
    "patients", "surgery", "surgery_tests", "tuning", "cnn", "hybrid", "leakage", "trust", "audit_record"
]

OF_THE_FIRST = " (those of the first split, where there are several)"  # of what is asked of one split's models alone


@dataclass(frozen=True)
class Exhibit:
    """One table or figure: its name in the catalog, who makes it, where it stands, and its caption.

    `surgery_tests` and `audit_record` are no sections: what stands there is drawn from results rather than shown as is.
    """

    name: str
    pipeline: str
    section: SectionKey
    title: str
    caption: str = ""


EXHIBITS: tuple[Exhibit, ...] = (
    Exhibit(
        "table1",
        "baseline",
        "patients",
        "The cohort, overall and by outcome",
        "Table 1 of the paper. Everyone of the clinical table who could be read, with an image or without.",
    ),
    Exhibit(
        "study_table",
        "hybrid",
        "patients",
        "The study: who is learnt from, and who is tested",
        "Where there are several splits everyone is both.",
    ),
    Exhibit("slice_quality", "cnn_training", "patients", "The slices: where they come from, and how surely"),
    Exhibit(
        "figure1_survival_by_surgery",
        "baseline",
        "surgery",
        "Survival by surgery",
        "Figure 1 of the paper. Bars: patients of this cohort who died; diamonds: the paper's printed means.",
    ),
    Exhibit(
        "figure_kaplan_meier_by_surgery",
        "baseline",
        "surgery",
        "Kaplan–Meier curves by surgery",
        "Patients who are alive count until their last day of follow-up. Bands: 95 %, log-log.",
    ),
    Exhibit("figure_surgery_rule", "baseline", "surgery", "The surgery rule", "Long-term unless biopsy only."),
    Exhibit("surgery_survival", "baseline", "surgery_tests", "Tests of survival by surgery"),
    Exhibit("hyperparameters", "tuning", "tuning", "Hyperparameters in use"),
    Exhibit("tuning_history", "tuning", "tuning", "Tuning history"),
    Exhibit("tuning_importance", "tuning", "tuning", "Importance of the hyperparameters"),
    Exhibit("tuning_slice", "tuning", "tuning", "Trials by hyperparameter"),
    Exhibit("tuning_parallel", "tuning", "tuning", "All trials at once", "Shaded by the value at which a line begins."),
    Exhibit(
        "figure2_example_predictions",
        "cnn_training",
        "cnn",
        "Example predictions",
        "Figure 2 of the paper. The central one of nine slices of test patients, surest first; right and wrong alike.",
    ),
    Exhibit(
        "figure_grad_cam",
        "cnn_training",
        "cnn",
        "Where the network looks",
        f"Grad-CAM on test patients{OF_THE_FIRST}: what raised the network's logit, not what causes survival. "
        "On images made for it, where one known spot decides, the maps point at that spot, and with random weights "
        "they do not. Whether they point at the reason here is unknown.",
    ),
    Exhibit("figure3_roc", "cnn_training", "cnn", "ROC curve of the CNN", "Figure 3a of the paper."),
    Exhibit("figure3_confusion", "cnn_training", "cnn", "Confusion matrix of the CNN", "Figure 3b of the paper."),
    Exhibit("figure_cnn_probabilities", "cnn_training", "cnn", "Predicted probabilities of the CNN"),
    Exhibit(
        "figure_cnn_learning_curves",
        "cnn_training",
        "cnn",
        "Learning curves of the CNN",
        "Thin: each fold; thick: the mean of those still trained. The patients that stop training are neither fitted "
        "on nor scored.",
    ),
    Exhibit(
        "figure4_roc",
        "hybrid",
        "hybrid",
        "ROC curves",
        "Figure 4a of the paper. Same patients for all; the majority class lies on the line of chance.",
    ),
    Exhibit("figure4_confusion", "hybrid", "hybrid", "Confusion matrix", "Figure 4b of the paper."),
    Exhibit(
        "figure_shap",
        "hybrid",
        "hybrid",
        "What the model listens to",
        f"Mean absolute SHAP values over training patients{OF_THE_FIRST}: what moves the model, not what causes "
        "survival.",
    ),
    Exhibit(
        "prediction_times",
        "hybrid",
        "hybrid",
        "What is known when",
        "The models beside the same models on what is known before the operation; surgery is known only after it. Each "
        "p stands for its own pair alone: Holm's does not count them.",
    ),
    Exhibit("classifier_selection", "hybrid", "hybrid", "How the classifier was chosen, inside the training patients"),
    Exhibit(
        "figure_leakage_gap",
        "hybrid",
        "leakage",
        "What the paper's protocol would have claimed",
        "One model on the same cohort; bars: 95 %.",
    ),
    Exhibit(
        "leakage_gap_table",
        "hybrid",
        "leakage",
        "Each model under both protocols",
        "Difference: the paper's protocol less the honest one, bootstrapped over patients.",
    ),
    Exhibit("leakage_seen", "hybrid", "leakage", "How many of the paper protocol's test patients each stage had seen"),
    Exhibit(
        "figure_reliability",
        "hybrid",
        "trust",
        "Calibration",
        "Test patients in bins of predicted probability, with Wilson's 95 % intervals; on the diagonal a predicted "
        "70 % is a real 70 %. Who is tested in several repeats stands once in each bin that these put them into.",
    ),
    Exhibit(
        "figure_net_benefit",
        "hybrid",
        "trust",
        "Decision curve",
        "What acting on a model is worth at each threshold probability, against acting on everyone and on no one. "
        "It has no interval, and is rough where few are tested.",
    ),
    Exhibit(
        "calibration_table",
        "hybrid",
        "trust",
        "Calibration, as it is and recalibrated",
        "Recalibration is learnt from training patients' out-of-fold predictions; where there is little to mend, it "
        "may do harm. Chance raises the calibration error (ECE), the more so the fewer patients there are; so it has "
        "no interval.",
    ),
    Exhibit("subgroup_table", "hybrid", "trust", "Subgroups", "Groups of too few patients are named, not judged."),
    Exhibit(
        "threshold_sweep_table",
        "hybrid",
        "trust",
        "Other survival thresholds",
        "The same scores against the outcome at other thresholds; nothing is fitted anew. Who has no class at the "
        "study's own threshold is not among the tested, and so at no other.",
    ),
    Exhibit(
        "time_to_event_table",
        "hybrid",
        "trust",
        "Time to event",
        "Survival models on the same predictors; patients who are alive count until their last day of follow-up. An "
        "AUC at a day sets those who died before it beside those who reached it.",
    ),
    Exhibit(
        "figure_kaplan_meier_predicted",
        "hybrid",
        "trust",
        "Survival of the predicted groups",
        "Bands: 95 %, log-log. Who has no class, alive before the threshold, is not among them: where there are many "
        "such patients, both curves lie too low. A log-rank test stands there where one split is tested: those who are "
        "tested in several taught each other's models.",
    ),
    Exhibit(
        "figure_hybrid_learning_curve",
        "hybrid",
        "trust",
        "What more patients would bring",
        f"Inside the training patients{OF_THE_FIRST}: the whole search on shares of them, tested on the same "
        "held-out ones; mean and standard deviation over repeats.",
    ),
    Exhibit(
        "predictor_ablation",
        "hybrid",
        "trust",
        "Without one predictor",
        f"Inside the training patients{OF_THE_FIRST}: the whole search again, one predictor left out at a "
        "time, on the same folds.",
    ),
    Exhibit(
        "repeat_spread",
        "hybrid",
        "trust",
        "How much hangs on the draw",
        f"Inside the training patients{OF_THE_FIRST}: the whole search again with other folds and seeds.",
    ),
    Exhibit(
        "chosen_classifiers",
        "hybrid",
        "trust",
        "Which classifier is chosen, how often",
        "In the searches of the table above, each on a part of the training patients. The tested model is chosen on "
        "all of them, and so may be another.",
    ),
    Exhibit(
        "survival_classes_table",
        "hybrid",
        "trust",
        "Three and four classes of survival",
        "The survival models' likeliest class; patients without one, alive before the last threshold, are left out. "
        "Majority: the likeliest class of the training patients, said of everyone.",
    ),
    Exhibit("test_openings", "hybrid", "trust", "How often the test partition was opened"),
    Exhibit("audit_record", "hybrid", "audit_record", "The audit"),
)


def exhibits_of(pipeline: str) -> tuple[Exhibit, ...]:
    """The exhibits that `pipeline` makes, in the order of the page."""
    return tuple(exhibit for exhibit in EXHIBITS if exhibit.pipeline == pipeline)


def exhibits_in(section: str) -> tuple[Exhibit, ...]:
    """The exhibits that stand in `section`, in their order."""
    return tuple(exhibit for exhibit in EXHIBITS if exhibit.section == section)
