"""The supplement of Yang et al. (WACV 2023, arXiv 2211.08666), measured again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anglenas._plugins import load
from anglenas._study.correlation import Study, apply_guard, check_guards
from anglenas._study.estimates import Estimate, Interval
from anglenas._study.measure import run_of
from anglenas._study.scores import Scores, directions_of
from anglenas._study.table import Table
from anglenas.errors import DataError
from anglenas.ranking import check_metrics, order, parse, ranks
from anglenas.spaces import is_untrained

__all__ = [
    "PICKED",
    "TABLE_1",
    "Cell",
    "Pick",
    "Place",
    "Published",
    "Verdict",
    "picks",
    "places",
    "table_1",
    "verdict",
]

Verdict = Literal["agrees", "disagrees", "cannot tell"]

_WIDEST = 0.08
_ROUNDING = 0.005


@dataclass(frozen=True)
class Published:
    """A row of the supplement's table 1: Kendall's tau with test accuracy on NAS-Bench-201.

    Attributes:
        name: What the row is called there.
        metric: Our rank expression for it.
        taus: Of all networks, of the 1000 and of the 500 most accurate ones.
    """

    name: str
    metric: str
    taus: tuple[float, float, float]


TABLE_1 = (
    Published("#Param", "params", (0.55, 0.04, 0.03)),
    Published("LR1", "regions", (0.50, 0.15, 0.08)),
    Published("NTK", "ntk", (0.42, 0.06, 0.14)),
    Published("LR2", "naswot", (0.61, -0.04, -0.03)),
    Published("AngleLoss", "angle_loss", (0.46, 0.15, 0.18)),
    Published("LR1+#Param", "regions+params", (0.62, 0.15, 0.10)),
    Published("NTK+#Param", "ntk+params", (0.56, 0.07, 0.14)),
    Published("LR2+#Param", "naswot+params", (0.64, 0.00, 0.02)),
    Published("AngleLoss+#Param", "angle_loss+params", (0.60, 0.17, 0.21)),
)
"""LR1 is taken to be the linear regions of TE-NAS, and LR2 NASWOT, for their published taus."""

_SUBSETS = ("all", "top-1000", "top-500")


@dataclass(frozen=True)
class Cell:
    """A published tau and ours.

    Attributes:
        row: The published row.
        published: Its tau for this subset.
        estimate: Ours, with all that belongs to it.
        verdict: Whether they agree, by the tau with ties broken at random.
    """

    row: Published
    published: float
    estimate: Estimate
    verdict: Verdict


def verdict(ours: Interval, published: float) -> Verdict:
    """Whether a published number of two digits can be the one that was estimated.

    It agrees if it may lie in the 95 % interval before it was rounded. Of an interval wider than
    0.08 to each side, or of none, nothing can be told.

    >>> verdict(Interval(0.58, 0.55, 0.61), 0.61), verdict(Interval(0.58, 0.55, 0.61), 0.62)
    ('agrees', 'disagrees')
    >>> verdict(Interval(0.3, 0.2, 0.4), 0.3)
    'cannot tell'
    """
    if not ours.half_width <= _WIDEST:
        return "cannot tell"
    agrees = ours.low - _ROUNDING <= published <= ours.high + _ROUNDING
    return "agrees" if agrees else "disagrees"


def table_1(study: Study) -> tuple[Cell, ...]:
    """The cells of table 1 that a study has estimates for, row after row.

    A row has one line for each guard, and one more for each if its ranks were formed inside the
    subsets; the supplement tells neither.

    Args:
        study: What :func:`correlate` found for the metrics of :data:`TABLE_1`.
    """
    cells = []
    for row in TABLE_1:
        for one in study.estimates:
            if one.metric == row.metric and one.subset in _SUBSETS:
                published = row.taus[_SUBSETS.index(one.subset)]
                cells.append(Cell(row, published, one, verdict(one.tau_broken, published)))
    return tuple(cells)


@dataclass(frozen=True)
class Place:
    """A network in figures 1 and 2.

    Attributes:
        architecture: Its text.
        accuracy: What it reached, in percent.
        untrained: Whether nothing that learns is on the ways through its cell; see
            :func:`anglenas.spaces.is_untrained`.
        by_angle: Its rank index by angle, 0 the worst.
        by_sum: Its rank index by angle + #Param.
        first: Whether it is the one that angle ranks highest.
    """

    architecture: str
    accuracy: float
    untrained: bool
    by_angle: float
    by_sum: float
    first: bool


def places(scores: Scores, table: Table, *, seed: int = 1) -> tuple[Place, ...]:
    """Where the hundred networks of figures 1 and 2 land, before and after #Param is added.

    No guard is applied, since the figures show what it is for.

    Args:
        scores: What was measured.
        table: The accuracies.
        seed: Of the run that drew the networks, see :func:`run_of`.

    Raises:
        UnknownNameError: Angle or parameters were not measured.
        DataError: Not all of the networks were measured.
    """
    rows = run_of(seed, table)
    by_angle, by_sum = (
        ranks(_scores(scores, rows, metric), higher_is_better=True)
        for metric in ("angle", "angle+params")
    )
    space: Any = load("space", table.space)
    return tuple(
        Place(
            architecture=table.architectures[row],
            accuracy=float(table.accuracy[row]),
            untrained=is_untrained(space.graphs(space.parse(table.architectures[row]))),
            by_angle=float(by_angle[k]),
            by_sum=float(by_sum[k]),
            first=bool(k == order(by_angle)[0]),
        )
        for k, row in enumerate(rows)
    )


def _scores(scores: Scores, rows: NDArray[np.intp], metric: str) -> NDArray[np.float64]:
    """``(n,)`` scores of a ranking among some networks, all of which were measured."""
    expression = parse(metric)
    check_metrics(expression, scores.columns)
    missing = [name for name in expression.metrics if not scores.measured[name][rows].all()]
    if missing:
        raise DataError(
            f"{missing[0]} was not measured of all {len(rows)} networks of the run; measure them, "
            "or give the file of scores that has them."
        )
    columns = {name: scores.columns[name][rows] for name in expression.metrics}
    return expression.evaluate(columns, directions_of(columns))


def _among(scores: Scores, rows: NDArray[np.intp]) -> Scores:
    """The scores of some networks alone: the guard puts behind the worst of those it sees."""
    chosen = np.isin(np.arange(len(next(iter(scores.columns.values())))), rows)
    columns = {name: np.where(chosen, values, np.nan) for name, values in scores.columns.items()}
    return replace(scores, columns=columns)


PICKED = ("params", "angle", "loss", "angle_loss", "angle_loss+params")
"""What the random search of the released code ranks by, and #Param alone."""


@dataclass(frozen=True)
class Pick:
    """What one random search of a hundred networks takes.

    Attributes:
        metric: The ranking.
        guard: How trivial networks were treated.
        seed: Of the run that drew the networks.
        architecture: The pick.
        accuracy: What it reached, in percent.
        best: What the best network of the hundred reached.
        mean: What they reached on average: what choosing blindly is worth.
    """

    metric: str
    guard: str
    seed: int
    architecture: str
    accuracy: float
    best: float
    mean: float


def picks(
    scores: Scores,
    table: Table,
    metrics: Sequence[str] = PICKED,
    *,
    seeds: Sequence[int] = (1, 2, 3),
    guards: Sequence[str] = ("off",),
) -> tuple[Pick, ...]:
    """The networks that the released code's random searches pick by different rankings.

    Of equal scores the network drawn first is picked, as the first maximum is there. A guard sees
    the hundred networks of the run alone, as in a search.

    Args:
        scores: What was measured.
        table: The accuracies.
        metrics: Rank expressions.
        seeds: Of the runs, see :func:`run_of`.
        guards: How trivial networks are treated, see :data:`GUARDS`.

    Raises:
        UnknownNameError: A metric was not measured.
        DataError: Not all of the networks were measured.
        SettingError: There is no such guard.
    """
    check_guards(guards)
    found = []
    for guard in guards:
        for seed in seeds:
            rows = run_of(seed, table)
            guarded = apply_guard(_among(scores, rows), table, guard)
            reached = table.accuracy[rows]
            for metric in metrics:
                row = rows[order(_scores(guarded, rows, metric))[0]]
                found.append(Pick(
                    metric, guard, seed, table.architectures[row], float(table.accuracy[row]),
                    best=float(reached.max()), mean=float(reached.mean()),
                ))  # fmt: skip
    return tuple(found)
