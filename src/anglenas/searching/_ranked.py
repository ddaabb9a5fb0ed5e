"""From measured values to ranked candidates."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anglenas.networks import NetworkConfig
from anglenas.plugins import load
from anglenas.probes import Metric
from anglenas.ranking import Expression, guard, order, parse, ranks
from anglenas.searching._plan import Measured
from anglenas.searching._result import Candidate

__all__ = ["combined_scores", "rank_candidates"]

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


def guarded_columns(
    columns: Columns, trivial: NDArray[np.bool_]
) -> tuple[Columns, NDArray[np.bool_]]:
    """The columns with trivial networks put behind, and which ones were.

    An undefined value stays undefined: it is behind already.
    """
    if not {"angle", "loss"} <= set(columns):
        return columns, np.zeros(len(trivial), dtype=bool)
    known = ~np.isnan(columns["angle"])
    angle, loss = columns["angle"].copy(), columns["loss"].copy()
    angle[known], loss[known] = guard(angle[known], loss[known], trivial=trivial[known])
    hit = known & ((angle != columns["angle"]) | (loss != columns["loss"]))
    return {**columns, "angle": angle, "loss": loss}, hit


def combined_scores(
    expression: Expression,
    measured: Sequence[Measured],
    metrics: Sequence[Metric],
    trivial: Sequence[bool] | None,
) -> NDArray[np.float64]:
    """The combined score of each candidate; higher is better.

    Args:
        expression: How metrics are combined.
        measured: The values, one a candidate.
        metrics: What was measured.
        trivial: Which candidates are trivial by their structure; ``None`` switches the guard off.
    """
    columns = columns_of(measured, metrics)
    if trivial is not None:
        columns, _ = guarded_columns(columns, np.array(trivial, dtype=bool))
    directions = {metric.name: metric.higher_is_better for metric in metrics}
    return expression.evaluate(columns, directions)


def rank_candidates(
    rank: str,
    space: str,
    architectures: Sequence[Any],
    measured: Sequence[Measured],
    metrics: Sequence[Metric],
    config: NetworkConfig,
    *,
    guarded: bool,
) -> tuple[Candidate, ...]:
    """All candidates, best first; equal scores in the order of their proposals."""
    searched = load("space", space)
    columns = columns_of(measured, metrics)
    hit = np.zeros(len(measured), dtype=bool)
    if guarded:
        trivial = np.array([searched.is_trivial(one) for one in architectures], dtype=bool)
        columns, hit = guarded_columns(columns, trivial)
    directions = {metric.name: metric.higher_is_better for metric in metrics}
    scores = parse(rank).evaluate(columns, directions)
    places = _places(rank, columns, directions)
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
            status=_status(measured[number], scores[number], rank),
            guarded=bool(hit[number]),
            space=space,
            config=config,
        )
        for place, number in enumerate(order(scores))
    )


def _status(measured: Measured, score: float, rank: str) -> str:
    if measured.status == "ok" and score == -np.inf:
        return f"undefined: {rank} has no value here"
    return measured.status


def _places(rank: str, columns: Columns, directions: Mapping[str, bool]) -> dict[str, Any]:
    """Places, 1 the best, under each metric and combination."""
    placed = {
        name: ranks(column, higher_is_better=directions[name]) for name, column in columns.items()
    }
    pair = ["angle_loss"] if {"angle", "loss"} <= set(columns) else []
    for name in (*pair, rank):
        if name not in placed:
            scores = parse(name).evaluate(columns, directions)
            placed[name] = ranks(scores, higher_is_better=True)
    return {name: len(scores) - scores for name, scores in placed.items()}
