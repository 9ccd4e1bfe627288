"""What the report says in words, so that the code beside it can be read as code."""

from __future__ import annotations

SIMULATED = (
    "This cohort is simulated.",
    "Every patient on this page was drawn by a program from the paper's Table 1; "
    "no number here says anything about real patients.",
)
LEAKING = (
    "The paper's protocol, for comparison only.",
    "Test patients were seen in training. What bears this mark does not hold for new patients; what does not, from the "
    "figures of the CNN to calibration and subgroups, is the honest protocol's, on its own test patients.",
)
UNSEEN = (
    LEAKING[0],
    "No test patient was seen in training here. The hybrid model, which this page does not have, is tested on patients "
    "whom the paper's network has seen.",
)
SUBTITLE = (
    "Who lives at least {days:g} days with glioblastoma, predicted before radiotherapy: surgery alone, MRI alone, "
    "and both together with clinical facts, each beside what Moreau et al. report."
)
LEVELS = (
    "Every row says what was counted: patients, or slices. Nine slices of one patient are nine looks at one outcome, "
    "so slices make no larger study. Nor do repeats: where patients are tested in several of them, n counts "
    "predictions, and the intervals are drawn over patients."
)
INTERVALS = (
    "95 % intervals: Wilson for proportions, DeLong for the AUC; BCa bootstrap over patients for every other measure, "
    "for all measures where a patient counts more than once (slices, repeats), and for the AUC of several splits; none "
    "for the calibration error, which chance raises. "
    "The paper gives no interval; Wilson's for its counts is shown where a count is a patient."
)
PATIENTS = (
    "Long-term means at least {days:g} days of survival; it is the positive class throughout. "
    "Alive when last seen, before it was known which they are: {undetermined}. "
    "Left out, each for the reason given: {excluded}."
)
MEDIAN = (
    "These {days:g} days are the median of the training patients. Table 1, the patient flow and the rules on the whole "
    "cohort count long-term survivors from {configured:g} days on all the same."
)
UNDETERMINED = (
    "Who dies early is known to have died, however short the follow-up; who lives long, only where it was long enough. "
    "Without the undetermined, long-term survivors look rarer than they are: they make up {known} of the patients "
    "with a known outcome, and {lowest} to {highest} of all. Accuracy, PPV, NPV and calibration are those of patients "
    "with a known outcome."
)
SURGERY = (
    "No artificial intelligence yet: does survival differ between surgeries, and how far does the rule “long-term "
    "unless biopsy only” come? A difference between group means, however significant, is not yet a prediction for "
    "one patient."
)
TESTS = (
    "Survival is mostly skewed, and its variance may differ between groups, so Welch's test and rank tests stand "
    "beside the classical one. From the paper's printed means, standard deviations and n the same tests can be "
    "computed again."
)
LEFT_OUT_OF_TESTS = {
    "surgery_unknown": "Patients of unknown surgery, and so in none of these tests",
    "alive_left_out_of_anova_and_kruskal": "Patients who are alive, and so in the log-rank test alone",
    "alone_left_out_of_anova_and_tukey": "Patients who alone of their surgery died, and so, having no spread, "
    "in neither analysis of variance nor Tukey's pairs",
}
WHOLE_COHORT = (
    "Everyone with a known outcome, and for the surgery rule a known surgery: a fixed rule is not fitted, so it needs "
    "no test patients."
)
BESIDE_TESTED = f"{WHOLE_COHORT} Among test patients an unknown surgery is called as most training patients are."
TUNING = (
    "Hyperparameters are searched on folds inside the training patients; the test patients play no part. A trial's "
    "value ranks it among the others and is no result: the patients who judge a trial have chosen its epoch, too."
)
CNN = (
    "Nine slices around the largest cross-section of the tumour, one network. Training patients are scored out of "
    "fold, test patients by the ensemble of the folds; a patient's probability is that of all their slices together. "
    "In the confusion matrix, and wherever slices are counted, long-term means a probability of 0.5 or more. Where "
    "models are compared, patients are called by a threshold found on training patients. These are scored by one "
    "network each, test patients by the mean of several, which varies less: the threshold may suit them badly."
)
CLASSES = (
    "The network learns {classes} classes of survival, which begin at 0, {begin} days; its probability of long-term "
    "survival is that of all classes from {survival_threshold_days:g} days on."
)
HYBRID = {
    "cnn": "The CNN's out-of-fold probability beside the clinical facts, in each of the classifiers",
    "image_features": "The out-of-fold probability of the image features beside the clinical facts, in each of the "
    "classifiers",
    None: "The clinical facts alone, in each of the classifiers: this run reads no images",
}
CHOICE = "The choice among the classifiers is made inside the training patients{rule}."
RULES = {
    "best": ", for the highest {scoring} over {inner_folds} inner folds",
    "one_standard_error": ", by the {scoring} over {inner_folds} inner folds: the first, in the order of preference, "
    "that comes within one standard error of the highest",
}
LEAKING_CHOICE = (
    "What bears the mark is the paper's protocol's: {images}the classifier is chosen by its result on the test "
    "patients. What follows is the honest protocol's. "
)
LEAKING_IMAGES = "patients on whom its image model was trained are tested, and "
POOLED = " of all splits together; AUC within splits"
COMPARISONS = (
    "All models are scored on the same test patients, so differences are paired (DeLong with Student's quantile; BCa "
    "where the AUC's interval is drawn over patients). A verdict is given only where the "
    "interval allows one; otherwise the number of test patients that would be needed. The study's "
    "question is the hybrid model against the clinical one. Every other pair is compared too, and called better only "
    "where Holm's p, which counts them all, is below 0.05 as well."
)
NO_HYBRID = "No model of this run reads images: whether MRI adds cannot be told from it."
LEAKAGE = (
    "One cohort under two protocols: what is claimed when test patients were seen in training, and what holds. Each "
    "protocol draws its own test patients, chooses its own classifier and has its own threshold, as its users would."
)
TRUST = (
    "Calibration, usefulness, subgroups and stability, on test patients unless a caption says otherwise. "
    "Where there are several splits, patients are ranked within each of them."
)
AUDIT = "Simulated cohorts of known truth: what each protocol claims, and what is true on new patients."
AUDIT_TABLE = (
    "Image signal: AUC of a perfect reader of the images on new patients, 0.5 being none. Coverage: share of 95 % "
    "intervals that hold the truth. MRI adds: share of cohorts in which the protocol says so."
)
PROVENANCE = (
    "Enough to repeat this run: the same versions, parameters, data and seed give the same numbers. A network trained "
    "on another kind of processor comes out a little different."
)
SEPARATION = "Test patients: {tested}. Of them seen in training by a model that scores them: {seen}."
FITS_NOTHING = "This pipeline fits nothing, so no patient had to be kept apart."
HONEST_PROTOCOL = (
    "Patients, never slices, are divided into training and test patients before anything is fitted, and all stages "
    "share that division.",
    "A training patient's image score, where there is one, comes from a fold that was neither fitted on that patient "
    "nor stopped by them.",
    "Imputing, encoding, scaling, tuning, the choice of classifier and the operating threshold happen inside the "
    "training patients.",
    "Test patients are scored without their outcomes; the outcomes are opened by one step, after the scoring.",
)
PAPER_IMAGES = {
    "cnn": ("The CNN is trained on a part of the patients and scores everyone, that part included.",),
    "features": (
        "A model of the image features is fitted on a part of the patients and scores everyone, that part included.",
    ),
    "none": (),
}
PAPER_PROTOCOL = (
    "For the classifiers all patients are divided at random once more, whomever an image model has seen; the scaler is "
    "fitted on everyone. The seed alone draws that division: the partition below, with its SHA-256, is the honest "
    "protocol's and the image models'.",
    "The classifier is chosen by its result on the test part. Numbers of the paper's protocol do not hold for new "
    "patients.",
)
