"""Which operation to take away first, by what was measured with and without each."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from anglenas._measuring.judge import Floats, Judge, scores_of
from anglenas._measuring.plan import Measured
from anglenas.errors import AnglenasError
from anglenas.probes import Metric
from anglenas.ranking import parse

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


def ranks_by_change(
    judge: Judge, base: Repeats, left: Sequence[Repeats], metrics: Sequence[Metric]
) -> list[int]:
    """A rank for each removal, by the changes of the metrics; 1 goes first.

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
    changes = {
        metric.name: np.array([_change_of(base, repeats, metric.name) for repeats in left])
        for metric in metrics
    }
    scores = judge.scores(changes, metrics)
    return _ranks(judge.rank, scores, changes, metrics, [*base, *chain.from_iterable(left)])


def _change_of(base: Repeats, left: Repeats, name: str) -> float:
    # A repeat that failed leaves no change at all, rather than that of the other repeats: the next
    # run, or another machine, may well measure it, and would find another result.
    if any(repeat.reasons.get(name, "").startswith("failed: ") for repeat in (*base, *left)):
        return float("nan")
    before, after = ([repeat.values[name] for repeat in repeats] for repeats in (base, left))
    return change(before, after)


def ranks_of_pruned(
    judge: Judge,
    space: Any,
    supernets: Sequence[Any],
    measured: Sequence[Measured],
    metrics: Sequence[Metric],
) -> list[int]:
    """A rank for each removal: that of the supernet which is left, among those of the round.

    Args:
        judge: How to rank.
        space: The space of supernets.
        supernets: Those that lack an operation.
        measured: What was measured of each.
        metrics: The metrics.

    Raises:
        AnglenasError: No supernet has a score.
    """
    scores, values, _ = scores_of(judge, space, supernets, measured, metrics)
    return _ranks(judge.rank, scores, values, metrics, measured)


def _ranks(
    rank: str, scores: Floats, values: Any, metrics: Sequence[Metric], measured: Sequence[Measured]
) -> list[int]:
    """Different numbers in the order of the scores, 1 for the highest.

    Of equal scores, the better one by the expression's first metric goes first, as in TE-NAS; of
    those that are equal in it too, the earlier one.
    """
    if not np.isfinite(scores).any():
        reason = next((m.status for m in measured if m.status != "ok"), "undefined")
        raise AnglenasError(f"No supernet can be scored by {rank} ({reason}); use other metrics.")
    first = parse(rank).metrics[0]
    [higher_is_better] = {metric.higher_is_better for metric in metrics if metric.name == first}
    better = values[first] if higher_is_better else -values[first]
    worst_first = np.lexsort((-np.arange(len(scores)), np.nan_to_num(better, nan=-np.inf), scores))
    ranks = np.empty(len(scores), int)
    ranks[worst_first] = np.arange(len(scores), 0, -1)
    return ranks.tolist()
