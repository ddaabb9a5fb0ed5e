"""Random search: architectures drawn uniformly, each function once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from anglenas._settings import Settings, at_least
from anglenas.strategies._base import Request, first_new

__all__ = ["RANDOM", "RandomSearch"]


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

    def propose(self, request: Request) -> Sequence[Any]:
        """The next proposals; each depends on the seed, its number and those before it."""
        found: dict[str, Any] = {}
        for _ in range(request.count):
            number = len(request.history) + len(found)
            rng = request.stream(number)
            draw = partial(request.space.sample, rng)
            new = first_new(request, found, draw, self.patience if number else self.first_patience)
            if new is None:
                break
            found[request.space.canonical(new)] = new
        return tuple(found.values())


RANDOM = RandomSearch()
"""The strategy, as ``anglenas.strategies`` entry point ``random``."""
