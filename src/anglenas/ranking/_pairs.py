"""Kendall's tau of a population, from a sample of it."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from anglenas.errors import UsageError
from anglenas.ranking._ranks import Floats
from anglenas.ranking._sample import Sample

__all__ = ["Pairs", "count_pairs"]

Numbers = NDArray[np.int64]

_MANY = 2000


@dataclass(frozen=True, eq=False)
class Pairs:
    """How many pairs of a population two rankings agree on, ``(B,)`` for B sets of weights.

    Sums of these over groups of candidates speak of pairs inside a group.

    Attributes:
        agreement: Pairs ordered alike, minus pairs ordered oppositely.
        untied_scores: Pairs with different scores.
        untied_truth: Pairs with different truths.
        all: All pairs.
    """

    agreement: Floats
    untied_scores: Floats
    untied_truth: Floats
    all: Floats

    def __add__(self, other: Self) -> "Pairs":
        return Pairs(
            self.agreement + other.agreement,
            self.untied_scores + other.untied_scores,
            self.untied_truth + other.untied_truth,
            self.all + other.all,
        )

    @property
    def tau_a(self) -> Floats:
        """Agreement as a part of all pairs: the mean of tau over all ways to break ties."""
        return _ratio(self.agreement, self.all)

    @property
    def tau_b(self) -> Floats:
        """Kendall's tau-b, which makes up for ties; NaN if all scores or all truths are equal."""
        return _ratio(self.agreement, np.sqrt(self.untied_scores * self.untied_truth))


def _ratio(part: Floats, whole: Floats) -> Floats:
    ratio = np.full(len(part), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def count_pairs(
    scores: ArrayLike,
    truth: ArrayLike,
    sample: Sample,
    *,
    weights: ArrayLike | None = None,
    among: ArrayLike | None = None,
) -> Pairs:
    """How many pairs of the population that a sample stands for are ordered alike by two scores.

    A pair of candidates stands for as many pairs as were there to be drawn when it was: the product
    of their weights, and a little less if both come from one stratum (see
    :attr:`Sample.pair_factors`). So the sums are unbiased for those of the population.

    Args:
        scores: ``(n,)``, or ``(B, n)`` if each set of weights has scores of its own; higher is
            better, NaN and minus infinity count as the lowest.
        truth: ``(n,)``, higher is better, without NaN.
        sample: How the n candidates were drawn.
        weights: ``(B, n)`` replicates of the sample's weights; by default these alone, ``B = 1``.
        among: ``(n,)`` booleans: the candidates whose pairs are counted; all by default.

    Returns:
        The sums, ``(B,)`` each.

    Raises:
        UsageError: The shapes do not fit.

    Example:
        >>> pairs = count_pairs([1, 2, 2, 3], [1, 2, 3, 4], Sample.census(4))
        >>> pairs.tau_b.round(3).tolist(), pairs.tau_a.round(3).tolist()
        ([0.913], [0.833])
    """
    truth = np.asarray(truth, dtype=np.float64)
    chosen = np.ones(len(truth), bool) if among is None else np.asarray(among, dtype=bool)
    rows = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    counts = sample.weights[None] if weights is None else np.atleast_2d(np.asarray(weights))
    count = len(sample.strata)
    if not rows.shape[1] == counts.shape[1] == len(truth) == len(chosen) == count:
        raise UsageError(
            f"A sample of {count} candidates needs as many scores, truths and weights."
        )
    if len(rows) > 1 and len(counts) not in (1, len(rows)):
        raise UsageError(f"{len(rows)} rows of scores need as many rows of weights, or one.")
    ranked = stats.rankdata(np.where(np.isnan(rows), -np.inf, rows)[:, chosen], axis=1)
    if sample.is_census:
        return _count_all(ranked, truth[chosen])
    drawn = (truth[chosen], sample.strata[chosen], sample.pair_factors, counts[:, chosen])
    if len(drawn[0]) > _MANY:
        return _count_sorted(ranked, *drawn)
    return _count_one_by_one(ranked, *drawn)


def _count_all(ranked: Floats, truth: Floats) -> Pairs:
    """Of a whole population, whose weights are 1: what SciPy does in n log n steps."""
    total = _pairs_of(len(truth))
    untied_truth = total - _tied(truth)
    sums = []
    for row in ranked:
        untied = total - _tied(row)
        product = np.sqrt(untied * untied_truth)
        sums.append((stats.kendalltau(row, truth).statistic * product if product else 0.0, untied))
    agreement, untied_scores = np.array(sums).T
    size = len(ranked)
    return Pairs(agreement, untied_scores, np.full(size, untied_truth), np.full(size, total))


def _pairs_of(count: NDArray[np.int64] | int) -> float:
    return float(np.sum(count * (np.asarray(count) - 1)) / 2)


def _tied(values: Floats) -> float:
    return _pairs_of(np.unique(values, return_counts=True)[1])


def _count_one_by_one(
    ranked: Floats, truth: Floats, strata: Numbers, factors: Floats, weights: Floats
) -> Pairs:
    """Each candidate with all later ones, in all replicates at once."""
    count = max(len(ranked), len(weights))
    # Replicates make intervals of two digits: single precision does, and takes half the time.
    kind: type[np.floating[Any]] = np.float32 if count > 1 else np.float64
    ranked = ranked.astype(kind)
    weights = np.broadcast_to(weights.astype(kind), (count, len(truth)))
    sums = np.zeros((count, 4))
    for first in range(len(truth) - 1):
        rest = slice(first + 1, None)
        factor = np.where(strata[rest] == strata[first], factors[strata[first]], 1.0).astype(kind)
        counts = weights[:, rest] * factor
        order = np.sign(ranked[:, rest] - ranked[:, first : first + 1])
        true = np.sign(truth[rest] - truth[first]).astype(kind)
        sums += weights[:, first : first + 1] * _count_with_one(counts, order, true)
    return Pairs(*sums.T)


def _count_with_one(counts: Floats, order: Floats, true: Floats) -> Floats:
    """``(B, 4)``: agreement, different scores, different truths, all; ``counts`` is ``(B, m)``."""
    signed = counts * order
    same = np.stack([np.abs(true), np.ones_like(true)], axis=1)
    return np.column_stack([
        signed @ true, np.einsum("bm,bm->b", signed, np.broadcast_to(order, signed.shape)),
        counts @ same,
    ])  # fmt: skip


def _count_sorted(
    ranked: Floats, truth: Floats, strata: Numbers, factors: Floats, weights: Floats
) -> Pairs:
    """One replicate after the other, each in n log n steps: faster for many candidates."""
    count = max(len(ranked), len(weights))
    rows = zip(
        *(np.broadcast_to(one, (count, len(truth))) for one in (ranked, weights)), strict=True
    )
    parts = [(strata == number, factor - 1) for number, factor in enumerate(factors) if factor != 1]
    sums = [
        _sums_of(row, truth, counts)
        + sum(more * _sums_of(row[part], truth[part], counts[part]) for part, more in parts)
        for row, counts in rows
    ]
    return Pairs(*np.array(sums).T)


def _sums_of(scores: Floats, truth: Floats, weights: Floats) -> Floats:
    """``(4,)`` agreement, different scores, different truths, all, by products of weights."""
    different = [_untied(values, weights) for values in (scores, truth)]
    product = np.sqrt(different[0] * different[1])
    # SciPy weighs an exchange by the product of two weights, which it asks for by position.
    tau = (
        product
        and stats.weightedtau(
            scores, truth, rank=False, weigher=weights.tolist().__getitem__, additive=False
        ).statistic
    )
    return np.array([tau * product, *different, _untied(np.arange(len(weights)), weights)])


def _untied(values: NDArray[Any], weights: Floats) -> float:
    """The sum of the products of weights of all pairs with different values."""
    _, place = np.unique(values, return_inverse=True)
    equal = np.bincount(place, weights)
    return float(equal.sum() ** 2 - (equal**2).sum()) / 2 if len(equal) > 1 else 0.0
