"""From measured values to ranked candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from anglenas._measuring.plan import Measured
from anglenas._numerics import derive
from anglenas._plugins import load
from anglenas._searching.result import Candidate
from anglenas.errors import SettingError
from anglenas.probes import Metric
from anglenas.ranking import Ties, guard_columns, order, parse, ranks
from anglenas.spaces import NetworkConfig

__all__ = ["Judge", "combined_scores", "rank_candidates"]

Columns = Mapping[str, NDArray[np.float64]]


def columns_of(measured: Sequence[Measured], metrics: Sequence[Metric]) -> Columns:
    """``(N,)`` values of each metric; NaN where it is undefined."""
    return {
        metric.name: np.array(
            [np.nan if (v := one.values[metric.name]) is None else v for one in measured],
            dtype=np.float64,
        )
        for metric in metrics
    }


@dataclass(frozen=True)
class Judge:
    """How candidates are ranked.

    Attributes:
        rank: The rank expression.
        guard: Whether trivial networks are put behind.
        ties: What equal values get; see :func:`anglenas.ranking.ranks`.
        seed: Where the order of equal values comes from, if ties are broken.
        iterations: How many the short trainings have, which the guard asks for.

    Raises:
        SettingError: ``ties`` is no rule.
    """

    rank: str
    guard: bool = True
    ties: Ties = "average"
    seed: int = 1
    iterations: int = 50

    def __post_init__(self) -> None:
        if self.ties not in get_args(Ties):
            raise SettingError(f"ties are 'average', 'broken' or 'dense', not {self.ties!r}.")

    def scores(self, columns: Columns, directions: Mapping[str, bool]) -> NDArray[np.float64]:
        """The combined score of each candidate; higher is better."""
        return self._evaluate(self.rank, columns, directions)

    def places(self, columns: Columns, directions: Mapping[str, bool]) -> dict[str, Any]:
        """Places, 1 the best, by each metric and combination."""
        pair = ["angle_loss"] if {"angle", "loss"} <= set(columns) else []
        placed = {
            name: ranks(column, higher_is_better=directions[name])
            for name, column in columns.items()
        }
        for name in (*pair, self.rank):
            if name not in placed:
                scores = self._evaluate(name, columns, directions)
                placed[name] = ranks(scores, higher_is_better=True)
        return {name: len(places) - places for name, places in placed.items()}

    def guarded(
        self, columns: Columns, trivial: Sequence[bool]
    ) -> tuple[Columns, NDArray[np.bool_]]:
        """The columns to rank by, and which candidates the guard put behind."""
        if not self.guard:
            return columns, np.zeros(len(trivial), dtype=bool)
        return guard_columns(columns, trivial, iterations=self.iterations)

    def _evaluate(
        self, rank: str, columns: Columns, directions: Mapping[str, bool]
    ) -> NDArray[np.float64]:
        rng = np.random.default_rng(derive(self.seed, "ties"))
        return parse(rank).evaluate(columns, directions, ties=self.ties, rng=rng)


def combined_scores(
    judge: Judge,
    space: Any,
    architectures: Sequence[Any],
    measured: Sequence[Measured],
    metrics: Sequence[Metric],
) -> NDArray[np.float64]:
    """The combined score of each candidate; higher is better."""
    trivial = [space.is_trivial(one) for one in architectures]
    columns, _ = judge.guarded(columns_of(measured, metrics), trivial)
    return judge.scores(columns, _directions(metrics))


def rank_candidates(
    judge: Judge,
    space: str,
    architectures: Sequence[Any],
    measured: Sequence[Measured],
    metrics: Sequence[Metric],
    config: NetworkConfig,
) -> tuple[Candidate, ...]:
    """All candidates, best first; equal scores in the order of their proposals."""
    searched, directions = load("space", space), _directions(metrics)
    trivial = [searched.is_trivial(one) for one in architectures]
    columns, hit = judge.guarded(columns_of(measured, metrics), trivial)
    scores = judge.scores(columns, directions)
    places = judge.places(columns, directions)
    return tuple(
        Candidate(
            rank=place + 1,
            number=int(number),
            architecture=architectures[number],
            canonical=searched.canonical(architectures[number]),
            values=measured[number].values,
            spreads=measured[number].spreads,
            ranks={name: float(column[number]) for name, column in places.items()},
            score=float(scores[number]),
            status=_status(measured[number], scores[number], judge.rank),
            guarded=bool(hit[number]),
            space=space,
            config=config,
        )
        for place, number in enumerate(order(scores))
    )


def _directions(metrics: Sequence[Metric]) -> dict[str, bool]:
    return {metric.name: metric.higher_is_better for metric in metrics}


def _status(measured: Measured, score: float, rank: str) -> str:
    if measured.status == "ok" and score == -np.inf:
        return f"undefined: {rank} has no value here"
    return measured.status
