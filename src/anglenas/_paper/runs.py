"""The random searches of the released code of Yang et al. (WACV 2023), and figures 1 and 2."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anglenas._plugins import load
from anglenas._sheet import Sheet
from anglenas._study.benchmark import Benchmark, run_of
from anglenas._study.guards import apply_guard, check_guards
from anglenas._study.scores import Scores, directions_of
from anglenas.errors import DataError
from anglenas.ranking import check_metrics, order, parse, ranks


@dataclass(frozen=True)
class Position:
    """A network in figures 1 and 2.

    Attributes:
        architecture: Its text.
        accuracy: What it reached, in percent.
        trivial: Whether nothing that learns is on the ways through its cell; see
            :meth:`anglenas.spaces.Space.is_trivial`.
        by_angle: Its rank index by angle, 0 the worst.
        by_sum: Its rank index by angle + #Param.
        first: Whether it is the one that angle ranks highest.
    """

    architecture: str
    accuracy: float
    trivial: bool
    by_angle: float
    by_sum: float
    first: bool


def positions(scores: Scores, benchmark: Benchmark, *, seed: int = 1) -> tuple[Position, ...]:
    """Where the hundred networks of figures 1 and 2 land, before and after #Param is added.

    No guard is applied, since the figures show what it is for.

    Args:
        scores: What was measured.
        benchmark: The accuracies.
        seed: Of the run that drew the networks, see :func:`run_of`.

    Raises:
        UnknownNameError: Angle or parameters were not measured.
        DataError: Not all of the networks were measured.
    """
    rows = run_of(seed, benchmark)
    by_angle, by_sum = (
        ranks(_scores(scores, rows, metric), higher_is_better=True)
        for metric in ("angle", "angle+params")
    )
    space = load("space", benchmark.space)
    return tuple(
        Position(
            architecture=benchmark.architectures[row],
            accuracy=float(benchmark.accuracy[row]),
            trivial=space.is_trivial(space.parse(benchmark.architectures[row])),
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
    benchmark: Benchmark,
    metrics: Sequence[str],
    *,
    seeds: Sequence[int] = (1, 2, 3),
    guards: Sequence[str] = ("off",),
) -> tuple[Pick, ...]:
    """The networks that the released code's random searches pick by different rankings.

    Of equal scores the network drawn first is picked, as the first maximum is there. A guard sees
    the hundred networks of the run alone, as in a search.

    Args:
        scores: What was measured.
        benchmark: The accuracies.
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
            rows = run_of(seed, benchmark)
            # A guard puts networks behind the worst it sees: here, those of this search alone.
            here = np.isin(np.arange(len(benchmark)), rows)
            guarded = apply_guard(scores.among(here), benchmark, guard)
            reached = benchmark.accuracy[rows]
            for metric in metrics:
                row = rows[order(_scores(guarded, rows, metric))[0]]
                found.append(Pick(
                    metric, guard, seed, benchmark.architectures[row],
                    accuracy=float(benchmark.accuracy[row]), best=float(reached.max()),
                    mean=float(reached.mean()),
                ))  # fmt: skip
    return tuple(found)


def pick_sheet(picks: Sequence[Pick]) -> Sheet:
    """The accuracies of the networks that random searches pick, a column for each run.

    Args:
        picks: What :func:`picks` found.
    """
    reached: dict[tuple[str, str], dict[int, float]] = {}
    for one in picks:
        reached.setdefault((one.metric, one.guard), {})[one.seed] = one.accuracy
    reached["mean of each run", ""] = {one.seed: one.mean for one in picks}
    reached["best of each run", ""] = {one.seed: one.best for one in picks}
    seeds = reached["mean of each run", ""]
    rows = tuple(
        (*names, *(f"{found[seed]:.2f}" for seed in seeds),
         f"{sum(found.values()) / len(found):.2f}")
        for names, found in reached.items()
    )  # fmt: skip
    head = ("ranked by", "guard", *(f"seed {seed}" for seed in seeds), "mean")
    return Sheet("Accuracy of the pick of a hundred networks, percent", head, rows, 2)
