"""Random search: architectures drawn uniformly, each function once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anglenas.strategies._base import Request

__all__ = ["RANDOM", "RandomSearch"]


@dataclass(frozen=True)
class RandomSearch:
    """Draws until enough admissible architectures with different functions are found.

    Args:
        patience: Draws in vain for one proposal after which the space counts as exhausted.
    """

    patience: int = 2000
    name: str = "random"
    concurrency: int | None = None

    def propose(self, request: Request) -> Sequence[Any]:
        """The next proposals; each depends on the seed, its number and those before it."""
        found: dict[str, Any] = {}
        for _ in range(request.count):
            rng = request.stream(len(request.history) + len(found))
            for _ in range(self.patience):
                architecture = request.space.sample(rng)
                form = request.space.canonical(architecture)
                if form not in found and request.admits(architecture):
                    found[form] = architecture
                    break
            else:
                break
        return tuple(found.values())


RANDOM = RandomSearch()
"""The strategy, as ``anglenas.strategies`` entry point ``random``."""
