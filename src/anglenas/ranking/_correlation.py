"""How well two scores agree on the order of candidates."""

import numpy as np
import scipy  # whose `stats` is imported when it is used: 0.6 s that a search need not wait for
from numpy.typing import ArrayLike

from anglenas.errors import UsageError
from anglenas.ranking._ranks import Floats, populations_of, rank_along, ranks


def kendall_tau(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b, which makes up for ties.

    The released code of Yang et al. (WACV 2023) breaks ties at random first (``ranks`` with
    ``ties="broken"``), so that its tau is tau-a on average and closer to 0: the parameter counts of
    NAS-Bench-201, 28 values for 15 625 networks, have tau-b 0.578 with CIFAR-10 test accuracy but
    0.552 with broken ties; the supplement, table 1, has .55.

    Args:
        x: ``(N,)`` scores; NaN counts as the lowest, as in :func:`ranks`.
        y: ``(N,)`` scores to agree with; the same.

    Returns:
        1 for the same order, -1 for the opposite; NaN if all values of ``x`` or ``y`` are equal.

    Raises:
        UsageError: ``x`` and ``y`` differ in length.

    Example:
        >>> round(kendall_tau([1, 2, 2, 3], [1, 2, 3, 4]), 3)
        0.913
    """
    first, second = (ranks(one, higher_is_better=True) for one in (x, y))
    _check_lengths(first, second)
    return float(scipy.stats.kendalltau(first, second).statistic)


def spearman(x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Spearman's rho: Pearson's correlation of average ranks, also in several populations at once.

    Args:
        x: ``(N,)`` scores, or ``(B, N)`` those of each population; NaN counts as the lowest.
        y: ``(N,)`` scores to agree with; the same.
        weights: ``(N,)``, how many candidates of a population each one stands for, or ``(B, N)`` in
            each population; 1 by default.

    Returns:
        ``()``, or ``(B,)``: 1 for the same order, -1 for the opposite; NaN where all values of
        ``x`` or ``y`` are equal.

    Raises:
        UsageError: ``x``, ``y`` and ``weights`` differ in length.

    Example:
        >>> spearman([1, 2, 2, 3], [1, 2, 3, 4]).round(3).tolist()
        0.949
        >>> spearman([1, 2, 2, 3], [1, 2, 3, 4], [[1, 1, 1, 1], [1, 1, 1, 9]]).round(3).tolist()
        [0.949, 0.997]
    """
    scores = [np.asarray(one, dtype=np.float64) for one in (x, y)]
    _check_lengths(*scores)
    counts = populations_of(weights, scores[0].shape[-1])
    first, second = (_centred_ranks(np.where(np.isnan(one), -np.inf, one), counts)
                     for one in scores)  # fmt: skip
    products = (counts * first * second).sum(axis=-1)
    sizes = np.sqrt((counts * first**2).sum(axis=-1) * (counts * second**2).sum(axis=-1))
    rho = np.full(products.shape, np.nan)
    np.divide(products, sizes, out=rho, where=sizes > 0)
    return rho


def _centred_ranks(scores: Floats, counts: Floats) -> Floats:
    """Average ranks minus their mean."""
    ranked = rank_along(scores, counts, "average", None)
    means = (counts * ranked).sum(axis=-1) / counts.sum(axis=-1)
    # Of equal ranks rounding would leave a little.
    return np.where(np.ptp(ranked, axis=-1)[..., None] == 0, 0.0, ranked - means[..., None])


def _check_lengths(x: Floats, y: Floats) -> None:
    if x.shape[-1] != y.shape[-1]:
        raise UsageError(
            "A correlation needs as many scores on both sides, not "
            f"{x.shape[-1]} and {y.shape[-1]}."
        )
