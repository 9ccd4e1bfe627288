"""Cohorts of known truth: the paper's Table 1 as patients, and T1-Gd heads whose lesions carry a planted score."""
