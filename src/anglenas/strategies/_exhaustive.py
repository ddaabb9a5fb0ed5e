"""Exhaustive search: every function of a space that can be counted, in the space's order."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from anglenas.errors import UsageError
from anglenas.strategies._base import Request, distinct


@dataclass(frozen=True)
class ExhaustiveSearch:
    """The first admissible architectures in the order of the space, each function once."""

    name: str = "exhaustive"
    concurrency: int | None = None

    def propose(self, request: Request) -> Iterator[object]:
        """The next proposals.

        Raises:
            UsageError: The space cannot be counted.
        """
        if request.space.enumerate is None:
            raise UsageError(
                f"The space {request.space.name!r} is too large to go through; use the strategy "
                "random or evolution."
            )
        admissible = filter(request.admits, request.space.enumerate())
        return islice(distinct(request.space, admissible), request.count)


EXHAUSTIVE = ExhaustiveSearch()
"""The strategy, as ``anglenas.strategies`` entry point ``exhaustive``."""
