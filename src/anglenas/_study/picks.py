"""What a random search finds that ranks by a metric."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anglenas._numerics import derive
from anglenas._study.estimates import Sampled
from anglenas.ranking import Sample, order, parse

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Picks:
    """The networks that a ranking picks out of many random hundreds.

    Attributes:
        metric: The metric or rank expression.
        guard: How trivial networks were treated.
        size: How many random networks each search ranks.
        searches: How many searches there were.
        networks: How many measured networks they were drawn from.
        accuracy: Mean accuracy of the picks, in percent.
        deviation: Standard deviation of that over searches. All of them share the networks that
            were measured, so it is not how uncertain the mean is.
        regret: Mean of how far the picks are below the best network of their search.
        best: Mean accuracy of the best network of a search.
        gain: Mean of what the picks have over those of ``params``.
    """

    metric: str
    guard: str
    size: int
    searches: int
    networks: int
    accuracy: float
    deviation: float
    regret: float
    best: float
    gain: float


def pick_by(
    sampled: Sampled,
    metric: str,
    *,
    guard: str,
    size: int = 100,
    searches: int = 1000,
    seed: int = 1,
) -> Picks:
    """Search many times, each time among ``size`` networks, and take what the ranking puts first.

    A search in the whole table finds networks of each stratum in numbers that vary by chance; as
    many are drawn here of those that were measured, without repetition. Ranks are formed among the
    networks of one search. With several seeds of measurement, searches take them in turn.

    Args:
        sampled: What was measured.
        metric: The rank expression.
        guard: What to call the treatment of trivial networks.
        size: How many networks a search ranks.
        searches: How many searches.
        seed: Where chance comes from.
    """
    found = [_search(sampled, metric, size, seed, number) for number in range(searches)]
    pick, best, params = np.array(found).T
    return Picks(
        metric, guard, size, searches, len(sampled.rows),
        accuracy=float(pick.mean()),
        deviation=float(pick.std(ddof=1)) if searches > 1 else np.nan,
        regret=float((best - pick).mean()),
        best=float(best.mean()),
        gain=float((pick - params).mean()),
    )  # fmt: skip


def _search(
    sampled: Sampled, metric: str, size: int, seed: int, number: int
) -> tuple[float, float, float]:
    """Accuracies of the pick, of the best network, and of the pick of params."""
    rng = np.random.default_rng(derive(seed, "search", number))
    chosen = draw_anew(sampled.sample, size, rng)
    columns = sampled.columns[number % len(sampled.columns)]
    here = {name: values[chosen] for name, values in columns.items()}
    truth = sampled.truth[chosen]
    pick = order(parse(metric).evaluate(here, sampled.directions))[0]
    return truth[pick], truth.max(), truth[order(here["params"])[0]]


def draw_anew(sample: Sample, size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """``(size,)`` of the networks measured, as a random sample of the whole table would hold them.

    Where it would hold more of a stratum than were measured, another one is drawn.
    """
    counts = rng.multivariate_hypergeometric(sample.sizes, size)
    # With replacement instead, a search would hold a network twice.
    while (counts > sample.drawn).any():
        counts = rng.multivariate_hypergeometric(sample.sizes, size)
    parts = (np.flatnonzero(sample.strata == stratum) for stratum in range(len(counts)))
    return np.concatenate([
        rng.choice(part, count, replace=False) for part, count in zip(parts, counts, strict=True)
    ])  # fmt: skip
