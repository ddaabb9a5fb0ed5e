"""What came of a pruning, as values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anglenas._measuring.result import Result, counted
from anglenas.spaces import Edge


@dataclass(frozen=True)
class Removal:
    """An operation that was taken away on trial.

    Attributes:
        edge: Where it was.
        operation: Its name.
        values: By metric, of the supernet that was left; ``None`` where it is undefined.
        seconds: How long the measurements took, whenever that was; nothing is compared by it.
        status: ``"ok"``, or why a metric has no value.
        rank: Its position in its round; 1 goes first.
        made: Whether the operation went.
    """

    edge: Edge
    operation: str
    values: Mapping[str, float | None]
    seconds: float
    status: str
    rank: int
    made: bool


@dataclass(frozen=True)
class Round:
    """One step of a pruning.

    Attributes:
        title: What it was, in words.
        supernet: Text of the supernet that it began with.
        removals: All that were tried.
        base_seconds: How long the supernet took that it began with, if the others were compared
            with that, and it has no row of its own in an earlier round.
    """

    title: str
    supernet: str
    removals: tuple[Removal, ...]
    base_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Pruned(Result):
    """The result of a pruning; its only candidate is the architecture that is left.

    Attributes:
        rounds: How it came about, in their order.
        supernets: Name of the supernets.
        number: How many operations an edge lost in a round.
        reading: How metrics were read: ``"pruned"`` or ``"change"``.
    """

    rounds: tuple[Round, ...]
    supernets: str
    number: int
    reading: str

    @property
    def removals(self) -> tuple[Removal, ...]:
        """All that were tried, round by round."""
        return tuple(removal for step in self.rounds for removal in step.removals)

    @property
    def measuring_seconds(self) -> float:
        """How long all measurements of the supernets took, whenever that was."""
        seconds = (removal.seconds for removal in self.removals)
        return math.fsum([*seconds, *(step.base_seconds for step in self.rounds)])

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dictionary a removal, round by round: ready for ``csv`` or ``pandas.DataFrame``."""
        return [
            {
                "round": number,
                **removal.edge._asdict(),
                "operation": removal.operation,
                **removal.values,
                "seconds": removal.seconds,
                "status": removal.status,
                "rank": removal.rank,
                "made": removal.made,
            }
            for number, step in enumerate(self.rounds, 1)
            for removal in step.removals
        ]

    @property
    def facts(self) -> dict[str, str | int | bool]:
        """How it was found, by names for people."""
        return super().facts | {
            "supernets": self.supernets,
            "operations pruned of an edge": self.number,
            "reading": self.reading,
            "removals": len(self.removals),
        }

    @property
    def tried(self) -> str:
        """How much was tried, such as ``"54 removals"``."""
        return counted(len(self.removals), "removal")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know before the result is used, a sentence each: ``notices``, and more."""
        failed = sum(removal.status.startswith("failed: ") for removal in self.removals)
        remarks = [
            f"Pruning ended with this network after {self.tried} were tried in "
            f"{counted(len(self.rounds), 'round')}; pruning.csv lists them."
        ]
        if failed:
            remarks.append(
                f"{failed} removals were made last, because what was left of the supernet could "
                "not be measured; their status says why."
            )
        if not self.best.scored:
            remarks.append(f"The network could not be built ({self.best.status}).")
        return (*self.notices, *remarks, *self.recipe.caution)
