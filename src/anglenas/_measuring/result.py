"""What a search and a pruning hand over, as values: candidates, and how they were measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from anglenas._plugins import load
from anglenas._recipe import Recipe
from anglenas.errors import SettingError
from anglenas.spaces import NetworkConfig, Space

if TYPE_CHECKING:
    from torch import nn


def counted(number: int, noun: str) -> str:
    """A number with what it counts.

    >>> counted(1, "candidate"), counted(2, "candidate")
    ('1 candidate', '2 candidates')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True)
class Column:
    """A metric that was measured.

    Attributes:
        name: Its name, such as ``"angle"``.
        higher_is_better: Its direction.
        unit: Unit of its values; empty for a pure number.
    """

    name: str
    higher_is_better: bool = True
    unit: str = ""


@dataclass(frozen=True)
class Candidate:
    """An architecture that was proposed, with what was measured of it.

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
        guarded: Whether the guard put it behind, as a trivial one.
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

    @property
    def row(self) -> dict[str, Any]:
        """It as one flat row of a table; a metric gives way to a fact of the same name."""
        facts = {
            "rank": self.rank,
            "number": self.number,
            "architecture": str(self.architecture),
            "score": self.score if self.scored else None,
            "status": self.status,
            "guarded": self.guarded,
        }
        alone = {f"rank_{name}": rank for name, rank in self.ranks.items()}
        return facts | dict(self.values) | alone | {"canonical": self.canonical} | facts

    def network(
        self,
        num_classes: int | None = None,
        *,
        channels: int | None = None,
        cells: int | None = None,
        in_channels: int | None = None,
    ) -> "nn.Module":
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
        space: Space[Any] = load("space", self.space)
        return space.build(str(self.architecture), config)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a search and a pruning tell of themselves.

    Attributes:
        candidates: Networks of the space, best first.
        columns: The metrics that were measured of them, in their order.
        rank: The rank expression, as it was given.
        space: Name of the space.
        data: Name of the images.
        origin: What finds them again (see :func:`anglenas.data.locate`); empty if nothing does.
        class_names: Classes of the images.
        flip: Whether augmentation mirrored them.
        recipe: How networks were measured.
        seed: Where all randomness came from.
        guard: Whether the guard was on.
        ties: What equal values got.
        notices: What a user should know, a sentence each.
        seconds: How long the run took.
        computed: How many measurements were made now, not read from the store.
    """

    candidates: tuple[Candidate, ...]
    columns: tuple[Column, ...]
    rank: str
    space: str
    data: str
    origin: str
    class_names: tuple[str, ...]
    flip: bool
    recipe: Recipe
    seed: int
    guard: bool
    ties: str
    notices: tuple[str, ...]
    seconds: float
    computed: int

    @property
    def best(self) -> Candidate:
        """The candidate of rank 1; see whether it is ``scored``, for all may have failed."""
        return self.candidates[0]

    def at(self, rank: int) -> Candidate:
        """The candidate of a rank.

        Raises:
            SettingError: There is none.
        """
        if not 1 <= rank <= len(self.candidates):
            raise SettingError(f"The run has the ranks 1 to {len(self.candidates)}, not {rank}.")
        return self.candidates[rank - 1]

    @property
    def facts(self) -> dict[str, str | int | bool]:
        """How it was found, by names for people."""
        return {
            "images": self.data,
            "classes": len(self.class_names),
            "seed": self.seed,
            "trivial-network guard": self.guard,
        }

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to know before the result is used, a sentence each: ``notices``, and more."""
        return (*self.notices, *self.recipe.caution)
