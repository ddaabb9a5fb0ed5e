"""Estimates with their intervals, and where intervals come from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anglenas._sheet import number_text
from anglenas.ranking._ranks import Floats

_LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate, and where its population's value is expected.

    Attributes:
        value: The estimate; NaN if there is none.
        low: Lower end of the 95 % interval.
        high: Upper end.

    Example:
        >>> str(Interval(0.45, 0.4, 0.5)), str(Interval(0.5, 0.5, 0.5))
        ('0.45 [0.40, 0.50]', '0.500')
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, replicates: Floats) -> "Interval":
        """The percentile interval of replicates, ``(B,)``; undefined ones are left out."""
        known = replicates[~np.isnan(replicates)]
        if np.isnan(value) or not len(known):
            return cls(value, np.nan, np.nan)
        tail = (1 - _LEVEL) / 2
        low, high = np.quantile(known, [tail, 1 - tail])
        return cls(value, float(low), float(high))

    @property
    def half_width(self) -> float:
        """Half of what lies between the ends."""
        return (self.high - self.low) / 2

    def __str__(self) -> str:
        return self.text()

    def text(self, *, signed: bool = False) -> str:
        """The value and, where anything is left to chance, the ends; empty if there is no value.

        Args:
            signed: Whether a number above 0 has a sign, as differences have.
        """
        if np.isnan(self.low) or self.half_width < 0.0005:
            return number_text(self.value, signed=signed)
        digits = 3 if self.half_width < 0.01 else 2
        value, low, high = (number_text(one, digits, signed=signed)
                            for one in (self.value, self.low, self.high))  # fmt: skip
        return f"{value} [{low}, {high}]"


def bootstrap(
    statistics: Callable[[NDArray[np.intp]], Sequence[float]],
    count: int,
    rng: np.random.Generator,
    *,
    replicates: int = 1000,
) -> list[Interval]:
    """Numbers of some candidates, with intervals by the bootstrap over them.

    For a simple random sample of a population that is much larger. Where strata were drawn from
    unequally, or a good part of the population is in the sample, :meth:`Sample.replicates` is for
    that.

    Args:
        statistics: Gives the numbers, of the candidates that stand at some positions.
        count: How many candidates there are.
        rng: Where chance comes from.
        replicates: How many samples are drawn with replacement.

    Returns:
        An interval for each number.

    Example:
        >>> values = np.array([1.0, 2.0, 3.0, 4.0])
        >>> mean = lambda chosen: [values[chosen].mean()]
        >>> [found] = bootstrap(mean, len(values), np.random.default_rng(0))
        >>> found.value, 1 < found.low < 2 < found.high < 4
        (2.5, True)
    """
    varied = np.array([statistics(rng.integers(count, size=count)) for _ in range(replicates)])
    values = statistics(np.arange(count))
    return [
        Interval.of(float(value), column) for value, column in zip(values, varied.T, strict=True)
    ]
