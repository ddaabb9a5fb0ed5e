"""From the name of a metric to the probe that measures it."""

from dataclasses import replace
from typing import cast

from anglenas._plugins import load, names
from anglenas.errors import UnknownNameError
from anglenas.probes._base import Metric, Probe

__all__ = ["find_metric", "find_probe", "metric_names"]


def find_probe(name: str) -> Probe:
    """The probe with a registered name, or ``"module:name"``."""
    return cast(Probe, load("probe", name))


def metric_names() -> tuple[str, ...]:
    """Every metric that some registered probe yields, sorted."""
    return tuple(sorted(name for probe in names("probe") for name in find_probe(probe).metrics))


def find_metric(name: str) -> Metric:
    """The metric with a name.

    Args:
        name: A name of :func:`metric_names`; ``"angle@20"`` for the value after 20 iterations
            (short training alone); or ``"module:probe"``, ``"module:probe.metric"`` for a
            probe that is not registered.

    Raises:
        UnknownNameError: There is none.

    >>> find_metric("loss").higher_is_better
    False
    >>> find_metric("angle@20").name
    'angle@20'
    """
    base, _, iteration = name.partition("@")
    metric = _find(base)
    if not iteration:
        return metric
    if metric.at is None or not iteration.isdecimal():
        raise UnknownNameError("metric", name, metric_names())
    return replace(metric, name=name, read=metric.at(int(iteration)))


def _find(name: str) -> Metric:
    if ":" in name:
        return _find_elsewhere(name)
    for probe in names("probe"):
        if name in (metrics := find_probe(probe).metrics):
            return metrics[name]
    raise UnknownNameError("metric", name, metric_names())


def _find_elsewhere(name: str) -> Metric:
    module, _, attribute = name.partition(":")
    probe_name, _, wanted = attribute.partition(".")
    path = f"{module}:{probe_name}"
    metrics = find_probe(path).metrics
    wanted = wanted or next(iter(metrics))
    if wanted not in metrics:
        raise UnknownNameError("metric", wanted, metrics)
    return replace(metrics[wanted], name=name, probe=path)
