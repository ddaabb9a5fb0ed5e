"""Which candidates to choose: what is worth its cost, and what a score's choice is worth."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anglenas.errors import UsageError
from anglenas.ranking._ranks import Floats, counts_of


def precision_at(
    scores: ArrayLike, best: ArrayLike, count: float, weights: ArrayLike | None = None
) -> float:
    """The part of the ``count`` candidates that a score puts first that are among the best.

    Args:
        scores: ``(n,)``, higher is better; NaN is the worst.
        best: ``(n,)`` booleans: who truly is.
        count: How many candidates of the population are chosen.
        weights: ``(n,)``, how many candidates of the population each one stands for.

    Returns:
        0 to 1; chance gives the part of the best in the population.

    Raises:
        UsageError: The population is smaller than ``count``.

    Example:
        >>> precision_at([3, 2, 1, 0], [True, False, True, False], 2)
        0.5
    """
    counts = counts_of(weights, len(np.asarray(scores)))
    shares = _top_shares(scores, count, counts) * counts
    return float(shares[np.asarray(best, dtype=bool)].sum() / shares.sum())


def _top_shares(scores: ArrayLike, count: float, counts: Floats) -> Floats:
    """``(n,)`` how much of each candidate belongs to the best ``count`` of the population.

    1 for those inside and 0 for those outside; equal scores share what is left for them.
    """
    values = np.asarray(scores, dtype=np.float64)
    if not 0 < count <= counts.sum() * (1 + 1e-9):
        raise UsageError(
            f"The best {count:g} of {counts.sum():g} candidates cannot be chosen; ask for fewer."
        )
    _, level = np.unique(np.where(np.isnan(values), -np.inf, values), return_inverse=True)
    equal = np.bincount(level, counts)
    better = equal[::-1].cumsum()[::-1] - equal
    return np.clip((count - better) / equal, 0.0, 1.0)[level]


def pareto_front(scores: ArrayLike, costs: ArrayLike) -> NDArray[np.bool_]:
    """Which candidates no other one beats in score and cost.

    One candidate beats another if it has at least the same score at no higher cost, and is better
    in one of both. Equals do not beat each other.

    Args:
        scores: ``(N,)``; higher is better.
        costs: ``(N,)``; lower is better.

    Returns:
        ``(N,)``; a candidate whose score or cost is not finite is not on the front.

    Example:
        >>> pareto_front(scores=[3.0, 2.0, 2.5, 1.0], costs=[9, 4, 9, 4]).tolist()
        [True, True, False, False]
    """
    score, cost = (np.asarray(values, dtype=np.float64) for values in (scores, costs))
    front = np.zeros(len(score), dtype=bool)
    finite = np.flatnonzero(np.isfinite(score) & np.isfinite(cost))
    best = -np.inf
    order = finite[np.lexsort((-score[finite], cost[finite]))]  # cheapest first, of equals the best
    for cheapest in np.split(order, np.flatnonzero(np.diff(cost[order])) + 1):
        if len(cheapest) and score[cheapest[0]] > best:
            best = score[cheapest[0]]
            front[cheapest[score[cheapest] == best]] = True
    return front
