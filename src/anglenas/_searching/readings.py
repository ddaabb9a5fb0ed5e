"""Which operation to take away first, from what was measured with and without each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anglenas._measuring.plan import Measured
from anglenas._searching.ranked import Judge, columns_of
from anglenas.errors import AnglenasError
from anglenas.probes import Metric
from anglenas.ranking import parse

__all__ = ["change", "places_by_change", "places_of_pruned"]

Floats = NDArray[np.float64]
Repeats = Sequence[Measured]
"""What was measured of one supernet, repeat by repeat."""

_DIGITS = 3  # TE-NAS: both decimals of a relative change and significant digits of their mean


def change(before: Sequence[float | None], after: Sequence[float | None]) -> float:
    """The mean relative change of a metric over the repeats, rounded as TE-NAS does.

    Each repeat's ``(after - before) / |before|`` is rounded to three decimals, and their mean to
    three significant digits (``prune_func_rank`` of VITA-Group/TENAS; its sign is the other one).

    A repeat in which a value is undefined, or is related to 0, is left out: one of the base would
    else leave no removal with a change. (TE-NAS's code goes on with 1e5 for an NTK that it cannot
    compute.)

    Args:
        before: The metric of the supernet with the operation, by repeat.
        after: Without it.

    Returns:
        NaN if no repeat is left.

    >>> change([2.0, 4.0], [1.0, 3.0])
    -0.375
    >>> change([2.0, None], [1.0, 3.0])
    -0.5
    """
    pairs = zip(before, after, strict=True)
    relative = [round((b - a) / abs(a), _DIGITS) for a, b in pairs if a and b is not None]
    return float(f"{np.mean(relative):.{_DIGITS}g}") if relative else float("nan")


def places_by_change(
    judge: Judge, base: Repeats, left: Sequence[Repeats], metrics: Sequence[Metric]
) -> Floats:
    """A place for each removal, by the changes of the metrics; the highest goes first.

    A metric's change has the metric's own direction: TE-NAS takes away what lowers the condition
    number of the NTK and what raises the number of regions. (In its code, changes that agree in
    three significant digits but not beyond get different ranks.)

    Args:
        judge: How to rank; its guard knows metrics, not their changes, and is not asked.
        base: What was measured of the supernet with all of the operations.
        left: What was measured of each supernet that lacks one.
        metrics: The metrics.

    Raises:
        AnglenasError: No removal has a score.
    """
    columns = {
        metric.name: np.array([_change_of(base, one, metric) for one in left]) for metric in metrics
    }
    directions = {metric.name: metric.higher_is_better for metric in metrics}
    scores = judge.scores(columns, directions)
    statuses = [one.status for repeats in (base, *left) for one in repeats]
    return _places(judge.rank, scores, columns, directions, statuses)


def _change_of(base: Repeats, left: Repeats, metric: Metric) -> float:
    """NaN also where a repeat failed: the next run, or another machine, may well measure it."""
    reasons = [one.reasons.get(metric.name, "") for one in (*base, *left)]
    if any(reason.startswith("failed: ") for reason in reasons):
        return float("nan")
    return change(_values(base, metric), _values(left, metric))


def _values(repeats: Repeats, metric: Metric) -> list[float | None]:
    return [one.values[metric.name] for one in repeats]


def places_of_pruned(
    judge: Judge,
    space: Any,
    supernets: Sequence[Any],
    measured: Sequence[Measured],
    metrics: Sequence[Metric],
) -> Floats:
    """A place for each removal: that of the supernet which is left, among those of the round.

    Args:
        judge: How to rank.
        space: The space of supernets.
        supernets: Those that lack an operation.
        measured: What was measured of each.
        metrics: The metrics.

    Raises:
        AnglenasError: No supernet has a score.
    """
    trivial = [space.is_trivial(one) for one in supernets]
    columns, _ = judge.guarded(columns_of(measured, metrics), trivial)
    directions = {metric.name: metric.higher_is_better for metric in metrics}
    scores = judge.scores(columns, directions)
    statuses = [one.status for one in measured]
    return _places(judge.rank, scores, columns, directions, statuses)


def _places(
    rank: str, scores: Floats, columns: Any, directions: Any, statuses: Sequence[str]
) -> Floats:
    """Different numbers in the order of the scores.

    Of equal scores, the better one by the expression's first metric goes first, as in TE-NAS; of
    those that are equal in it too, the earlier one.
    """
    if not np.isfinite(scores).any():
        reason = next((status for status in statuses if status != "ok"), "undefined")
        raise AnglenasError(f"No supernet can be scored by {rank} ({reason}); use other metrics.")
    first = parse(rank).metrics[0]
    better = columns[first] if directions[first] else -columns[first]
    worst_first = np.lexsort((-np.arange(len(scores)), np.nan_to_num(better, nan=-np.inf), scores))
    placed = np.empty(len(scores))
    placed[worst_first] = np.arange(len(scores))
    return placed
