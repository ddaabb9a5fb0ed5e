"""Rank expressions as values: sums of weighted terms, and what each term scores."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anglenas.errors import UnknownNameError, UsageError
from anglenas.ranking._ranks import Floats, Ties, populations_of, rank_along

Columns = Mapping[str, Floats]


@dataclass(frozen=True)
class Candidates:
    """What a term is evaluated on: candidates of which every metric needed is defined.

    Columns are ``(N,)``; weights, and so the scores of a term, ``(N,)`` or ``(B, N)``.
    """

    columns: Columns
    directions: Mapping[str, bool]
    ties: Ties
    rng: np.random.Generator | None
    weights: Floats

    def ranks(self, scores: Floats) -> Floats:
        """Ranks of scores that are better when higher."""
        return rank_along(scores, self.weights, self.ties, self.rng)

    def oriented(self, metric: str, values: Floats) -> Floats:
        """Values of a metric with the sign that makes higher better."""
        return values if self.directions[metric] else -values


class Factor(Protocol):
    """A part of a sum that can carry a weight."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics it needs."""

    def defined(self, columns: Columns) -> NDArray[np.bool_]:
        """Which candidates it has a score for."""

    def score(self, candidates: Candidates) -> Floats:
        """A finite score for each candidate, higher is better."""


@dataclass(frozen=True)
class Rank:
    """``metric``: its ranks."""

    metric: str

    def __str__(self) -> str:
        return self.metric

    @property
    def metrics(self) -> tuple[str, ...]:
        """The one metric."""
        return (self.metric,)

    def defined(self, columns: Columns) -> NDArray[np.bool_]:
        """Where the metric is not NaN."""
        return ~np.isnan(columns[self.metric])

    def score(self, candidates: Candidates) -> Floats:
        """The ranks."""
        return candidates.ranks(candidates.oriented(self.metric, candidates.columns[self.metric]))


@dataclass(frozen=True)
class Standard:
    """``z(metric)`` or ``z(log(metric))``: in standard deviations from the mean."""

    metric: str
    log: bool = False

    def __str__(self) -> str:
        return f"z(log({self.metric}))" if self.log else f"z({self.metric})"

    @property
    def metrics(self) -> tuple[str, ...]:
        """The one metric."""
        return (self.metric,)

    def defined(self, columns: Columns) -> NDArray[np.bool_]:
        """Where the metric, or its logarithm, is finite."""
        values = columns[self.metric]
        return np.isfinite(values) & (values > 0) if self.log else np.isfinite(values)

    def score(self, candidates: Candidates) -> Floats:
        """The standardised values, 0 where all are equal."""
        values = candidates.columns[self.metric]
        values = np.log(values) if self.log else values
        return _standardised(candidates.oriented(self.metric, values), candidates.weights)


@dataclass(frozen=True)
class Ranked:
    """``(sum)``: the ranks of a sum."""

    sum: "Expression"

    def __str__(self) -> str:
        return f"({self.sum})"

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those of the sum."""
        return self.sum.metrics

    def defined(self, columns: Columns) -> NDArray[np.bool_]:
        """Where the sum is."""
        return self.sum.defined(columns)

    def score(self, candidates: Candidates) -> Floats:
        """The ranks."""
        return candidates.ranks(self.sum.score(candidates))


@dataclass(frozen=True)
class LogRank(Ranked):
    """``logrank(sum)``: the logarithm of ranks from 1/N to 1."""

    def __str__(self) -> str:
        return f"logrank({self.sum})"

    def score(self, candidates: Candidates) -> Floats:
        """The logarithms, 0 for the best and -log(N) for the worst."""
        ranked = super().score(candidates)
        return np.asarray(np.log((ranked + 1) / candidates.weights.sum(axis=-1, keepdims=True)))


@dataclass(frozen=True)
class Term:
    """``weight*factor``."""

    factor: Factor
    weight: float = 1.0

    def __str__(self) -> str:
        if self.weight == 1:
            return str(self.factor)
        return f"{self.weight!r}".removesuffix(".0") + f"*{self.factor}"


@dataclass(frozen=True)
class Expression:
    """A rank expression, as :func:`parse` reads it: a sum of terms.

    ``str`` prints it without spaces and with aliases spelled out; ``parse(str(e)) == e``.

    Attributes:
        terms: What is added.
    """

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return "+".join(map(str, self.terms))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics it needs, in order of first appearance."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.factor.metrics))

    def evaluate(
        self,
        columns: Mapping[str, ArrayLike],
        directions: Mapping[str, bool],
        *,
        ties: Ties = "average",
        rng: np.random.Generator | None = None,
        weights: ArrayLike | None = None,
    ) -> Floats:
        """The combined score of each candidate, higher is better.

        A candidate for which a metric is undefined scores minus infinity. It is left out before
        anything is ranked or standardised, so the others score as if it had never been there. A
        metric is undefined where it is NaN; inside ``z`` also where it is infinite, and inside
        ``z(log())`` also where it is not positive.

        Args:
            columns: ``(N,)`` values of each metric, by name; others than needed may be there.
            directions: Whether higher is better, by the same names.
            ties: What equal values, and equal sums that are ranked again, get; see :func:`ranks`.
            rng: Where chance comes from; needed by ``ties="broken"`` alone, and drawn from once a
                ranking, from left to right and from the inside out.
            weights: ``(N,)``, how many candidates of a population each one stands for: ranks, means
                and deviations are then those in the population. 1 each by default. ``(B, N)``
                stands for B populations, each with scores of its own.

        Returns:
            ``(N,)`` scores, never NaN; ``(B, N)`` for as many weights.

        Raises:
            UnknownNameError: A metric has no column or no direction.
            UsageError: A column is not ``(N,)``, like the weights; ``ties`` is no rule, or ``rng``
                is missing.

        Example:
            >>> from anglenas.ranking import parse
            >>> columns = {"angle": [0.7, 0.8, 0.9], "loss": [0.1, 0.3, float("nan")]}
            >>> directions = {"angle": True, "loss": False}
            >>> parse("2*angle+loss").evaluate(columns, directions).tolist()
            [1.0, 2.0, -inf]
        """
        check_metrics(self, columns)
        check_metrics(self, directions)
        table = _table(self.metrics, columns)
        defined = self.defined(table)
        counts = populations_of(weights, len(defined))
        scores = np.full(counts.shape, -np.inf)
        if defined.any():
            kept = {name: values[defined] for name, values in table.items()}
            candidates = Candidates(kept, directions, ties, rng, counts[..., defined])
            scores[..., defined] = self.score(candidates)
        return scores

    def defined(self, columns: Columns) -> NDArray[np.bool_]:
        """Which candidates every metric needed is defined for; arguments as in ``evaluate``."""
        parts = [term.factor.defined(columns) for term in self.terms]
        return np.asarray(np.all(parts, axis=0))

    def score(self, candidates: Candidates) -> Floats:
        """The sum over candidates that are all defined; :meth:`evaluate` is what to call."""
        scores = [term.weight * term.factor.score(candidates) for term in self.terms]
        return np.asarray(np.sum(scores, axis=0))


def check_metrics(expression: Expression, known: Iterable[str]) -> None:
    """Make sure that every metric an expression needs is there.

    Args:
        expression: What will be evaluated.
        known: Names of the metrics there are.

    Raises:
        UnknownNameError: A name is not among them; the first such name, with those nearest to it.

    Example:
        >>> from anglenas.ranking import parse
        >>> check_metrics(parse("angle_loss+params"), ["angle", "loss", "params"])
    """
    names = frozenset(known)
    for metric in expression.metrics:
        if metric not in names:
            raise UnknownNameError("metric", metric, names)


def _table(metrics: Iterable[str], columns: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    table = {name: np.asarray(columns[name], dtype=np.float64) for name in metrics}
    found = {values.shape for values in table.values()}
    if len(found) > 1 or any(len(shape) != 1 for shape in found):
        shapes = ", ".join(f"{name} {values.shape}" for name, values in table.items())
        raise UsageError(f"Columns need one value a candidate, but their shapes are {shapes}.")
    return table


def _standardised(values: Floats, weights: Floats) -> Floats:
    if values.min() == values.max():
        return np.zeros_like(weights)
    # Scaled first, so that neither the sum nor the squares of large values overflow.
    scaled = values / np.abs(values).max()
    centred = scaled - _mean(scaled, weights)
    return np.asarray(centred / np.sqrt(_mean(centred**2, weights)))


def _mean(values: Floats, weights: Floats) -> Floats:
    """Along the last axis, which stays."""
    total = weights.sum(axis=-1, keepdims=True)
    return np.asarray((values * weights).sum(axis=-1, keepdims=True) / total)
