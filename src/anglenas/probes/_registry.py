"""From the name of a metric to the probe that measures it."""

from dataclasses import replace
from functools import cache

from anglenas._plugins import load, names, origin
from anglenas.errors import UnknownNameError, UsageError
from anglenas.probes._base import Metric, Probe


def find_probe(name: str) -> Probe:
    """The probe with a registered name, or ``"module:name"``.

    Raises:
        UnknownNameError: No probe is registered under this name.
        UsageError: The module or its attribute does not exist, or is no probe.
    """
    probe = load("probe", name)
    if not isinstance(probe, Probe):
        raise UsageError(
            f"{name!r} is a {type(probe).__name__}, not a probe; make it an anglenas.probes.Probe."
        )
    return probe


def metric_names(*, variants: bool = False) -> tuple[str, ...]:
    """Every metric that some registered probe yields, sorted.

    Args:
        variants: Whether those of :attr:`Probe.variant` are among them.
    """
    found = _registered_metrics()
    return tuple(
        sorted(name for name in found if variants or not find_probe(found[name].probe).variant)
    )


def find_metric(name: str) -> Metric:
    """The metric with a name.

    Args:
        name: A name of :func:`metric_names`; ``"angle@20"`` for the value after 20 iterations
            (short training alone); or ``"module:probe"``, ``"module:probe.metric"`` for a
            probe that is not registered.

    Raises:
        UnknownNameError: There is none.
        UsageError: Two registered probes have a metric of the same name.

    >>> find_metric("loss").higher_is_better
    False
    >>> find_metric("angle@20").name
    'angle@20'
    """
    base, _, iteration = name.partition("@")
    if ":" in base:
        module, _, place = base.partition(":")
        attribute, _, wanted = place.partition(".")
        probe = find_probe(path := f"{module}:{attribute}")
        metric = probe.metric(wanted) if wanted else probe.metrics[0]
        metric = replace(metric, name=base, probe=path)
    elif base in _registered_metrics():
        metric = _registered_metrics()[base]
    else:
        raise UnknownNameError("metric", name, metric_names(variants=True))
    if not iteration:
        return metric
    if metric.at is None or not iteration.isdecimal():
        raise UnknownNameError("metric", name, metric_names(variants=True))
    return replace(metric, name=name, read=metric.at(int(iteration)))


@cache
def _registered_metrics() -> dict[str, Metric]:
    """All metrics by name. One that two probes claim would stand for whichever is loaded last."""
    found: dict[str, Metric] = {}
    for probe in names("probe"):
        for metric in find_probe(probe).metrics:
            if other := found.get(metric.name):
                raise UsageError(
                    f"Two probes have a metric {metric.name!r}: {other.probe!r} of "
                    f"{origin('probe', other.probe)} and {probe!r} of {origin('probe', probe)}; "
                    "remove one of the packages, or rename the metric."
                )
            found[metric.name] = replace(metric, probe=probe)
    return found
