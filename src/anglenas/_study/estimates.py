"""How well a ranking agrees with known accuracies: estimates with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anglenas._numerics import derive
from anglenas._study.subsets import Subset
from anglenas.ranking import (
    Interval,
    Pairs,
    Sample,
    Ties,
    count_pairs,
    parse,
    precision_at,
    spearman_each,
)

__all__ = ["Drawn", "Estimate", "Ranking", "estimate"]

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]

_BREAKINGS = 20


@dataclass(frozen=True)
class Estimate:
    """How well one ranking orders one subset.

    Attributes:
        metric: The metric or rank expression.
        guard: How trivial networks were treated.
        subset: Name of the subset.
        ranks: In which population ranks were formed before they were added: ``"all"`` networks of
            the table, or the ``"subset"`` alone. For a single metric they are the same.
        networks: How many networks of the subset were measured.
        population: How many it has.
        undefined: How many of those measured have no value; they are ranked last.
        tau: Kendall's tau-b.
        tau_broken: Kendall's tau when ties are broken at random before ranks are formed, as in the
            released code of Yang et al. (WACV 2023).
        spearman: Spearman's rho.
        gain: Tau-b, minus that of ``params`` on the same networks.
        with_params: Tau-b of the ranking with ``params``.
        deviation: Standard deviation of tau-b over seeds; NaN if there is one seed.
        precision: Of as many networks as the subset has, put first by the ranking, the part that
            are in it; NaN unless the subset is a top.
    """

    metric: str
    guard: str
    subset: str
    ranks: str
    networks: int
    population: int
    undefined: int
    tau: Interval
    tau_broken: Interval
    spearman: Interval
    gain: Interval
    with_params: float
    deviation: float
    precision: Interval


@dataclass(frozen=True, eq=False)
class Drawn:
    """Networks that everything a ranking needs was measured of.

    Attributes:
        rows: ``(n,)`` their places in the table.
        strata: ``(N,)`` the stratum of each network of the table.
        sample: How they were drawn from it.
        truth: ``(n,)`` accuracies.
        columns: By metric, ``(n,)`` values, ``params`` among them; one mapping a seed.
        directions: Whether higher is better, by metric.
        replicates: ``(B, n)`` weights as they might have been; the weights alone for a census.
    """

    rows: NDArray[np.intp]
    strata: NDArray[np.int64]
    sample: Sample
    truth: Floats
    columns: Sequence[Mapping[str, Floats]]
    directions: Mapping[str, bool]
    replicates: Floats

    @classmethod
    def of(
        cls,
        rows: NDArray[np.intp],
        strata: NDArray[np.int64],
        sizes: NDArray[np.int64],
        truth: Floats,
        columns: Sequence[Mapping[str, Floats]],
        directions: Mapping[str, bool],
        *,
        replicates: int,
        seed: int,
    ) -> "Drawn":
        """With replicates that are the same for all rankings of the same networks."""
        sample = Sample.of(strata[rows], sizes)
        weights = sample.weights[None]
        if not sample.is_census:
            rng = np.random.default_rng(derive(seed, "replicates"))
            weights = sample.replicates(replicates, rng)
        return cls(rows, strata, sample, truth, columns, directions, weights)


@dataclass(frozen=True, eq=False)
class Ranking:
    """The scores that a rank expression gives, with the weights of a sample and their replicates.

    Attributes:
        drawn: What was measured.
        metric: The rank expression.
        seed: Where the order of ties comes from.
        within: ``(n,)`` the networks among which ranks are formed; the others are behind. All by
            default.
    """

    drawn: Drawn
    metric: str
    seed: int
    within: Masks | None = None

    @cached_property
    def point(self) -> list[Floats]:
        """``(1, n)`` scores of each seed, with the sample's own weights."""
        return self._scores(self.drawn.sample.weights[None], "average")

    @cached_property
    def varied(self) -> list[Floats]:
        """``(B, n)`` scores of each seed for each replicate; ``(1, n)`` where all are alike."""
        # The order by one metric is that of its values, whoever else was drawn.
        if len(parse(self.metric).metrics) == 1:
            return self.point
        return self._scores(self.drawn.replicates, "average")

    @cached_property
    def point_broken(self) -> list[Floats]:
        """``(20, n)`` scores of each seed, with ties broken in as many ways."""
        weights = np.broadcast_to(self.drawn.sample.weights, (_BREAKINGS, len(self.drawn.rows)))
        return self._scores(weights, "broken")

    @cached_property
    def varied_broken(self) -> list[Floats]:
        """``(B, n)`` scores of each seed, with ties broken anew for each replicate."""
        census = self.drawn.sample.is_census
        return self.point_broken if census else self._scores(self.drawn.replicates, "broken")

    def _scores(self, weights: Floats, ties: Ties) -> list[Floats]:
        return [self._evaluate(columns, weights, ties) for columns in self.drawn.columns]

    def _evaluate(self, columns: Mapping[str, Floats], weights: Floats, ties: Ties) -> Floats:
        chosen = slice(None) if self.within is None else self.within
        expression = parse(self.metric)
        scores = np.full(weights.shape, -np.inf)
        scores[:, chosen] = expression.evaluate(
            {name: columns[name][chosen] for name in expression.metrics},
            self.drawn.directions,
            ties=ties,
            rng=np.random.default_rng(derive(self.seed, "ties")),
            weights=weights[:, chosen],
        )
        return scores


def estimate(ranking: Ranking, subset: Subset, *, guard: str) -> Estimate:
    """How well a ranking orders a subset; see :class:`Estimate` for what it tells.

    The interval holds what would vary had other networks been drawn: of a subset that was measured
    entirely nothing would, and the interval is a point. That of ``tau_broken`` holds the chance in
    the order of ties too.

    Args:
        ranking: The ranking.
        subset: The networks to be ordered.
        guard: What to call the treatment of trivial networks.

    Returns:
        The estimate; NaN where too few networks of a stratum of the subset were measured.
    """
    drawn = ranking.drawn
    judged = _Judged(ranking, tuple(part[drawn.rows] for part in subset.parts))
    members = np.any(judged.parts, axis=0)
    enough = members.sum() > 1 and drawn.sample.covers(drawn.strata[subset.members])
    is_top = subset.name.startswith("top") and ranking.within is None
    tau, gain, deviation = judged.taus() if enough else (_NOTHING, _NOTHING, np.nan)
    return Estimate(
        metric=ranking.metric,
        guard=guard,
        subset=subset.name,
        ranks="all" if ranking.within is None else "subset",
        networks=int(members.sum()),
        population=int(subset.members.sum()),
        undefined=int(np.isneginf(ranking.point[0][0][members]).sum()),
        tau=tau,
        tau_broken=judged.broken() if enough else _NOTHING,
        spearman=judged.spearman(members) if enough and len(subset.parts) == 1 else _NOTHING,
        gain=gain,
        with_params=judged.with_params() if enough else np.nan,
        deviation=deviation,
        precision=judged.precision(members, subset) if enough and is_top else _NOTHING,
    )


@dataclass(frozen=True, eq=False)
class _Judged:
    """A ranking of a subset; pairs are counted inside its parts."""

    ranking: Ranking
    parts: tuple[Masks, ...]

    def taus(self) -> tuple[Interval, Interval, float]:
        """Tau-b, what it gains over params, and its deviation over seeds."""
        drawn = self.ranking.drawn
        point, varied = drawn.sample.weights[None], drawn.replicates
        params = [columns["params"] for columns in drawn.columns]
        ours = self._taus(self.ranking.point, point), self._taus(self.ranking.varied, varied)
        theirs = self._taus(params, point), self._taus(params, varied)
        value, gain = (float(np.mean(one)) for one in (ours[0], ours[0] - theirs[0]))
        return (
            Interval.of(value, ours[1].mean(axis=0)),
            Interval.of(gain, (ours[1] - theirs[1]).mean(axis=0)),
            float(ours[0].std(ddof=1)) if len(ours[0]) > 1 else np.nan,
        )

    def broken(self) -> Interval:
        """Tau with ties broken at random: anew for each replicate."""
        sample = self.ranking.drawn.sample
        value = self._taus(self.ranking.point_broken, sample.weights[None], broken=True)
        if sample.is_census:
            return Interval.of(float(value.mean()), value.mean(axis=0))
        weights = self.ranking.drawn.replicates
        varied = self._taus(self.ranking.varied_broken, weights, broken=True)
        return Interval.of(float(value.mean()), varied.mean(axis=0))

    def _taus(self, scores: Sequence[Floats], weights: Floats, *, broken: bool = False) -> Floats:
        """``(seeds, B)``; of broken ties those of the truth remain, and count as undecided."""
        pairs = [self._pairs(one, self.ranking.drawn.truth, weights) for one in scores]
        return np.stack([one.tau_a if broken else one.tau_b for one in pairs])

    def _pairs(self, scores: Floats, truth: Floats, weights: Floats) -> Pairs:
        sample = self.ranking.drawn.sample
        counted = [
            count_pairs(scores, truth, sample, weights=weights, among=part) for part in self.parts
        ]
        return sum(counted[1:], start=counted[0])

    def spearman(self, members: Masks) -> Interval:
        """Spearman's rho, the mean over seeds."""
        drawn = self.ranking.drawn
        value, varied = (
            np.mean([
                spearman_each(one[:, members], drawn.truth[members], weights[:, members])
                for one in scores
            ], axis=0)
            for scores, weights in (
                (self.ranking.point, drawn.sample.weights[None]),
                (self.ranking.varied, drawn.replicates),
            )
        )  # fmt: skip
        return Interval.of(float(value[0]), varied)

    def with_params(self) -> float:
        """Tau-b with params, the mean over seeds."""
        drawn = self.ranking.drawn
        params, weights = drawn.columns[0]["params"], drawn.sample.weights[None]
        found = [self._pairs(one, params, weights).tau_b[0] for one in self.ranking.point]
        return float(np.mean(found))

    def precision(self, members: Masks, subset: Subset) -> Interval:
        """Of as many networks as the subset has, put first by the ranking, the part in it."""
        drawn, count = self.ranking.drawn, float(subset.members.sum())
        value = _precisions(self.ranking.point, drawn.sample.weights[None], members, count)
        varied = _precisions(self.ranking.varied, drawn.replicates, members, count)
        return Interval.of(float(value[0]), varied)


def _precisions(scores: Sequence[Floats], weights: Floats, members: Masks, count: float) -> Floats:
    """``(B,)``, the mean over seeds."""
    found = [
        [
            precision_at(row, members, count, counts)
            for row, counts in zip(np.broadcast_to(one, weights.shape), weights, strict=True)
        ]
        for one in scores
    ]
    return np.asarray(np.mean(found, axis=0))


_NOTHING = Interval(np.nan, np.nan, np.nan)
