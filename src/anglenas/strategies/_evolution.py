"""Aging evolution: the best of a few recent candidates has a child, and the oldest is forgotten."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np

from anglenas._settings import Settings, at_least
from anglenas.strategies._base import Request, first_new

Count = Annotated[int, at_least(1)]


@dataclass(frozen=True)
class Evolution(Settings, called="strategy", facts=("name",)):
    """Aging (regularised) evolution (Real et al., AAAI 2019, arXiv 1802.01548, algorithm 1).

    The first ``population`` candidates are drawn at random. From then on, the population is the
    latest ``population`` candidates: each new one replaces the oldest, however good that is. The
    parent of a new candidate is the best of ``sample`` ones drawn from the population, with
    replacement; the child differs from it in one choice.

    What the paper leaves open is settled so:

    * Candidates are compared by their scores among *all* candidates so far, also those that are
      too old to be parents. A sum of ranks depends on whom one is ranked with; ranked with all of
      them, a parent was chosen by what the result of the search is chosen by.
    * A child that breaks a limit, or computes what a candidate computed before, is thrown away, and
      a new parent is drawn. Where that goes on for too long, the candidate is drawn at random.
    * ``concurrency`` candidates are proposed at once, from the same population, whatever the number
      of workers. So more workers than that are of no use, and any number finds the same.

    The paper's population of 100 with samples of 25 is meant for 20 000 candidates. The defaults
    here are for budgets of a hundred or so.

    Args:
        population: Candidates that can be parents.
        sample: Candidates drawn to find a parent; more is greedier.
        concurrency: Candidates that are proposed at once.
        patience: Children in vain, after which a candidate is drawn at random, and random draws
            in vain, after which the space counts as exhausted.
        first_patience: Draws in vain for the very first candidate, after which nothing in the space
            seems to fit.

    Raises:
        SettingError: One of them is no whole number of at least 1.
    """

    population: Count = 20
    sample: Count = 10
    concurrency: Count = 8
    patience: Count = 500
    first_patience: Count = 200
    name: str = "evolution"

    def propose(self, request: Request) -> Iterator[object]:
        """The next proposals; each depends on the seed, its number and the scores so far."""
        taken: set[str] = set()
        for number in range(len(request.history), len(request.history) + request.count):
            new = self._new(request, number, taken)
            if new is None:
                return
            taken.add(request.space.canonical(new))
            yield new

    def _new(self, request: Request, number: int, taken: Container[str]) -> object | None:
        rng, new = request.stream(number), None
        if number >= self.population and request.history:
            new = first_new(request, taken, partial(self._child, request, rng), self.patience)
        if new is None:
            tries = self.patience if number else self.first_patience
            new = first_new(request, taken, partial(request.space.sample, rng), tries)
        return new

    def _child(self, request: Request, rng: np.random.Generator) -> object:
        population = request.history[-self.population :]
        drawn = [population[index] for index in rng.integers(len(population), size=self.sample)]
        parent = max(drawn, key=lambda trial: trial.score)
        return request.space.mutate(parent.architecture, rng)


EVOLUTION = Evolution()
"""The strategy, as ``anglenas.strategies`` entry point ``evolution``."""
