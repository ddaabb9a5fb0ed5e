"""Probes: one computation on a network each, from which metrics are read."""

from anglenas.probes._base import Metric, Probe, Record, Undefined

__all__ = ["Metric", "Probe", "Record", "Undefined"]
