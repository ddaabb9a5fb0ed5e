"""Ranks from values, and the order of candidates from scores."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anglenas.errors import UsageError

__all__ = ["Ties", "order", "ranks"]

Ties = Literal["average", "broken", "dense"]
"""``"average"``: equal values share the mean of their ranks. ``"broken"``: they get different
ranks, every order among them being equally likely. ``"dense"``: they share a rank, and the next
value has the next one."""

Floats = NDArray[np.float64]


def ranks(
    values: ArrayLike,
    *,
    higher_is_better: bool,
    ties: Ties = "average",
    rng: np.random.Generator | None = None,
    weights: ArrayLike | None = None,
) -> Floats:
    """The place of each value: 0 for the worst of N, N - 1 for the best.

    An undefined value (NaN) has rank 0, whatever the ties rule; k of them leave the ranks k to
    N - 1 for the others. Infinities are ordinary values.

    The released code of Yang et al. (WACV 2023) ranks by a double ``argsort``, which orders equal
    values as the sorting algorithm happens to; ``ties="broken"`` is that rule with chance made
    explicit. Average ranks are reproducible without a generator. Dense ranks, which the released
    code of TE-NAS has (Chen et al., ICLR 2021), end the lower the more values are equal.

    Args:
        values: ``(N,)``, one a candidate.
        higher_is_better: Direction of the values.
        ties: What equal values get.
        rng: Where chance comes from; needed by ``"broken"`` alone.
        weights: ``(N,)``, how many candidates of a population each one stands for; the rank is then
            the mean of theirs. Each stands for itself alone by default.

    Returns:
        ``(N,)`` ranks, higher is better.

    Raises:
        UsageError: ``values`` is not one-dimensional, ``ties`` is no rule, ``rng`` is missing, or
            ``weights`` are not one positive number a value.

    Example:
        >>> ranks([0.3, 0.1, 0.3, 0.2], higher_is_better=False).tolist()
        [0.5, 3.0, 0.5, 2.0]
        >>> ranks([0.3, float("nan"), 0.2], higher_is_better=True).tolist()
        [2.0, 0.0, 1.0]
        >>> ranks([0.3, 0.1, 0.3, 0.2], higher_is_better=False, ties="dense").tolist()
        [0.0, 2.0, 0.0, 1.0]
        >>> ranks([0.1, 0.2], higher_is_better=True, weights=[3, 1]).tolist()
        [1.0, 3.0]
    """
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1:
        raise UsageError(f"Ranks need one value a candidate, not an array of shape {scores.shape}.")
    scores = scores if higher_is_better else -scores
    counts = counts_of(weights, len(scores))
    defined = ~np.isnan(scores)
    placed = np.zeros(len(scores))
    placed[defined] = _ranks(scores[defined], ties, rng, counts[defined]) + counts[~defined].sum()
    return placed


def counts_of(weights: ArrayLike | None, count: int) -> Floats:
    """How many candidates of a population each one stands for; see :func:`ranks`."""
    if weights is None:
        return np.ones(count)
    counts = np.asarray(weights, dtype=np.float64)
    if counts.shape != (count,) or not (counts > 0).all():
        raise UsageError(f"{count} candidates need {count} weights above 0, as (N,).")
    return counts


def _ranks(scores: Floats, ties: Ties, rng: np.random.Generator | None, counts: Floats) -> Floats:
    match ties:
        case "average":
            return _average(scores, counts)
        case "broken":
            return _broken(scores, rng, counts)
        case "dense":
            return np.unique(scores, return_inverse=True)[1].astype(np.float64)
        case _:
            raise UsageError(f"ties is 'average', 'broken' or 'dense', not {ties!r}.")


def _average(scores: Floats, counts: Floats) -> Floats:
    _, place = np.unique(scores, return_inverse=True)
    equal = np.bincount(place, counts)
    return (np.cumsum(equal) - equal + (equal - 1) / 2)[place]


def _broken(scores: Floats, rng: np.random.Generator | None, counts: Floats) -> Floats:
    if rng is None:
        raise UsageError("ties='broken' needs rng, such as numpy.random.default_rng(0).")
    worst_first = np.lexsort((rng.permutation(len(scores)), scores))
    here = counts[worst_first]
    placed = np.empty(len(scores))
    placed[worst_first] = np.cumsum(here) - here + (here - 1) / 2
    return placed


def order(scores: ArrayLike) -> NDArray[np.intp]:
    """Indices of the candidates, best first; of equal scores the earlier candidate comes first.

    The first index is that of the first maximum, which is the released code's pick. NaN is last.

    Args:
        scores: ``(N,)``, higher is better.

    Returns:
        ``(N,)`` indices.

    Example:
        >>> order([1.0, 3.0, 3.0, 2.0]).tolist()
        [1, 2, 3, 0]
    """
    return np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
