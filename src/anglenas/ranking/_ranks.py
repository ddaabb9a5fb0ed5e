"""Ranks from values, and the order of candidates from scores."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anglenas.errors import UsageError

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
    """The rank of each value: 0 for the worst of N, N - 1 for the best.

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
    ranked = np.zeros(len(scores))
    ranked[defined] = (
        rank_along(scores[defined], counts[defined], ties, rng) + counts[~defined].sum()
    )
    return ranked


def counts_of(weights: ArrayLike | None, count: int) -> Floats:
    """``(N,)`` how many candidates of a population each one stands for; see :func:`ranks`."""
    counts = populations_of(weights, count)
    if counts.ndim != 1:
        raise UsageError(f"{count} candidates need {count} weights above 0, as (N,).")
    return counts


def populations_of(weights: ArrayLike | None, count: int) -> Floats:
    """``(N,)`` counts as of :func:`counts_of`, or ``(B, N)`` those of several populations."""
    if weights is None:
        return np.ones(count)
    counts = np.asarray(weights, dtype=np.float64)
    if counts.ndim not in (1, 2) or counts.shape[-1] != count or not (counts > 0).all():
        raise UsageError(f"{count} candidates need {count} weights above 0, as (N,) or (B, N).")
    return counts


def rank_along(
    scores: Floats, counts: Floats, ties: Ties, rng: np.random.Generator | None
) -> Floats:
    """Ranks along the last axis, of scores that are all defined and better when higher.

    Scores, ``(..., N)``, and counts, ``(..., N)``, may differ in the axes before.
    """
    scores, counts = np.broadcast_arrays(scores, counts)
    match ties:
        case "average" | "dense":
            worst_first = np.argsort(scores, axis=-1, kind="stable")
            ranking = _average if ties == "average" else _dense
        case "broken":
            worst_first, ranking = _break(scores, rng), _in_turn
        case _:
            raise UsageError(f"ties is 'average', 'broken' or 'dense', not {ties!r}.")
    ordered = (np.take_along_axis(one, worst_first, axis=-1) for one in (scores, counts))
    ranked = np.empty(scores.shape)
    np.put_along_axis(ranked, worst_first, ranking(*ordered), axis=-1)
    return ranked


def _break(scores: Floats, rng: np.random.Generator | None) -> NDArray[np.intp]:
    """An order, worst first, in which equal scores come as chance has it."""
    if rng is None:
        raise UsageError("ties='broken' needs rng, such as numpy.random.default_rng(0).")
    turns = np.broadcast_to(np.arange(scores.shape[-1]), scores.shape)
    return np.lexsort((rng.permuted(turns, axis=-1), scores), axis=-1)


def _in_turn(scores: Floats, counts: Floats) -> Floats:
    """Of sorted scores: each has its own rank, the mean of those it stands for."""
    return np.asarray(np.cumsum(counts, axis=-1) - counts + (counts - 1) / 2)


def _average(scores: Floats, counts: Floats) -> Floats:
    """Of sorted scores: equal ones share the mean of their ranks."""
    first, last = _ends(scores)
    below = np.cumsum(counts, axis=-1) - counts
    before = np.take_along_axis(below, first, axis=-1)
    after = np.take_along_axis(below + counts, last, axis=-1)
    return np.asarray((before + after - 1) / 2)


def _dense(scores: Floats, counts: Floats) -> Floats:
    """Of sorted scores: how many different ones are lower."""
    del counts
    return np.asarray(np.cumsum(_is_new(scores), axis=-1) - 1.0, dtype=np.float64)


def _is_new(scores: Floats) -> NDArray[np.bool_]:
    """Where a sorted score differs from the one before; true for the first."""
    new = np.ones(scores.shape, dtype=bool)
    new[..., 1:] = scores[..., 1:] != scores[..., :-1]
    return new


def _ends(scores: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of the first and the last of the scores equal to each, of sorted ones."""
    positions = np.arange(scores.shape[-1])
    new = _is_new(scores)
    is_last = np.roll(new, -1, axis=-1)
    is_last[..., -1:] = True
    first = np.maximum.accumulate(np.where(new, positions, 0), axis=-1)
    backwards = np.where(is_last, positions, len(positions) - 1)[..., ::-1]
    return first, np.minimum.accumulate(backwards, axis=-1)[..., ::-1]


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
