"""Random search: architectures drawn uniformly, each function once."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from anglenas._settings import Settings, at_least
from anglenas.strategies._base import Request, first_new


@dataclass(frozen=True)
class RandomSearch(Settings, called="strategy", facts=("name",)):
    """Draws until enough admissible architectures with different functions are found.

    Args:
        patience: Draws in vain for one proposal after which the space counts as exhausted.
        first_patience: Draws in vain for the very first one, after which nothing in the space seems
            to fit. It is less because each of them is a network that was built to be counted.
    """

    patience: Annotated[int, at_least(1)] = 2000
    first_patience: Annotated[int, at_least(1)] = 200
    name: str = "random"
    concurrency: int | None = None

    def propose(self, request: Request) -> Iterator[object]:
        """The next proposals; each depends on the seed, its number and those before it."""
        taken: set[str] = set()
        for number in range(len(request.history), len(request.history) + request.count):
            draw = partial(request.space.sample, request.stream(number))
            new = first_new(request, taken, draw, self.patience if number else self.first_patience)
            if new is None:
                return
            taken.add(request.space.canonical(new))
            yield new


RANDOM = RandomSearch()
"""The strategy, as ``anglenas.strategies`` entry point ``random``."""
