"""Probes: one computation on a network each, from which metrics are read."""

from anglenas._blocks import Thinnable
from anglenas.probes._base import Measure, Metric, Probe, Record, Undefined
from anglenas.probes._isolation import Specimen, fresh_copy, isolated, on_copy
from anglenas.probes._registry import find_metric, find_probe, metric_names
from anglenas.probes._short_training import short_training

__all__ = [
    "Measure",
    "Metric",
    "Probe",
    "Record",
    "Specimen",
    "Thinnable",
    "Undefined",
    "find_metric",
    "find_probe",
    "fresh_copy",
    "isolated",
    "metric_names",
    "on_copy",
    "short_training",
]
