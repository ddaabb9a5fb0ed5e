"""Kendall's tau of a population, from a sample of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import scipy  # whose `stats` is imported when it is used: 0.6 s that a search need not wait for
from numpy.typing import ArrayLike, NDArray

from anglenas.errors import UsageError
from anglenas.ranking._ranks import Floats
from anglenas.ranking._sample import Sample

Numbers = NDArray[np.int64]
Part = slice | NDArray[np.bool_]
"""Which of the candidates: all of them, or those of a stratum."""

_MANY = 2000
"""From here on n log n steps are faster than n ** 2."""

_FEW = 1 / 50
"""So many replicates, as a part of many candidates, take n log n steps each in the time that making
a matrix of pairs takes."""

_BLOCK = 256
"""Rows of a matrix of pairs that are made at a time."""


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
    ranked = scipy.stats.rankdata(np.where(np.isnan(rows), -np.inf, rows)[:, chosen], axis=1)
    if sample.is_census:
        return _count_all(ranked, truth[chosen])
    places = scipy.stats.rankdata(truth[chosen])
    drawn = _Chosen(places, sample.strata[chosen], sample.pair_factors, counts[:, chosen])
    shape = (max(len(ranked), len(counts)),)
    return Pairs(*(
        np.broadcast_to(sums, shape)
        for sums in (drawn.agreement(ranked), drawn.untied(ranked), drawn.untied_truth, drawn.all)
    ))  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Candidates whose pairs are counted: ``(m,)`` of some strata, weights ``(B, m)`` or (1, m).

    Truths are ranks, like the scores, so that what differs does by half a rank at least.
    """

    truth: Floats
    strata: Numbers
    factors: Floats
    weights: Floats

    @property
    def all(self) -> Floats:
        """``(B,)`` all pairs."""
        return self._sums(lambda weights, part: _products(weights))

    @property
    def untied_truth(self) -> Floats:
        """``(B,)`` pairs with different truths."""
        return self._sums(lambda weights, part: _untied(self.truth[part], weights))

    def untied(self, ranked: Floats) -> Floats:
        """``(B,)`` pairs with different ranks, which are ``(B, m)`` or ``(1, m)``."""
        if len(ranked) == 1:
            return self._sums(lambda weights, part: _untied(ranked[0, part], weights))
        found = np.array(np.broadcast_to(self.all, len(ranked)))
        rows = np.flatnonzero(_have_ties(ranked))
        some = replace(self, weights=np.broadcast_to(self.weights, ranked.shape)[rows])
        found[rows] = some._sums(lambda weights, part: _untied_each(ranked[rows][:, part], weights))
        return found

    def agreement(self, ranked: Floats) -> Floats:
        """``(B,)`` pairs ordered alike, minus pairs ordered oppositely."""
        many, replicates = len(self.truth) > _MANY, len(self.weights)
        if len(ranked) == 1 < replicates and not (many and replicates < len(self.truth) * _FEW):
            return self._agreement_with_one(ranked[0])
        if many:
            return self._agreement_sorted(ranked)
        return self._agreement_one_by_one(ranked)

    def _sums(self, of: Callable[[Floats, Part], Floats]) -> Floats:
        """Sums over pairs, of which those inside a stratum count by its factor."""
        total = of(self.weights, slice(None))
        for number in np.flatnonzero(self.factors != 1):
            part = self.strata == number
            total = total + (self.factors[number] - 1) * of(self.weights[:, part], part)
        return total

    def _signs(self, first: slice, rest: slice) -> Floats:
        """How pairs are ordered by truth, 1, 0 or -1, times the factor of their stratum."""
        same = self.strata[first, None] == self.strata[rest]
        factors = np.where(same, self.factors[self.strata[first], None], 1.0)
        return np.asarray(factors * _signs_of(self.truth[rest] - self.truth[first, None]))

    def _agreement_with_one(self, ranked: Floats) -> Floats:
        """The same ranks with many weights: products of matrices, a block of rows at a time."""
        weights = self.weights.astype(np.float32)  # replicates make intervals of two digits
        total = np.zeros(len(weights))
        for start in range(0, len(ranked), _BLOCK):
            first, rest = slice(start, start + _BLOCK), slice(None)
            signs = self._signs(first, rest) * _signs_of(ranked - ranked[first, None])
            total += (weights[:, first] * (weights @ signs.T.astype(np.float32))).sum(axis=1)
        return total / 2

    def _agreement_one_by_one(self, ranked: Floats) -> Floats:
        """Each candidate with all later ones, in all replicates at once."""
        count = max(len(ranked), len(self.weights))
        kind: type[np.floating[Any]] = np.float32 if count > 1 else np.float64
        ranked = ranked.astype(kind)
        weights = np.broadcast_to(self.weights.astype(kind), (count, len(self.truth)))
        signs = self._signs(slice(None), slice(None)).astype(kind)
        total = np.zeros(count)
        for place in range(len(self.truth) - 1):
            rest = slice(place + 1, None)
            ordered = _signs_of(ranked[:, rest] - ranked[:, place : place + 1])
            ordered *= weights[:, rest]
            total += weights[:, place] * (ordered @ signs[place, rest])
        return total

    def _agreement_sorted(self, ranked: Floats) -> Floats:
        """One replicate after the other, each in n log n steps: faster for many candidates."""
        count = max(len(ranked), len(self.weights))
        rows = np.broadcast_to(ranked, (count, len(self.truth)))

        def of(weights: Floats, part: Part) -> Floats:
            counts = np.broadcast_to(weights, (count, weights.shape[1]))
            return np.array([
                _sorted(row[part], self.truth[part], one)
                for row, one in zip(rows, counts, strict=True)
            ])  # fmt: skip

        return self._sums(of)


def _signs_of(differences: NDArray[Any]) -> NDArray[Any]:
    """Signs of differences of ranks, in place: faster than ``numpy.sign``, and exactly the same."""
    np.add(differences, differences, out=differences)  # half a rank is the smallest one
    np.minimum(differences, 1, out=differences)
    np.maximum(differences, -1, out=differences)
    return differences


def _count_all(ranked: Floats, truth: Floats) -> Pairs:
    """Of a whole population, whose weights are 1: what SciPy does in n log n steps."""
    total = _pairs_of(len(truth))
    untied_truth = total - _tied(truth)
    sums = []
    for row in ranked:
        untied = total - _tied(row)
        product = np.sqrt(untied * untied_truth)
        sums.append(
            (scipy.stats.kendalltau(row, truth).statistic * product if product else 0.0, untied)
        )
    agreement, untied_scores = np.array(sums).T
    size = len(ranked)
    return Pairs(agreement, untied_scores, np.full(size, untied_truth), np.full(size, total))


def _pairs_of(count: NDArray[np.int64] | int) -> float:
    return float(np.sum(count * (np.asarray(count) - 1)) / 2)


def _tied(values: Floats) -> float:
    return _pairs_of(np.unique(values, return_counts=True)[1])


def _sorted(scores: Floats, truth: Floats, weights: Floats) -> float:
    """Agreement by products of weights."""
    different = [float(_untied(one, weights[None])[0]) for one in (scores, truth)]
    product = np.sqrt(different[0] * different[1])
    if not product:
        return 0.0
    # SciPy weighs an exchange by the product of two weights, which it asks for by position.
    tau = scipy.stats.weightedtau(
        scores, truth, rank=False, weigher=weights.tolist().__getitem__, additive=False
    ).statistic
    return float(tau * product)


def _products(weights: Floats) -> Floats:
    """``(B,)`` the sum of the products of the weights, ``(B, m)``, of all pairs."""
    return np.asarray((weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)) / 2)


def _untied(values: Floats, weights: Floats) -> Floats:
    """The same, of pairs with different values, ``(m,)``."""
    different, place = np.unique(values, return_inverse=True)
    if len(different) == len(values):
        return _products(weights)
    ordered = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[ordered], np.arange(len(different)))
    return _products(np.add.reduceat(weights[:, ordered], starts, axis=1))


def _untied_each(values: Floats, weights: Floats) -> Floats:
    """The same, of values that are ``(B, m)`` like the weights."""
    places = np.argsort(values, axis=1)
    values, weights = (np.take_along_axis(one, places, axis=1) for one in (values, weights))
    ends = np.ones(values.shape, dtype=bool)
    ends[:, :-1] = values[:, 1:] != values[:, :-1]
    sums = np.cumsum(weights, axis=1)
    # What is summed up before a value is what is at the end of the one below.
    below = np.maximum.accumulate(np.where(ends, sums, 0.0), axis=1)
    below = np.concatenate([np.zeros((len(sums), 1)), below[:, :-1]], axis=1)
    return _products(np.where(ends, sums - below, 0.0))


def _have_ties(ranked: Floats) -> NDArray[np.bool_]:
    """``(B,)`` which rows of average ranks have equal ones: these have a lower sum of squares."""
    count = ranked.shape[1]
    return np.asarray((ranked**2).sum(axis=1) < count * (count + 1) * (2 * count + 1) / 6 - 0.25)
