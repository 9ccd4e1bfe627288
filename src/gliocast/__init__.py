"""Predicting glioblastoma survival before radiotherapy, from nine MRI slices and the clinical record."""

__version__ = "0.1.0"
