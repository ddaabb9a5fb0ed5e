"""From measured values to ranked candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from anglenas._measuring.plan import Measured
from anglenas._measuring.result import Candidate, Column
from anglenas._numerics import derive
from anglenas._plugins import load
from anglenas.errors import SettingError
from anglenas.probes import Metric
from anglenas.ranking import GUARDED, Ties, guard_columns, order, parse, ranks
from anglenas.spaces import NetworkConfig

Floats = NDArray[np.float64]
Values = Mapping[str, Floats]
"""``(N,)`` values of each metric; NaN where one is undefined."""


@dataclass(frozen=True)
class Judge:
    """How candidates are ranked.

    Attributes:
        rank: The rank expression.
        guard: Whether trivial candidates are put behind.
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

    def scores(self, values: Values, metrics: Sequence[Metric], rank: str = "") -> Floats:
        """The score of each candidate by an expression, its own by default; higher is better."""
        directions = {metric.name: metric.higher_is_better for metric in metrics}
        rng = np.random.default_rng(derive(self.seed, "ties"))
        return parse(rank or self.rank).evaluate(values, directions, ties=self.ties, rng=rng)


def metrics_to_rank(rank: str) -> tuple[str, ...]:
    """What has to be measured for a rank expression.

    The guard needs ``angle`` and ``loss`` of the same iteration to put either behind.
    """
    names = parse(rank).metrics
    parts = (name.partition("@") for name in names if name.partition("@")[0] in GUARDED)
    pairs = [f"{one}{at}{iteration}" for _, at, iteration in parts for one in ("angle", "loss")]
    return tuple(dict.fromkeys([*names, *pairs]))


def columns_of(metrics: Sequence[Metric]) -> tuple[Column, ...]:
    """What there is to know of some metrics where their values are shown."""
    return tuple(Column(one.name, one.higher_is_better, one.unit) for one in metrics)


def scores_of(
    judge: Judge,
    space: Any,
    architectures: Sequence[object],
    measured: Sequence[Measured],
    metrics: Sequence[Metric],
) -> tuple[Floats, Values, NDArray[np.bool_]]:
    """The score of each candidate, the values it comes from, and whom the guard put behind."""
    values: Values = {
        metric.name: np.array(
            [np.nan if (v := one.values[metric.name]) is None else v for one in measured],
            dtype=np.float64,
        )
        for metric in metrics
    }
    behind = np.zeros(len(measured), dtype=bool)
    if judge.guard:
        trivial = [space.is_trivial(one) for one in architectures]
        values, behind = guard_columns(values, trivial, iterations=judge.iterations)
    return judge.scores(values, metrics), values, behind


def rank_candidates(
    judge: Judge,
    space: str,
    architectures: Sequence[object],
    measured: Sequence[Measured],
    metrics: Sequence[Metric],
    config: NetworkConfig,
) -> tuple[Candidate, ...]:
    """All candidates, best first; equal scores in the order of their proposals."""
    searched = load("space", space)
    scores, values, behind = scores_of(judge, searched, architectures, measured, metrics)
    worst_first = {
        metric.name: ranks(values[metric.name], higher_is_better=metric.higher_is_better)
        for metric in metrics
    }
    # The paper's own pair stands beside whatever else ranks, so that the two can be compared.
    pair = ["angle_loss"] if {"angle", "loss"} <= set(values) else []
    for expression in (*pair, judge.rank):
        if expression not in worst_first:
            combined = judge.scores(values, metrics, expression)
            worst_first[expression] = ranks(combined, higher_is_better=True)
    return tuple(
        Candidate(
            rank=rank,
            number=int(number),
            architecture=architectures[number],
            canonical=searched.canonical(architectures[number]),
            values=measured[number].values,
            spreads=measured[number].spreads,
            ranks={name: float(len(one) - one[number]) for name, one in worst_first.items()},
            score=float(scores[number]),
            status=_status(measured[number], scores[number], judge.rank),
            guarded=bool(behind[number]),
            space=space,
            config=config,
        )
        for rank, number in enumerate(order(scores), 1)
    )


def _status(measured: Measured, score: float, rank: str) -> str:
    if measured.status == "ok" and score == -np.inf:
        return f"undefined: {rank} has no value here"
    return measured.status
