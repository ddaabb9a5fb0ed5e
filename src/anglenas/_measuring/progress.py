"""How far a run is: one value for everything that takes long."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from anglenas._measuring.result import Candidate
from anglenas.spaces import Supernet


@dataclass(frozen=True)
class Progress:
    """How far a run is; handed to the caller after every measurement.

    Pruning hands it over as a round begins and at the end, too.

    Attributes:
        done: What is measured: candidates of a search, supernets of a pruning, tasks of scores.
        total: How many there are; ``None`` if time is the budget.
        seconds: Since the start.
        computed: Measurements made now, not read from the store.
        stage: The round that pruning is at, in words; empty for all else.
        supernet: What is left of the supernet that is pruned: the operations on each edge as the
            round began, and at the end the last ones; ``None`` for all else.
        find_best: What :attr:`best` asks, since ranking takes longer than telling how far it is.
    """

    done: int
    total: int | None
    seconds: float
    computed: int
    stage: str = ""
    supernet: Supernet | None = None
    find_best: Callable[[], Candidate | None] = field(
        default=lambda: None, repr=False, compare=False
    )

    @cached_property
    def best(self) -> Candidate | None:
        """The best of the candidates measured so far; ranked when first asked for."""
        return self.find_best()
