"""Samples of a population that were drawn in strata."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anglenas.errors import UsageError
from anglenas.ranking._ranks import Floats

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Candidates drawn at random, without replacement, from each stratum of a population.

    A stratum is a part of the population inside which every candidate was as likely to be drawn as
    any other. What is computed with the sample's weights stands for the whole population, however
    unequally its strata were drawn from.

    Args:
        strata: ``(n,)`` for each candidate drawn, the number of its stratum, 0 to H - 1.
        sizes: ``(H,)`` how many candidates of the population each stratum holds.

    Raises:
        UsageError: More candidates were drawn from a stratum than it holds.

    Example:
        >>> Sample.of([0, 0, 1, 1, 1], sizes=[100, 3]).weights.tolist()
        [50.0, 50.0, 1.0, 1.0, 1.0]
    """

    strata: Numbers
    sizes: Numbers

    def __post_init__(self) -> None:
        if (self.drawn > self.sizes).any():
            raise UsageError(
                f"From strata of {self.sizes.tolist()} candidates came {self.drawn.tolist()}; "
                "a candidate is drawn once."
            )

    @classmethod
    def of(cls, strata: ArrayLike, sizes: ArrayLike) -> Self:
        """A sample from anything that can be made into the two arrays."""
        return cls(np.asarray(strata, dtype=np.int64), np.asarray(sizes, dtype=np.int64))

    @classmethod
    def census(cls, count: int) -> Self:
        """The sample that is the whole population of ``count`` candidates."""
        return cls.of(np.zeros(count), [count])

    @property
    def drawn(self) -> Numbers:
        """``(H,)`` how many candidates came from each stratum."""
        return np.bincount(self.strata, minlength=len(self.sizes))

    @property
    def is_census(self) -> bool:
        """Whether it is the whole population, so that nothing is left to chance."""
        return bool((self.drawn == self.sizes).all())

    @property
    def weights(self) -> Floats:
        """``(n,)`` how many candidates of the population each one stands for."""
        return np.asarray((self.sizes / np.maximum(self.drawn, 1))[self.strata])

    @property
    def pair_factors(self) -> Floats:
        """``(H,)`` what turns the product of two weights of a stratum into that of their pair.

        Of N candidates n are drawn with weights N / n, but of N (N - 1) / 2 pairs n (n - 1) / 2.
        """
        n, size = self.drawn.astype(np.float64), self.sizes.astype(np.float64)
        factors = np.ones(len(size))
        some = n > 1
        factors[some] = (n * (size - 1))[some] / ((n - 1) * size)[some]
        return factors

    def covers(self, strata: ArrayLike) -> bool:
        """Whether enough was drawn from each of these strata to speak of it: two, or all of it."""
        chosen = np.unique(np.asarray(strata, dtype=np.int64))
        enough = (self.drawn >= 2) | (self.drawn == self.sizes)
        return bool(enough[chosen].all())

    def replicates(self, count: int, rng: np.random.Generator) -> Floats:
        """Weights as they might have been had other candidates been drawn.

        The rescaling bootstrap of Rao, Wu and Yue (Survey Methodology 18, 1992): from the n
        candidates of a stratum n - 1 are drawn with replacement, and the weight of one that was
        drawn r times becomes ``N / n * (1 - f + f * r * n / (n - 1))`` with
        ``f = sqrt(1 - n / N)``, so that a stratum that was drawn entirely does not vary.

        Args:
            count: How many.
            rng: Where chance comes from.

        Returns:
            ``(count, n)`` weights, all above 0.
        """
        weights = np.tile(self.weights, (count, 1))
        for stratum, (n, size) in enumerate(zip(self.drawn, self.sizes, strict=True)):
            if 1 < n < size:
                draws = rng.multinomial(n - 1, np.full(n, 1 / n), size=count)
                factor = np.sqrt(1 - n / size)
                weights[:, self.strata == stratum] *= 1 - factor + factor * draws * n / (n - 1)
        return weights
