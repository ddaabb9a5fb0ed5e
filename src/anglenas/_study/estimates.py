"""How well a ranking agrees with known accuracies: estimates with intervals."""

from collections.abc import Callable, Mapping, Sequence
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
    spearman,
)

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
Parts = Sequence[Masks]

_BREAKINGS = 20
"""Orders of ties that the value of tau with broken ties is the mean of."""

_NOTHING = Interval(np.nan, np.nan, np.nan)


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
class Sampled:
    """Networks that everything a ranking needs was measured of.

    Attributes:
        rows: ``(n,)`` their rows in the benchmark.
        strata: ``(N,)`` the stratum of each network of the benchmark.
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


@dataclass(frozen=True, eq=False)
class Ranking:
    """The scores that a rank expression gives, with the weights of a sample and their replicates.

    Attributes:
        sampled: What was measured.
        metric: The rank expression.
        seed: Where the order of ties comes from.
        within: ``(n,)`` the networks among which ranks are formed; the others are behind. All by
            default.
    """

    sampled: Sampled
    metric: str
    seed: int = 1
    within: Masks | None = None

    @cached_property
    def point(self) -> list[Floats]:
        """``(1, n)`` scores of each seed, with the sample's own weights."""
        return self._scores(self._weights, "average")

    @cached_property
    def varied(self) -> list[Floats]:
        """``(B, n)`` scores of each seed for each replicate; ``(1, n)`` where all are alike."""
        # The order by one metric is that of its values, whoever else was drawn.
        if len(parse(self.metric).metrics) == 1:
            return self.point
        return self._scores(self.sampled.replicates, "average")

    @property
    def _weights(self) -> Floats:
        return self.sampled.sample.weights[None]

    def _scores(self, weights: Floats, ties: Ties) -> list[Floats]:
        chosen = slice(None) if self.within is None else self.within
        expression, found = parse(self.metric), []
        for columns in self.sampled.columns:
            scores = np.full(weights.shape, -np.inf)
            scores[:, chosen] = expression.evaluate(
                {name: columns[name][chosen] for name in expression.metrics},
                self.sampled.directions,
                ties=ties,
                rng=np.random.default_rng(derive(self.seed, "ties")),
                weights=weights[:, chosen],
            )
            found.append(scores)
        return found

    def taus(self, parts: Parts) -> tuple[Floats, Floats]:
        """Tau-b of pairs inside some parts of the sample, ``(n,)`` booleans each.

        Returns:
            ``(S, 1)`` of each seed with the sample's own weights, and ``(S, B)`` in the replicates.
        """
        point = self._pairs(self.point, self._weights, parts)
        varied = self._pairs(self.varied, self.sampled.replicates, parts)
        return (np.stack([one.tau_b for one in point]), np.stack([one.tau_b for one in varied]))

    def broken_tau(self, parts: Parts) -> Interval:
        """Tau with ties broken at random, anew for each replicate; those of the truth remain."""
        weights = np.broadcast_to(self._weights, (_BREAKINGS, self._weights.shape[1]))
        pairs = self._pairs(self._scores(weights, "broken"), self._weights, parts)
        value = np.stack([one.tau_a for one in pairs])
        if self.sampled.sample.is_census:  # then nothing but the order of ties is left to chance
            return Interval.of(float(value.mean()), value.mean(axis=0))
        scores = self._scores(self.sampled.replicates, "broken")
        varied = self._pairs(scores, self.sampled.replicates, parts)
        replicates = np.stack([one.tau_a for one in varied])
        return Interval.of(float(value.mean()), replicates.mean(axis=0))

    def tau_with(self, other: Floats, parts: Parts) -> float:
        """Tau-b of the ranking with other scores, ``(n,)``; the mean over seeds."""
        pairs = self._pairs(self.point, self._weights, parts, other)
        return float(np.mean([one.tau_b[0] for one in pairs]))

    def _pairs(
        self, scores: Sequence[Floats], weights: Floats, parts: Parts, truth: Floats | None = None
    ) -> list[Pairs]:
        sampled, found = self.sampled, []
        for one in scores:
            counted = [
                count_pairs(one, sampled.truth if truth is None else truth, sampled.sample,
                            weights=weights, among=part)
                for part in parts
            ]  # fmt: skip
            found.append(sum(counted[1:], start=counted[0]))
        return found

    def spearman(self, members: Masks) -> Interval:
        """Spearman's rho among some networks, the mean over seeds."""
        truth = self.sampled.truth[members]
        return self._interval(
            lambda scores, weights: spearman(scores[:, members], truth, weights[:, members])
        )

    def precision(self, members: Masks, count: float) -> Interval:
        """Of ``count`` networks put first by the ranking, the part that is among the members."""
        return self._interval(
            lambda scores, weights: np.array([
                precision_at(row, members, count, counts)
                for row, counts in zip(np.broadcast_to(scores, weights.shape), weights, strict=True)
            ])
        )  # fmt: skip

    def _interval(self, measure: Callable[[Floats, Floats], Floats]) -> Interval:
        """What is measured of ``(B, n)`` scores and weights, ``(B,)``; the mean over seeds."""
        weights = self.sampled.replicates
        value = np.mean([measure(one, self._weights)[0] for one in self.point])
        varied = np.mean([measure(one, weights) for one in self.varied], axis=0)
        return Interval.of(float(value), varied)


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
    sampled = ranking.sampled
    parts = [part[sampled.rows] for part in subset.parts]
    members = np.any(parts, axis=0)
    enough = members.sum() > 1 and sampled.sample.covers(sampled.strata[subset.members])
    # Ranks formed inside a top put nobody else first: its precision would say nothing.
    is_top = subset.name.startswith("top") and ranking.within is None
    # A part of which too few were measured has no estimate, rather than one of the other parts.
    tau, gain, deviation = _NOTHING, _NOTHING, np.nan
    if enough:
        ours, theirs = ranking.taus(parts), Ranking(sampled, "params").taus(parts)
        tau = Interval.of(float(ours[0].mean()), ours[1].mean(axis=0))
        gain = Interval.of(float(np.mean(ours[0] - theirs[0])), (ours[1] - theirs[1]).mean(axis=0))
        deviation = float(ours[0].std(ddof=1)) if len(ours[0]) > 1 else np.nan
    return Estimate(
        metric=ranking.metric,
        guard=guard,
        subset=subset.name,
        ranks="all" if ranking.within is None else "subset",
        networks=int(members.sum()),
        population=int(subset.members.sum()),
        undefined=int(np.isneginf(ranking.point[0][0][members]).sum()),
        tau=tau,
        tau_broken=ranking.broken_tau(parts) if enough else _NOTHING,
        spearman=ranking.spearman(members) if enough and len(parts) == 1 else _NOTHING,
        gain=gain,
        with_params=ranking.tau_with(sampled.columns[0]["params"], parts) if enough else np.nan,
        deviation=deviation,
        precision=ranking.precision(members, float(subset.members.sum()))
        if enough and is_top else _NOTHING,
    )  # fmt: skip
