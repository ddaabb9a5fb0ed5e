"""What a search found, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anglenas._measuring.result import Candidate, Result, counted
from anglenas.errors import UnknownNameError
from anglenas.ranking import pareto_front


@dataclass(frozen=True, kw_only=True)
class Found(Result):
    """The result of a search: all of its candidates, best first.

    Attributes:
        strategy: Name of the strategy.
        limits: Limits that were set, by the names that :func:`anglenas.search` has for them:
            ``budget``, ``minutes``, ``max_params``, ``max_flops``, ``max_latency_ms``.
    """

    strategy: str
    limits: Mapping[str, float]

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dictionary a candidate, best first: ready for ``csv`` or ``pandas.DataFrame``."""
        return [candidate.row for candidate in self.candidates]

    def front(self, cost: str = "params") -> tuple[Candidate, ...]:
        """The candidates that are worth their cost, the cheapest first.

        No other candidate has at least the same score at no higher cost, and is better in one of
        both.

        Args:
            cost: A metric that was measured, lower being cheaper: ``"params"``, ``"flops"``,
                ``"latency"``, ...

        Raises:
            UnknownNameError: It was not measured.
        """
        if cost not in self.best.values:
            raise UnknownNameError("measured metric", cost, self.best.values)
        costs = {
            candidate.rank: value
            for candidate in self.candidates
            if candidate.scored and (value := candidate.values[cost]) is not None
        }
        on_front = pareto_front([self.at(rank).score for rank in costs], [*costs.values()])
        chosen = [rank for rank, is_on in zip(costs, on_front, strict=True) if is_on]
        return tuple(self.at(rank) for rank in sorted(chosen, key=costs.__getitem__))

    @property
    def facts(self) -> dict[str, str | int | bool]:
        """How it was found, by names for people."""
        return super().facts | {"strategy": self.strategy, "candidates": len(self.candidates)}

    @property
    def tried(self) -> str:
        """How much was tried, such as ``"60 candidates"``."""
        return counted(len(self.candidates), "candidate")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know before the result is used, a sentence each: ``notices``, and more."""
        count = len(self.candidates)
        behind = sum(candidate.guarded for candidate in self.candidates)
        failed = sum(not candidate.scored for candidate in self.candidates)
        partial = sum(
            candidate.scored and candidate.status != "ok" for candidate in self.candidates
        )
        remarks = [*self.notices]
        if behind:
            remarks.append(
                f"The guard put angle and losses of {behind} of {count} candidates behind those of "
                "all others: nothing in their cells learns, or their classifier hardly turned."
            )
        if failed:
            remarks.append(f"{failed} candidates could not be scored; their status says why.")
        if partial:
            remarks.append(f"{partial} candidates lack a metric that they are not ranked by.")
        return (*remarks, *self.recipe.caution)
