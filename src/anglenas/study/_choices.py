"""What a random search finds that ranks by a metric."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anglenas.errors import SettingError
from anglenas.numerics import derive
from anglenas.ranking import order, parse
from anglenas.study._estimates import Drawn

__all__ = ["Choice", "choose"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """The networks that a ranking picks out of many random hundreds.

    Attributes:
        metric: The metric or rank expression.
        guard: How trivial networks were treated.
        size: How many random networks each search ranks.
        searches: How many searches there were.
        networks: How many measured networks they were drawn from.
        accuracy: Mean accuracy of the picks, in percent.
        deviation: Standard deviation of that over searches.
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


def choose(
    drawn: Drawn, metric: str, *, guard: str, size: int = 100, searches: int = 1000, seed: int = 1
) -> Choice:
    """Search many times, each time among ``size`` networks, and take what the ranking puts first.

    Networks are drawn without repetition, as likely as their weights say, so that each search is
    one in the whole table. Ranks are formed among the networks of one search. With several seeds
    of measurement, searches take them in turn.

    Args:
        drawn: What was measured.
        metric: The rank expression.
        guard: What to call the treatment of trivial networks.
        size: How many networks a search ranks.
        searches: How many searches.
        seed: Where chance comes from.

    Raises:
        SettingError: Fewer than ``size`` networks were measured.
    """
    if not 1 <= size <= len(drawn.rows):
        raise SettingError(
            f"{metric} was measured of {len(drawn.rows):,} networks, too few for searches among "
            f"{size:,}; search among fewer, or measure more."
        )
    found = [_search(drawn, metric, size, seed, number) for number in range(searches)]
    pick, best, params = np.array(found).T
    return Choice(
        metric, guard, size, searches, len(drawn.rows),
        accuracy=float(pick.mean()),
        deviation=float(pick.std(ddof=1)) if searches > 1 else np.nan,
        regret=float((best - pick).mean()),
        best=float(best.mean()),
        gain=float((pick - params).mean()),
    )  # fmt: skip


def _search(
    drawn: Drawn, metric: str, size: int, seed: int, number: int
) -> tuple[float, float, float]:
    """Accuracies of the pick, of the best network, and of the pick of params."""
    rng = np.random.default_rng(derive(seed, "search", number))
    weights = drawn.sample.weights
    chosen = rng.choice(len(weights), size, replace=False, p=weights / weights.sum())
    columns = drawn.columns[number % len(drawn.columns)]
    here = {name: values[chosen] for name, values in columns.items()}
    truth = drawn.truth[chosen]
    pick = order(parse(metric).evaluate(here, drawn.directions))[0]
    return truth[pick], truth.max(), truth[order(here["params"])[0]]
