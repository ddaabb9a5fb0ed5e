"""What a search found, as values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from anglenas._plugins import load
from anglenas._recipe import Recipe
from anglenas.errors import UnknownNameError
from anglenas.probes import find_metric
from anglenas.ranking import pareto_front
from anglenas.spaces import NetworkConfig
from anglenas.spaces._build import build_network

__all__ = ["Candidate", "Found", "counted"]


def counted(number: int, noun: str) -> str:
    """A number with what it counts.

    >>> counted(1, "candidate"), counted(2, "candidate")
    ('1 candidate', '2 candidates')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True)
class Candidate:
    """One ranked network.

    Attributes:
        rank: 1 is the best.
        number: Position among the proposals, from 0.
        architecture: The architecture as proposed.
        canonical: Text of what it computes.
        values: By metric; ``None`` where it is undefined.
        spreads: By metric: standard deviation over the repeats.
        ranks: By metric or combination: 1 is the best, ties share their average.
        score: The combined score; minus infinity where a metric that it needs is undefined.
        status: ``"ok"``, or why a metric or the score is undefined.
        guarded: Whether the trivial-network guard put it behind.
        space: Name of its space.
        config: Size of the network it stands for.
    """

    rank: int
    number: int
    architecture: Any
    canonical: str
    values: Mapping[str, float | None]
    spreads: Mapping[str, float | None]
    ranks: Mapping[str, float]
    score: float
    status: str
    guarded: bool
    space: str
    config: NetworkConfig

    @property
    def scored(self) -> bool:
        """Whether it has a score; if not, it is behind all that have one."""
        return self.score > -math.inf

    def network(
        self,
        num_classes: int | None = None,
        *,
        channels: int | None = None,
        cells: int | None = None,
        in_channels: int | None = None,
    ) -> nn.Module:
        """The network as an ordinary module, with PyTorch's own random initial weights.

        Args:
            num_classes: Outputs; by default the classes of the data that was searched on.
            channels: Width of the first stage; by default as searched for.
            cells: Cells per stage; by default as searched for.
            in_channels: Channels of the images; by default those of the data.

        Returns:
            A module that maps ``(B, in_channels, S, S)`` to ``(B, num_classes)``.
        """
        given = {
            "num_classes": num_classes,
            "channels": channels,
            "cells": cells,
            "in_channels": in_channels,
        }
        config = replace(self.config, **{k: v for k, v in given.items() if v is not None})
        return build_network(load("space", self.space), str(self.architecture), config)


@dataclass(frozen=True)
class Found:
    """The result of a search.

    Attributes:
        candidates: All of them, best first.
        rank: The rank expression, as it was given.
        space: Name of the space.
        data: Name of the images.
        origin: What finds them again (see :func:`anglenas.data.locate`); empty if nothing does.
        class_names: Classes of the images.
        flip: Whether augmentation mirrored them.
        strategy: Name of the strategy.
        recipe: How candidates were measured.
        seed: Where all randomness came from.
        guard: Whether the trivial-network guard was on.
        ties: What equal values got.
        limits: Limits that were set, by name: budget, minutes, parameters, operations.
        notices: What a user should know, a sentence each.
        seconds: How long the run took.
        computed: How many measurements were made now, not read from the store.
        pruning: If supernets were pruned: a row for each removal that was tried, with the metrics
            of the supernet that was left, the seconds they took (outside of every comparison),
            the status, the place in its round, and whether it was made.
        base_seconds: How long the supernets took that have no row, because the others are compared
            with them.
    """

    candidates: tuple[Candidate, ...]
    rank: str
    space: str
    data: str
    origin: str
    class_names: tuple[str, ...]
    flip: bool
    strategy: str
    recipe: Recipe
    seed: int
    guard: bool
    ties: str
    limits: Mapping[str, float]
    notices: tuple[str, ...]
    seconds: float
    computed: int
    pruning: tuple[Mapping[str, Any], ...] = ()
    base_seconds: float = 0.0

    @property
    def best(self) -> Candidate:
        """The candidate of rank 1; see whether it is ``scored``, for all may have failed."""
        return self.candidates[0]

    @property
    def pruning_seconds(self) -> float:
        """How long all measurements of the supernets took that were pruned, whenever that was."""
        return math.fsum(row["seconds"] for row in self.pruning) + self.base_seconds

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dictionary a candidate, best first: ready for ``csv`` or ``pandas.DataFrame``."""
        return [
            {
                "rank": one.rank,
                "architecture": str(one.architecture),
                **one.values,
                **{f"rank_{name}": rank for name, rank in one.ranks.items()},
                "score": one.score,
                "guarded": one.guarded,
                "status": one.status,
            }
            for one in self.candidates
        ]

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
        known = [one for one in self.candidates if one.scored and one.values[cost] is not None]
        costs = [one.values[cost] for one in known]
        on_front = pareto_front([one.score for one in known], costs)  # type: ignore[arg-type]
        chosen = [one for one, worth in zip(known, on_front, strict=True) if worth]
        return tuple(sorted(chosen, key=lambda one: (one.values[cost], one.rank)))

    @property
    def tried(self) -> str:
        """How much was tried, such as ``"60 candidates"``; of a search that prunes, removals."""
        if self.pruning:
            return counted(len(self.pruning), "removal")
        return counted(len(self.candidates), "candidate")

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know before the result is used, a sentence each: ``notices``, and more."""
        count = len(self.candidates)
        behind = sum(one.guarded for one in self.candidates)
        failed = sum(not one.scored for one in self.candidates)
        partial = sum(one.scored and one.status != "ok" for one in self.candidates)
        unmeasured = sum(row["status"].startswith("failed: ") for row in self.pruning)
        remarks = [*self.notices]
        if self.pruning:
            remarks.append(
                f"Pruning ended with this network after {self.tried} were tried in "
                f"{counted(self.pruning[-1]['round'], 'round')}; pruning.csv lists them."
            )
        if unmeasured:
            remarks.append(
                f"{unmeasured} removals were pruned last, because what was left of the supernet "
                "could not be measured; their status says why."
            )
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

    @property
    def directions(self) -> dict[str, bool]:
        """By metric: whether higher is better."""
        return {name: find_metric(name).higher_is_better for name in self.best.values}
