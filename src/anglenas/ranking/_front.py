"""Which candidates are worth their cost."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["pareto_front"]


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
